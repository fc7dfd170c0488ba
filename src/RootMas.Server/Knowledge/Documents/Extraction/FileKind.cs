using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>
/// What a file is, by its content. Names and declared types only choose between kinds of text, so a file that pretends to be something else is read as what it is, and one that is two things at once as the one it begins with.
/// </summary>
internal static partial class FileKind
{
    private const int Looked = 8_192;

    /// <summary>Every kind that can be read.</summary>
    public static readonly IReadOnlyList<string> All = ["text", "markdown", "html", "csv", "json", "code", "docx", "pdf"];

    private static readonly HashSet<string> CodeEndings = new(StringComparer.OrdinalIgnoreCase)
    {
        ".c", ".cc", ".cpp", ".cs", ".css", ".fs", ".go", ".h", ".hpp", ".java", ".js", ".jsx", ".kt", ".lua", ".php", ".pl", ".ps1", ".py", ".r", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".toml", ".ts", ".tsx", ".vb", ".xml", ".yaml", ".yml",
    };

    /// <summary>docx, pdf, text (see <see cref="OfText"/>), or null: something that is not read.</summary>
    public static string? OfBytes(byte[] content)
    {
        ArgumentNullException.ThrowIfNull(content);
        var start = content.AsSpan();
        if (start.StartsWith("%PDF-"u8))
        {
            return "pdf";
        }

        if (start.StartsWith("PK\u0003\u0004"u8))
        {
            return "docx"; // whether it is one, its reader finds out
        }

        var isWide = start.StartsWith(new byte[] { 0xFF, 0xFE }) || start.StartsWith(new byte[] { 0xFE, 0xFF });
        return isWide || !start[..Math.Min(Looked, start.Length)].ContainsAnyInRange((byte)0, (byte)8) ? "text" : null;
    }

    /// <summary>Which kind of text: what it looks like, and where that leaves it open, its name.</summary>
    public static string OfText(string text, string name)
    {
        ArgumentNullException.ThrowIfNull(text);
        var start = text.AsSpan(0, Math.Min(Looked, text.Length)).TrimStart();
        if (start.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase) || start.StartsWith("<html", StringComparison.OrdinalIgnoreCase))
        {
            return "html";
        }

        if (start is ['{' or '[', ..] && IsJson(text))
        {
            return "json";
        }

        var ending = Path.GetExtension(name);
        if (ending is { Length: > 0 } && CodeEndings.Contains(ending))
        {
            return "code";
        }

        return ending.ToLower(CultureInfo.InvariantCulture) switch
        {
            ".md" or ".markdown" => "markdown",
            ".htm" or ".html" when HtmlTag().IsMatch(start) => "html",
            ".csv" or ".tsv" when CsvReader.IsTable(text) => "csv",
            _ => start.StartsWith("#!") ? "code" : Heading().IsMatch(start) ? "markdown" : "text",
        };
    }

    /// <summary>Bytes as text, without what people cannot see.</summary>
    /// <exception cref="ExtractionException">There is nothing in it, or too much.</exception>
    public static string Decode(byte[] content, int maxCharacters)
    {
        var text = WebText.Clean(WebText.Decode(content, type: null).ReplaceLineEndings("\n"));
        return text.Length <= maxCharacters ? text
            : throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The file has {text.Length} characters of text; {maxCharacters} are read at most."));
    }

    private static bool IsJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 64 });
            return true;
        }
        catch (JsonException)
        {
            return false; // text that begins with a brace
        }
    }

    [GeneratedRegex(@"^\#{1,6} \S", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Heading();

    [GeneratedRegex(@"</?[a-z][a-z0-9]*[\s>/]", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex HtmlTag();
}
