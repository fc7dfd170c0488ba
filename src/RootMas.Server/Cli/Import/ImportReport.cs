using System.Text.Json.Serialization;

namespace RootMas.Server.Cli.Import;

/// <summary>What became of one thing that was read.</summary>
/// <param name="Source">File and key.</param>
/// <param name="Outcome"><c>taken</c>; <c>changed</c>: taken, but not as it was; <c>kept</c>: put aside as it is, for a part that does not exist yet; <c>left</c>: not taken, and why.</param>
/// <param name="Text">One line for people. Never a secret.</param>
internal sealed record ImportLine(
    [property: JsonPropertyName("source")] string Source,
    [property: JsonPropertyName("outcome")] string Outcome,
    [property: JsonPropertyName("text")] string Text);

/// <summary>Every key that was read ends here exactly once or more: nothing is dropped without a word.</summary>
internal sealed class ImportReport
{
    private const int LongestText = 200;
    private readonly List<ImportLine> _lines = [];

    public IReadOnlyList<ImportLine> Lines => _lines;

    public void Taken(string source, string text) => Add(source, "taken", text);

    public void Changed(string source, string text) => Add(source, "changed", text);

    public void Kept(string source, string text) => Add(source, "kept", text);

    public void Left(string source, string text) => Add(source, "left", text);

    /// <summary>What was taken, and a start still refuses: in the server's own words, all of them.</summary>
    public void Refused(string source, string problem) => _lines.Add(new(source, "changed", $"a start refuses what was taken over, until you change it: {problem}"));

    private void Add(string source, string outcome, string text) => _lines.Add(new(source, outcome, text.Length > LongestText ? text[..LongestText] + "…" : text));
}
