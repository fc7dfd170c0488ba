using System.Reflection;
using Microsoft.CodeAnalysis.CSharp.Syntax;
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

    /// <summary>Initializers run before the class has said which database its tests are of: one that is made there is always the embedded one.</summary>
    [Fact]
    public void No_test_on_both_databases_makes_its_database_before_it_says_which()
    {
        var early = from file in Sources.All
                    from type in file.Root.DescendantNodes().OfType<ClassDeclarationSyntax>()
                    where type.BaseList?.Types.Any(static t => t.Type is IdentifierNameSyntax { Identifier.Text: nameof(OnDatabase) } || t is PrimaryConstructorBaseTypeSyntax { Type: IdentifierNameSyntax { Identifier.Text: nameof(OnDatabase) } }) == true
                    from member in type.Members
                    where member is FieldDeclarationSyntax { Declaration: { Type: IdentifierNameSyntax { Identifier.Text: nameof(TestDatabase) } } field } && field.Variables.Any(IsMade)
                        || member is PropertyDeclarationSyntax { Type: IdentifierNameSyntax { Identifier.Text: nameof(TestDatabase) }, Initializer.Value: BaseObjectCreationExpressionSyntax or InvocationExpressionSyntax }
                    select file.At(member);
        Assert.Empty(early);

        static bool IsMade(VariableDeclaratorSyntax variable) => variable.Initializer?.Value is BaseObjectCreationExpressionSyntax or InvocationExpressionSyntax;
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
