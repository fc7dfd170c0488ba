using System.Reflection;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>Every store is tested on both databases.</summary>
public sealed class StoreCoverageTests
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [Fact]
    public void Every_store_has_tests_that_run_on_SQLite_and_on_PostgreSQL()
    {
        var stores = typeof(IDatabase).Assembly.GetTypes().Where(IsStore).ToHashSet();
        Assert.True(stores.Count >= 20, $"only {stores.Count} stores were found");
        var covering = typeof(StoreCoverageTests).Assembly.GetTypes().Where(static t => t.GetCustomAttribute<CoversAttribute>(inherit: false) is not null).ToList();
        Assert.All(covering, static t => Assert.True(RunsOnBoth(t), $"{t.Name} names stores, and does not run on both databases: derive it from OnDatabase, and one sealed class per database from it."));
        var covered = covering.SelectMany(static t => t.GetCustomAttribute<CoversAttribute>(inherit: false)!.Stores).ToHashSet();
        Assert.Empty(covered.Except(stores).Select(static t => $"{t.Name} is no store"));
        Assert.Empty(stores.Except(covered).Select(static t => $"{t.Name} has no tests on both databases: derive some from OnDatabase and name it there with [Covers]."));
    }

    /// <summary>What is called a store and is given the database, or a session of it.</summary>
    private static bool IsStore(Type type) =>
        type is { IsClass: true, IsAbstract: false, IsNested: false } && type.Name.EndsWith("Store", StringComparison.Ordinal)
        && type.GetConstructors(Declared).Cast<MethodBase>().Concat(type.GetMethods(Declared)).SelectMany(static m => m.GetParameters())
            .Any(static p => p.ParameterType == typeof(IDatabase) || p.ParameterType == typeof(DbSession));

    private static bool RunsOnBoth(Type tests)
    {
        var classes = tests.Assembly.GetTypes().Where(t => t.IsSealed && tests.IsAssignableFrom(t)).ToList();
        return typeof(OnDatabase).IsAssignableFrom(tests) && tests.IsAbstract
            && classes.Exists(static t => typeof(IOnPostgres).IsAssignableFrom(t)) && classes.Exists(static t => !typeof(IOnPostgres).IsAssignableFrom(t));
    }
}
