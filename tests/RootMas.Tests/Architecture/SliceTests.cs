using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>Who may name whom, and where things have their place.</summary>
public sealed partial class SliceTests
{
    /// <summary>A slice may name those to its left. Cli starts everything, so it may name everything.</summary>
    private static readonly string[] Order =
        ["Platform", "Identity", "Backups", "Models", "Knowledge", "Tools", "Agents", "Runs", "Chat", "Learning", "Registry", "Schedules", "Channels", "Federation", "Cli"];

    [Fact]
    public void Slices_name_only_slices_to_their_left()
    {
        var offences = new List<string>();
        foreach (var file in Sources.Product.Where(f => f.Slice.Length > 0))
        {
            var own = Array.IndexOf(Order, file.Slice);
            var model = Sources.Compilation.GetSemanticModel(file.Tree);
            offences.AddRange(file.Root.DescendantNodes().OfType<SimpleNameSyntax>()
                .Select(name => (Name: name, Slice: SliceOf(model.GetSymbolInfo(name).Symbol)))
                .Where(n => n.Slice is not null && Array.IndexOf(Order, n.Slice) > own)
                .Select(n => $"{file.At(n.Name)}: {file.Slice} names {n.Slice} ({n.Name})"));
        }

        Assert.True(offences.Count == 0, string.Join('\n', offences.Distinct()));
    }

    [Fact]
    public void Names_of_slices_resolve_so_that_the_rule_can_see()
    {
        var file = Sources.Product.Single(f => f.Path == Sources.Server + "Identity/Access/AccessMiddleware.cs");
        var model = Sources.Compilation.GetSemanticModel(file.Tree);
        Assert.Contains(file.Root.DescendantNodes().OfType<SimpleNameSyntax>(), n => SliceOf(model.GetSymbolInfo(n).Symbol) == "Platform");
    }

    [Fact]
    public void Every_slice_stands_in_the_order() =>
        Assert.Empty(Sources.Product.Select(f => f.Slice).Where(s => s.Length > 0).Distinct().Except(Order));

