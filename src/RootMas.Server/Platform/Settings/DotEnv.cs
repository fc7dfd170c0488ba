namespace RootMas.Server.Platform.Settings;

/// <summary>
/// The lines of a <c>.env</c> file: <c>NAME=value</c>, with <c>export</c> before it or not. A <c>#</c> after white space begins a comment, unless it stands within quotes; of a value in quotes counts what is between them,
/// letter by letter. A value ends with its line.
/// </summary>
internal static class DotEnv
{
    /// <param name="problems">Gets a line for each thing that is not understood. Values are never in it.</param>
    public static IEnumerable<(string Name, string Value)> Read(IReadOnlyList<string> lines, ICollection<string> problems)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            line = line.StartsWith("export ", StringComparison.Ordinal) ? line[7..] : line;
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1)
            {
                problems.Add($".env line {i + 1}: expected NAME=value");
                continue;
            }

            var name = line[..equals].Trim();
            if (ValueOf(line[(equals + 1)..]) is { } value)
            {
                yield return (name, value);
                continue;
            }

            var end = EndOf(lines, i, line[(equals + 1)..].TrimStart()[0]);
            problems.Add($".env line {i + 1}: the quote before the value of {name} is not closed on its line, and values over several lines are not read{(end > i ? $" (here to line {end + 1})" : "")}. Close it, or put the value into a file and name that: {name}_FILE");
            i = end;
        }
    }

    /// <summary>As <see cref="Read"/> reads it; null: it would be read as something else, however it is quoted.</summary>
    public static string? Quoted(string value) =>
        value.AsSpan().IndexOfAny('\n', '\r') >= 0 ? null : new[] { value, $"\"{value}\"", $"'{value}'" }.FirstOrDefault(text => ValueOf(text) == value);

    /// <summary>Null: it begins with a quote that the line does not close.</summary>
    private static string? ValueOf(string text)
    {
        if (text.Trim() is ['"' or '\'', ..] quoted)
        {
            var end = Closing(quoted, quoted[0], 1);
            return end < 0 ? null : quoted[1..end];
        }

        for (var at = 1; at < text.Length; at++)
        {
            if (text[at] == '#' && char.IsWhiteSpace(text[at - 1]))
            {
                return text[..at].Trim();
            }
        }

        return text.Trim();
    }

    /// <summary>Where the quote is that ends the value: the first one after which there is nothing, or a comment.</summary>
    private static int Closing(string text, char quote, int from)
    {
        for (var at = text.IndexOf(quote, from); at >= 0; at = text.IndexOf(quote, at + 1))
        {
            var rest = text.AsSpan(at + 1);
            if (rest.IsWhiteSpace() || (char.IsWhiteSpace(rest[0]) && rest.TrimStart()[0] == '#'))
            {
                return at;
            }
        }

        return -1;
    }

    /// <summary>The line that closes the quote, so that what is between is not taken for variables; the first one itself: none does.</summary>
    private static int EndOf(IReadOnlyList<string> lines, int first, char quote)
    {
        for (var i = first + 1; i < lines.Count; i++)
        {
            if (Closing(lines[i], quote, 0) >= 0)
            {
                return i;
            }
        }

        return first;
    }
}
