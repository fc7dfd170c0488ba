using System.Globalization;
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

    /// <exception cref="ExtractionException">It becomes longer than <paramref name="maxCharacters"/>: names of columns are repeated in each row, so a short file can become a very long text.</exception>
    public static string Read(string text, int maxCharacters)
    {
        var separator = SeparatorOf(text);
        var result = new StringBuilder(Math.Min(text.Length * 2, maxCharacters));
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
                result.Append(i > 0 ? "; " : "").Append(i < head.Count && head[i].Length > 0 ? head[i] : "column " + (i + 1).ToString(CultureInfo.InvariantCulture)).Append(": ").Append(row[i]);
                if (result.Length > maxCharacters)
                {
                    throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The table becomes more than {maxCharacters} characters of text, because each row is written with the names of its columns."));
                }
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

    /// <summary>Rows in which something stands.</summary>
    private static IEnumerable<List<string>> Rows(string text, char separator)
    {
        var reader = new RowReader(text, separator);
        while (reader.Next() is { } row)
        {
            if (row.Exists(static c => c.Length > 0))
            {
                yield return row;
            }
        }
    }

    private sealed class RowReader(string text, char separator)
    {
        private readonly StringBuilder _cell = new();
        private int _at;

        /// <summary>Null: the text is over.</summary>
        public List<string>? Next()
        {
            var row = new List<string>();
            while (_at < text.Length)
            {
                var c = text[_at];
                if (c == '"' && _cell.Length == 0)
                {
                    ReadQuoted();
                    continue;
                }

                _at++;
                if (c == '\n' || c == separator)
                {
                    row.Add(Taken());
                }
                else
                {
                    _cell.Append(c);
                }

                if (c == '\n')
                {
                    return row;
                }
            }

            if (_cell.Length > 0 || row.Count > 0)
            {
                row.Add(Taken());
            }

            return row.Count > 0 ? row : null;
        }

        /// <summary>Up to the closing quotation mark; a doubled one stands for itself, and a line's end for a space.</summary>
        private void ReadQuoted()
        {
            for (_at++; _at < text.Length; _at++)
            {
                if (text[_at] == '"' && (_at + 1 >= text.Length || text[_at + 1] != '"'))
                {
                    _at++;
                    return;
                }

                _at += text[_at] == '"' ? 1 : 0;
                _cell.Append(text[_at] == '\n' ? ' ' : text[_at]);
            }
        }

        private string Taken()
        {
            var value = _cell.ToString().Trim();
            _cell.Clear();
            return value;
        }
    }
}
