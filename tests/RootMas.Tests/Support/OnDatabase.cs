using RootMas.Server.Platform.Data;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace RootMas.Tests.Support;

/// <summary>
/// Tests that hold on every database. The class with the tests is abstract and derives from this; one sealed class per database derives from it, that of PostgreSQL with <see cref="IOnPostgres"/>.
/// Whatever they start (<see cref="TestDatabase"/>, <see cref="TestApp"/>) uses that database.
/// </summary>
public abstract class OnDatabase
{
    protected OnDatabase(DatabaseKind kind) => TestDatabase.Kind = kind;
}

/// <summary>Says of an <see cref="OnDatabase"/> class which stores it tests; a test sees to it that none is without.</summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
internal sealed class CoversAttribute(params Type[] stores) : Attribute
{
    public IReadOnlyList<Type> Stores { get; } = stores;
}

/// <summary>Skipped by name where PostgreSQL is not installed.</summary>
public interface IOnPostgres;

/// <summary>Skipped by name where RabbitMQ or PostgreSQL is not installed.</summary>
public interface IOnRabbit : IOnPostgres;

/// <summary>Skipped by name where Redis is not installed.</summary>
public interface IOnRedis;

/// <summary>Skipped by name where a PostgreSQL with pgvector cannot be started.</summary>
public interface IOnPgvector;

/// <summary>A fact of an <see cref="OnDatabase"/> class.</summary>
[XunitTestCaseDiscoverer("RootMas.Tests.Support.DatabaseFactDiscoverer", "RootMas.Tests")]
[AttributeUsage(AttributeTargets.Method)]
public sealed class DatabaseFactAttribute : FactAttribute;

/// <summary>A theory of an <see cref="OnDatabase"/> class.</summary>
[XunitTestCaseDiscoverer("RootMas.Tests.Support.DatabaseTheoryDiscoverer", "RootMas.Tests")]
[AttributeUsage(AttributeTargets.Method)]
public sealed class DatabaseTheoryAttribute : TheoryAttribute;

/// <summary>A test of PostgreSQL alone.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresFactAttribute : FactAttribute
{
    public PostgresFactAttribute() => Skip = PostgresServer.Missing;
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresTheoryAttribute : TheoryAttribute
{
    public PostgresTheoryAttribute() => Skip = PostgresServer.Missing;
}

public sealed class DatabaseFactDiscoverer(IMessageSink messages) : FactDiscoverer(messages)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        MissingDatabaseTestCase.ReasonOf(testMethod) is null
            ? base.Discover(discoveryOptions, testMethod, factAttribute)
            : [new MissingDatabaseTestCase(DiagnosticMessageSink, testMethod)];
}

public sealed class DatabaseTheoryDiscoverer(IMessageSink messages) : TheoryDiscoverer(messages)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo theoryAttribute) =>
        MissingDatabaseTestCase.ReasonOf(testMethod) is null
            ? base.Discover(discoveryOptions, testMethod, theoryAttribute)
            : [new MissingDatabaseTestCase(DiagnosticMessageSink, testMethod)];
}

public sealed class MissingDatabaseTestCase : XunitTestCase
{
    [Obsolete("For deserialisation only.")]
    public MissingDatabaseTestCase()
    {
    }

    public MissingDatabaseTestCase(IMessageSink messages, ITestMethod method)
        : base(messages, TestMethodDisplay.ClassAndMethod, TestMethodDisplayOptions.None, method)
    {
    }

    public static string? ReasonOf(ITestMethod method)
    {
        var type = method.TestClass.Class.ToRuntimeType();
        return (typeof(IOnRabbit).IsAssignableFrom(type) ? RabbitServer.Missing : null)
            ?? (typeof(IOnPostgres).IsAssignableFrom(type) ? PostgresServer.Missing : null)
            ?? (typeof(IOnPgvector).IsAssignableFrom(type) ? PgvectorServer.Missing : null)
            ?? (typeof(IOnRedis).IsAssignableFrom(type) ? RedisServer.Missing : null);
    }

    protected override string GetSkipReason(IAttributeInfo factAttribute) => ReasonOf(TestMethod) ?? "";
}
