using System.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>Tables as text (RFC 4180; also with semicolons or tabs): a row is a line of <c>column: value</c>, so that a row that is found says what its values mean.</summary>
internal static class CsvReader
{
    private static readonly char[] Separators = [',', ';', '\t'];

    /// <summary>Two rows or more, of which the first five have the same number of columns, at least two.</summary>
    public static bool IsTable(string text)
    {
        var separator = SeparatorOf(text);
        var widths = Rows(text, separator).Take(5).Select(static r => r.Count).ToList();
        return widths.Count >= 2 && widths[0] >= 2 && widths.TrueForAll(w => w == widths[0]);
    }

    public static string Read(string text)
    {
        var separator = SeparatorOf(text);
        var result = new StringBuilder(text.Length * 2);
        List<string>? head = null;
        foreach (var row in Rows(text, separator))
        {
            if (head is null)
            {
                head = row;
                result.AppendJoin(" | ", head).Append("\n\n");
                continue;
            }

            for (var i = 0; i < row.Count; i++)
            {
                result.Append(i > 0 ? "; " : "").Append(i < head.Count && head[i].Length > 0 ? head[i] : "column " + (i + 1).ToString(System.Globalization.CultureInfo.InvariantCulture)).Append(": ").Append(row[i]);
            }

            result.Append('\n');
        }

        return result.ToString();
    }

    private static char SeparatorOf(string text)
    {
        var end = text.IndexOf('\n', StringComparison.Ordinal);
        var first = end < 0 ? text : text[..end];
        return Separators.MaxBy(s => first.Count(c => c == s));
    }

    private static IEnumerable<List<string>> Rows(string text, char separator)
    {
        var row = new List<string>();
        var cell = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '"' && cell.Length == 0)
            {
                i = Quoted(text, i + 1, cell);
            }
            else if (c == separator || c == '\n')
            {
                row.Add(cell.ToString().Trim());
                cell.Clear();
                if (c == '\n' && Taken(ref row) is { } whole)
                {
                    yield return whole;
                }
            }
            else
            {
                cell.Append(c);
            }
        }

        row.Add(cell.ToString().Trim());
        if (Taken(ref row) is { } last)
        {
            yield return last;
        }
    }

    /// <summary>Reads what stands between quotation marks; a doubled one is one. The place of the closing one, or the end of the text.</summary>
    private static int Quoted(string text, int from, StringBuilder cell)
    {
        for (var i = from; i < text.Length; i++)
        {
            if (text[i] != '"')
            {
                cell.Append(text[i] == '\n' ? ' ' : text[i]);
            }
            else if (i + 1 < text.Length && text[i + 1] == '"')
            {
                cell.Append(text[++i]);
            }
            else
            {
                return i;
            }
        }

        return text.Length;
    }

    /// <summary>The row, unless there is nothing in it; the next one begins.</summary>
    private static List<string>? Taken(ref List<string> row)
    {
        var whole = row;
        row = [];
        return whole.Exists(static c => c.Length > 0) ? whole : null;
    }
}
