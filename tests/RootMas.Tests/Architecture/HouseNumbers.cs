using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RootMas.Tests.Architecture;

/// <summary>The numbers of DESIGN §3 and how they are measured. Each rule gives one line per offence.</summary>
internal static class HouseNumbers
{
    private const int MaxFileLines = 400;
    private const int MaxMethodLines = 60;
    private const int MaxComplexity = 12;
    private const int MaxConstructorParameters = 6;

    public static IEnumerable<string> LongFiles(IEnumerable<SourceFile> files) =>
        from file in files
        let lines = file.Tree.GetText().Lines.Count - 1
        where lines > MaxFileLines
        select $"{file.Path}: {lines} lines; at most {MaxFileLines}";

    public static IEnumerable<string> LongMethods(IEnumerable<SourceFile> files) =>
        from file in files
        from member in Members(file)
        let lines = file.LinesOf(member)
        where lines > MaxMethodLines
        select $"{file.At(member)}: {NameOf(member)} has {lines} lines; at most {MaxMethodLines}";

    public static IEnumerable<string> ComplexMethods(IEnumerable<SourceFile> files) =>
        from file in files
        from member in Members(file)
        let complexity = ComplexityOf(member)
        where complexity > MaxComplexity
        select $"{file.At(member)}: {NameOf(member)} has complexity {complexity}; at most {MaxComplexity}";

    /// <summary>Records carry data, and may have as many parts as the data has.</summary>
    public static IEnumerable<string> LongConstructors(IEnumerable<SourceFile> files) =>
        from file in files
        from node in file.Root.DescendantNodes()
        let parameters = node switch
        {
            ConstructorDeclarationSyntax constructor => constructor.ParameterList,
            ClassDeclarationSyntax type => type.ParameterList,
            _ => null,
        }
        where parameters is { Parameters.Count: > MaxConstructorParameters }
        select $"{file.At(node)}: {parameters.Parameters.Count} constructor parameters; at most {MaxConstructorParameters}";

    /// <summary>Of a class in several parts, one has to say it.</summary>
    public static IEnumerable<string> OpenClasses(IEnumerable<SourceFile> files) =>
        from file in files
        from type in file.Root.DescendantNodes().OfType<TypeDeclarationSyntax>()
        where type is ClassDeclarationSyntax or RecordDeclarationSyntax { ClassOrStructKeyword.RawKind: not (int)SyntaxKind.StructKeyword }
        group (File: file, Type: type) by type.Modifiers.Any(m => m.RawKind is (int)SyntaxKind.PartialKeyword) ? FullNameOf(type) : file.At(type) into parts
        where !parts.Any(p => p.Type.Modifiers.Any(m => m.RawKind is (int)SyntaxKind.SealedKeyword or (int)SyntaxKind.StaticKeyword or (int)SyntaxKind.AbstractKeyword))
        let first = parts.First()
        select $"{first.File.At(first.Type)}: {first.Type.Identifier} is neither sealed, static nor abstract";

    /// <summary>
    /// One, plus one for each place where the way forks. A switch counts once, however many plain cases it has: a table of what to do for which kind is easy to read; its guards (<c>when</c>) count each.
    /// A local function or lambda is measured with the member it stands in.
    /// </summary>
    public static int ComplexityOf(SyntaxNode member) => 1 + member.DescendantNodes().Count(node => node.RawKind switch
    {
        (int)SyntaxKind.IfStatement or (int)SyntaxKind.ForStatement or (int)SyntaxKind.ForEachStatement or (int)SyntaxKind.ForEachVariableStatement => true,
        (int)SyntaxKind.WhileStatement or (int)SyntaxKind.DoStatement or (int)SyntaxKind.CatchClause or (int)SyntaxKind.ConditionalExpression => true,
        (int)SyntaxKind.LogicalAndExpression or (int)SyntaxKind.LogicalOrExpression or (int)SyntaxKind.WhenClause => true,
        (int)SyntaxKind.SwitchStatement or (int)SyntaxKind.SwitchExpression => true,
        _ => false,
    });

    private static IEnumerable<SyntaxNode> Members(SourceFile file) =>
        file.Root.DescendantNodes().Where(n => n is BaseMethodDeclarationSyntax or AccessorDeclarationSyntax { Body: not null } or AccessorDeclarationSyntax { ExpressionBody: not null } or PropertyDeclarationSyntax { ExpressionBody: not null });

    private static string FullNameOf(TypeDeclarationSyntax type) => string.Join('.', type.AncestorsAndSelf().Reverse().Select(static node => node switch
    {
        BaseNamespaceDeclarationSyntax space => space.Name.ToString(),
        TypeDeclarationSyntax outer => $"{outer.Identifier.Text}`{outer.Arity}",
        _ => "",
    }));

    private static string NameOf(SyntaxNode member) => member switch
    {
        MethodDeclarationSyntax method => method.Identifier.Text,
        ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
        PropertyDeclarationSyntax property => property.Identifier.Text,
        _ => member.Kind().ToString(),
    };
}
