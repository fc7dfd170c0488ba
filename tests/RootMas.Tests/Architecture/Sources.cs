using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>A source file, parsed. The path is relative to the repository, with forward slashes.</summary>
public sealed record SourceFile(string Path, SyntaxTree Tree)
{
    public SyntaxNode Root { get; } = Tree.GetRoot();

    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The folder under <c>src/RootMas.Server</c>, or empty.</summary>
    public string Slice => Path.StartsWith(Sources.Server, StringComparison.Ordinal) && Path[Sources.Server.Length..].Split('/') is [var slice, _, ..] ? slice : "";

    public int LinesOf(SyntaxNode node)
    {
        var span = Tree.GetLineSpan(node.Span);
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }

    public string At(SyntaxNode node) => $"{Path}:{Tree.GetLineSpan(node.Span).StartLinePosition.Line + 1}";
}

/// <summary>The product's sources, parsed once; and compiled as far as names need it.</summary>
public static class Sources
{
    public const string Server = "src/RootMas.Server/";

    private const string ImplicitUsings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http; global using System.Net.Http.Json;
        global using System.Threading; global using System.Threading.Tasks; global using Microsoft.AspNetCore.Builder; global using Microsoft.AspNetCore.Hosting; global using Microsoft.AspNetCore.Http;
        global using Microsoft.AspNetCore.Routing; global using Microsoft.Extensions.Configuration; global using Microsoft.Extensions.DependencyInjection; global using Microsoft.Extensions.Hosting; global using Microsoft.Extensions.Logging;
        """;

    private static readonly CSharpParseOptions Options = new(LanguageVersion.Preview);

    public static IReadOnlyList<SourceFile> Product { get; } = Read("src");

    public static IReadOnlyList<SourceFile> All { get; } = [.. Product, .. Read("tests"), .. Read("bench")];

    /// <summary>Names resolve; what source generators would add is missing, which no rule needs.</summary>
    public static CSharpCompilation Compilation { get; } = CSharpCompilation.Create(
        "names",
        Product.Select(f => f.Tree).Append(CSharpSyntaxTree.ParseText(ImplicitUsings, Options)),
        References(),
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));

    public static IReadOnlyList<SourceFile> Parse(string path, string code) => [new SourceFile(path, CSharpSyntaxTree.ParseText(code, Options, path))];

    private static List<SourceFile> Read(string folder) =>
    [
        .. from path in Directory.EnumerateFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories)
           let relative = Path.GetRelativePath(Repository.Root, path).Replace('\\', '/')
           where !relative.Contains("/obj/", StringComparison.Ordinal) && !relative.Contains("/bin/", StringComparison.Ordinal)
           orderby relative
           select new SourceFile(relative, CSharpSyntaxTree.ParseText(File.ReadAllText(path), Options, path)),
    ];

    private static IEnumerable<MetadataReference> References()
    {
        var own = new HashSet<string>(StringComparer.Ordinal) { "rootmas.dll", "RootMas.Runtime.dll", "RootMas.Tests.dll" };
        var trusted = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        return trusted.Where(p => p.EndsWith(".dll", StringComparison.Ordinal) && !own.Contains(Path.GetFileName(p))).Select(p => MetadataReference.CreateFromFile(p));
    }
}
