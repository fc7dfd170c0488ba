using System.Xml;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>Formulas of a Word file (ECMA-376 part 1, §22.1) on one line, with signs for what else would run together: (1)/(2), x^(2), a_(i), √(x), 1 2; 3 4.</summary>
internal sealed class DocxFormulas(DocxText text)
{
    private const string Formula = "http://schemas.openxmlformats.org/officeDocument/2006/math";
    private const string StrictFormula = "http://purl.oclc.org/ooxml/officeDocument/math";

    /// <summary>Those that are open, the innermost on top.</summary>
    private readonly Stack<Part> _open = [];

    public static bool Has(string space) => space is Formula or StrictFormula;

    public void Read(XmlReader reader, bool begins)
    {
        if (!begins)
        {
            text.Append(_open.TryPop(out var ended) ? Closing(ended) : "");
            return;
        }

        _open.TryPeek(out var parent);
        var part = new Part(reader.LocalName, parent);
        if (!reader.IsEmptyElement)
        {
            text.Append(Opening(part));
            _open.Push(part);
        }
        else if (part is { Name: "chr" or "begChr" or "endChr" or "sepChr", Parent.Parent: { } holder })
        {
            holder.Signs[part.Name] = reader.GetAttribute("val", reader.NamespaceURI) ?? "";
        }
        else if (part.Name == "naryPr")
        {
            text.Append(Closing(part));
        }
    }

    private static string Opening(Part part) => part switch
    {
        { Name: "num" or "den" or "deg" } => "(",
        { Name: "sup" } => "^(",
        { Name: "sub" or "lim" } => "_(",
        { Name: "rad" } => "√",
        { Name: "e", Parent.Name: "rad" } => "(",
        { Name: "e", Parent.Name: "func" } => " ",
        { Name: "e", Parent: { Name: "d" } brackets } => brackets.Parts++ == 0 ? brackets.Sign("begChr", "(") : brackets.Sign("sepChr", "|"),
        { Name: "e", Parent: { Name: "mr" } row } => row.Parts++ == 0 ? "" : " ",
        { Name: "mr", Parent: { } matrix } => matrix.Parts++ == 0 ? "" : "; ",
        { Name: "e", Parent: { Name: "eqArr" } equations } => equations.Parts++ == 0 ? "" : "; ",
        _ => "",
    };

    private static string Closing(Part part) => part switch
    {
        { Name: "num" } => ")/",
        { Name: "den" or "deg" or "sup" or "sub" or "lim" } => ")",
        { Name: "e", Parent.Name: "rad" } => ")",
        { Name: "d", Parts: > 0 } => part.Sign("endChr", ")"),
        { Name: "naryPr", Parent: { } sum } => sum.Sign("chr", "∫"),
        _ => "",
    };

    /// <summary>An element.</summary>
    private sealed class Part(string name, Part? parent)
    {
        public string Name => name;

        public Part? Parent => parent;

        /// <summary>Parts that have begun.</summary>
        public int Parts { get; set; }

        /// <summary>What its properties say it is written with.</summary>
        public Dictionary<string, string> Signs => field ??= new(StringComparer.Ordinal);

        public string Sign(string sign, string usual) => Signs.GetValueOrDefault(sign, usual);
    }
}
