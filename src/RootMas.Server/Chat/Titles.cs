namespace RootMas.Server.Chat;

/// <summary>A conversation's title from its first message.</summary>
internal static class Titles
{
    private const int Longest = 80;

    /// <summary>The first line that says something, cut at a word, with spaces for control characters.</summary>
    public static string From(string message)
    {
        var line = "";
        foreach (var candidate in message.AsSpan().EnumerateLines())
        {
            if (!candidate.IsWhiteSpace())
            {
                line = candidate.Trim()[..Math.Min(candidate.Trim().Length, Longest + 1)].ToString();
                break;
            }
        }

        line = string.Create(line.Length, line, static (to, from) =>
        {
            for (var i = 0; i < from.Length; i++)
            {
                to[i] = char.IsControl(from[i]) ? ' ' : from[i];
            }
        });
        return line.Length <= Longest ? line : Cut(line);
    }

    private static string Cut(string line)
    {
        var end = line.LastIndexOf(' ', Longest - 2);
        end = end < Longest / 2 ? Longest - 1 : end;
        end -= char.IsHighSurrogate(line[end - 1]) ? 1 : 0;
        return string.Concat(line.AsSpan(0, end).TrimEnd(), "…");
    }
}