    [Fact]
    public void The_runtime_knows_no_server()
    {
        var project = File.ReadAllText(Repository.PathOf("src/RootMas.Runtime/RootMas.Runtime.csproj"));
        Assert.DoesNotContain("FrameworkReference", project, StringComparison.Ordinal);
        Assert.DoesNotContain("ProjectReference", project, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_are_named_after_what_they_hold()
    {
        string[] forbidden = ["Services", "Models", "Interfaces", "Helpers", "Utils", "Common"];
        var offences = Sources.Product.Where(f => f.Path.Split('/').Skip(3).SkipLast(1).Any(forbidden.Contains)).Select(f => f.Path);
        Assert.Empty(offences);
    }

    [Fact]
    public void Namespaces_follow_folders()
    {
        var offences = from file in Sources.Product
                       let expected = string.Join('.', file.Path.Split('/')[1..^1])
                       let actual = file.Root.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>().FirstOrDefault()?.Name.ToString()
                       where actual is not null && actual != expected
                       select $"{file.Path}: {actual}, expected {expected}";
        Assert.Empty(offences);
    }

    [Fact]
    public void Routes_name_no_sql_no_model_and_no_journal()
    {
        string[] forbidden = ["IChatClient", "IRunJournal", "IDatabase", "DbSession", "DbConnection", "Dapper"];
        var offences = new List<string>();
        foreach (var file in Sources.Product.Where(f => f.Name.EndsWith("Api.cs", StringComparison.Ordinal)))
        {
            offences.AddRange(file.Root.DescendantNodes().OfType<SimpleNameSyntax>().Where(n => forbidden.Contains(n.Identifier.Text)).Select(n => $"{file.At(n)}: names {n}"));
            offences.AddRange(file.Root.DescendantTokens().Where(t => t.IsKind(SyntaxKind.StringLiteralToken) && Sql().IsMatch(t.ValueText)).Select(t => $"{file.Path}: SQL in a route: {t.ValueText}"));
        }

        Assert.True(offences.Count == 0, string.Join('\n', offences));
    }

    [Fact]
    public void Runs_are_started_only_through_the_chat_service_and_it_uses_only_the_message_processor()
    {
        // The chat service's own files may; the line that registers it may; nobody else.
        var offences = from file in Sources.Product
                       where file.Slice is not ("Runs" or "") && !Implements(file, "IChatService") && !file.Name.EndsWith("Slice.cs", StringComparison.Ordinal)
                       from name in file.Root.DescendantNodes().OfType<SimpleNameSyntax>()
                       where name.Identifier.Text is "IMessageProcessor" or "RunEngine" or "IRunJournal"
                       select $"{file.At(name)}: names {name}; go through IChatService";
        Assert.True(!offences.Any(), string.Join('\n', offences));
    }

    [Fact]
    public void Routes_of_runs_stand_on_the_message_processor_and_name_nothing_behind_it()
    {
        // What it is made of itself, and what those are made of.
        var processor = Sources.Product.Single(f => Implements(f, "IMessageProcessor"));
        var parts = processor.Root.DescendantNodes().OfType<ClassDeclarationSyntax>().Single().ParameterList!.Parameters.Select(p => p.Type!.ToString()).Where(t => t.StartsWith("Run", StringComparison.Ordinal)).ToList();
        Assert.Contains("RunStarter", parts);
        string[] behind = [.. parts, "RunStore", "IRunJournal", "RunEngine", "RunExecutor", "RunWorker", "RunInbox", "RunQueue"];
        var routes = Sources.Product.Where(f => f.Slice == "Runs" && f.Name.EndsWith("Api.cs", StringComparison.Ordinal)).ToList();
        var offences = from file in routes
                       from name in file.Root.DescendantNodes().OfType<SimpleNameSyntax>()
                       where behind.Contains(name.Identifier.Text)
                       select $"{file.At(name)}: names {name}; go through IMessageProcessor";
        Assert.True(!offences.Any(), string.Join('\n', offences));
        foreach (var api in (string[])["RunsApi.cs", "RunSharingApi.cs"])
        {
            Assert.Contains(routes.Single(f => f.Name == api).Root.DescendantNodes().OfType<SimpleNameSyntax>(), static n => n.Identifier.Text == "IMessageProcessor");
        }
    }

    [Fact]
    public void The_two_seams_have_one_real_implementation_each()
    {
        foreach (var seam in (string[])["IMessageProcessor", "IChatService"])
        {
            Assert.Single(Sources.Product.Where(f => Implements(f, seam)).Select(f => f.Path));
        }
    }

    [Fact]
    public void The_environment_is_read_in_one_place()
    {
        var offences = from file in Sources.Product
                       where file.Path != Sources.Server + "Platform/Settings/Variables.cs"
                       from name in file.Root.DescendantNodes().OfType<SimpleNameSyntax>()
                       where name.Identifier.Text is "GetEnvironmentVariable" or "GetEnvironmentVariables" or "ExpandEnvironmentVariables"
                       select file.At(name);
        Assert.Empty(offences);
    }

    [Fact]
    public void The_program_is_a_table_of_contents()
    {
        var program = Sources.Product.Single(f => f.Path == Sources.Server + "Program.cs");
        Assert.InRange(program.Tree.GetText().Lines.Count - 1, 1, 59); // DESIGN §3: under 60
        Assert.DoesNotContain(program.Root.DescendantNodes(), n => n is LambdaExpressionSyntax or IfStatementSyntax or ConditionalExpressionSyntax or SwitchExpressionSyntax);
    }

    [Fact]
    public async Task Request_records_are_public_so_that_they_are_validated_and_described()
    {
        await using var app = await TestApp.StartAsync();
        var hidden = ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Select(e => e.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType)
            .Where(t => t is { IsVisible: false })
            .Select(t => t!.FullName);
        Assert.Empty(hidden);
    }

    private static bool Implements(SourceFile file, string seam) =>
        file.Root.DescendantNodes().OfType<ClassDeclarationSyntax>().Any(c => c.BaseList?.Types.Any(t => t.Type.ToString() == seam) == true);

    private static string? SliceOf(ISymbol? symbol)
    {
        var type = symbol as INamedTypeSymbol ?? symbol?.ContainingType;
        return type?.ContainingNamespace.ToDisplayString().Split('.') is ["RootMas", "Server", var slice, ..] ? slice : null;
    }

    [GeneratedRegex(@"\b(select\s.+\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from)\b", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Sql();
}
