using System.Text;
using System.Text.Json;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// Reads questions whose meaning is known: lines of text and label, or pairs of questions with whether they mean the same. Pairs that do are joined, over several pairs too; each text is then one question with its group as label.
/// CSV (RFC 4180, with a header), TSV, or JSON lines.
/// </summary>
public static class LabelledFile
{
    private static readonly string[] TextNames = ["text", "question", "query", "prompt"];
    private static readonly string[] LabelNames = ["category", "label", "intent", "id_set", "group"];
    private static readonly string[] FirstNames = ["a", "question1", "text1", "first", "sentence1"];
    private static readonly string[] SecondNames = ["b", "question2", "text2", "second", "sentence2"];
    private static readonly string[] SameNames = ["same", "is_duplicate", "label", "equal"];

    /// <exception cref="InvalidDataException">What is wrong, and on which line.</exception>
    public static IReadOnlyList<LabelledQuestion> Parse(string name, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var isJson = name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".ndjson", StringComparison.OrdinalIgnoreCase) || text.TrimStart().StartsWith('{');
        var rows = isJson ? JsonRows(text) : Table(text, name.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : ',');
        if (rows.Count == 0)
        {
            throw new InvalidDataException("The file has no questions.");
        }

        var names = rows[0].Keys.ToList();
        return Pick(names, FirstNames) is { } first && Pick(names, SecondNames) is { } second && Pick(names, SameNames) is { } same
            ? Pairs([.. rows.Select((row, i) => (Value(row, first, i), Value(row, second, i), IsSame(Value(row, same, i), i)))])
            : Pick(names, TextNames) is { } question && Pick(names, LabelNames) is { } label
                ? [.. rows.Select((row, i) => new LabelledQuestion(Value(row, question, i), Value(row, label, i)))]
                : throw new InvalidDataException($"The columns are {string.Join(", ", names)}. Needed: text and label; or a, b and same (1 or 0).");
    }

    private static List<LabelledQuestion> Pairs(IReadOnlyList<(string A, string B, bool Same)> pairs)
    {
        var parents = new Dictionary<string, string>(StringComparer.Ordinal);
        string Root(string text)
        {
            while (parents.TryGetValue(text, out var parent) && parent != text)
            {
                text = parent;
            }

            return text;
        }

        foreach (var (a, b, same) in pairs)
        {
            parents.TryAdd(a, a);
            parents.TryAdd(b, b);
            if (same)
            {
                parents[Root(a)] = Root(b);
            }
        }

        return [.. pairs.SelectMany(static p => (string[])[p.A, p.B]).Select(text => new LabelledQuestion(text, Root(text)))];
    }

    private static string? Pick(IReadOnlyList<string> names, string[] wanted) => wanted.FirstOrDefault(w => names.Contains(w, StringComparer.OrdinalIgnoreCase));

    private static string Value(Dictionary<string, string> row, string name, int index) =>
        row.TryGetValue(name, out var value) && !string.IsNullOrWhiteSpace(value) ? value : throw new InvalidDataException($"Row {index + 1} has no {name}.");

    private static bool IsSame(string value, int index) => value.Trim().ToLowerInvariant() switch
    {
        "1" or "true" or "yes" or "same" => true,
        "0" or "false" or "no" or "different" => false,
        _ => throw new InvalidDataException($"Row {index + 1}: same must be 1 or 0."),
    };

    private static List<Dictionary<string, string>> JsonRows(string text)
    {
        var rows = new List<Dictionary<string, string>>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                rows.Add(json.RootElement.EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.ToString(), StringComparer.OrdinalIgnoreCase));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
            {
                throw new InvalidDataException($"Row {rows.Count + 1} is no JSON object with members of its own.", e);
            }
        }

        return rows;
    }

    private static List<Dictionary<string, string>> Table(string text, char separator)
    {
        var rows = new List<Dictionary<string, string>>();
        string[]? header = null;
        foreach (var fields in Records(text, separator))
        {
            if (header is null)
            {
                header = [.. fields.Select(static f => f.Trim().TrimStart('\uFEFF'))];
                continue;
            }

            var row = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            for (var i = 0; i < Math.Min(fields.Count, header.Length); i++)
            {
                row[header[i]] = fields[i];
            }

            rows.Add(row);
        }

        return rows;
    }

    private static IEnumerable<List<string>> Records(string text, char separator)
    {
        var (fields, field, quoted) = (new List<string>(), new StringBuilder(), false);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted)
            {
                if (c != '"')
                {
                    field.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == '"' && field.Length == 0)
            {
                quoted = true;
            }
            else if (c == separator)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else if (c == '\n')
            {
                fields.Add(field.ToString().TrimEnd('\r'));
                field.Clear();
                yield return fields;
                fields = [];
            }
            else
            {
                field.Append(c);
            }
        }

        if (field.Length > 0 || fields.Count > 0)
        {
            fields.Add(field.ToString().TrimEnd('\r'));
            yield return fields;
        }
    }
}
