using System.Text;
using System.Text.Json;

namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>A question whose right passages are known.</summary>
/// <param name="Relevant">Each is a part of a right passage, or the name of a right document.</param>
internal sealed record RetrievalQuestion(string Text, IReadOnlyList<string> Relevant)
{
    /// <summary>From a line of JSON; null: it is none.</summary>
    public static RetrievalQuestion? Parse(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("question", out var question) && question.ValueKind == JsonValueKind.String
                && root.TryGetProperty("relevant", out var relevant) && relevant.ValueKind == JsonValueKind.Array && relevant.GetArrayLength() > 0
                && relevant.EnumerateArray().All(static r => r.ValueKind == JsonValueKind.String && r.GetString()!.Length > 0)
                ? new RetrievalQuestion(question.GetString()!, [.. relevant.EnumerateArray().Select(static r => r.GetString()!)])
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>How good a ranking is for one question, or on average.</summary>
/// <param name="Recall">Share of the right passages that stand among the first k.</param>
/// <param name="ReciprocalRank">One over the place of the first right one; 0: there is none. Its mean is the MRR.</param>
/// <param name="Ndcg">Normalised discounted cumulative gain at k (Järvelin and Kekäläinen, 2002), with gains of 0 and 1.</param>
internal readonly record struct RetrievalScore(double Recall, double ReciprocalRank, double Ndcg)
{
    public static RetrievalScore Of(IReadOnlyList<(string Title, string Text)> ranking, IReadOnlyList<string> relevant, int k)
    {
        ArgumentNullException.ThrowIfNull(ranking);
        ArgumentNullException.ThrowIfNull(relevant);
        var found = new HashSet<string>(StringComparer.Ordinal);
        var (first, gain) = (0, 0.0);
        for (var i = 0; i < Math.Min(k, ranking.Count); i++)
        {
            // A right passage counts once: a second piece of the same adds nothing.
            var hits = relevant.Where(r => !found.Contains(r) && Fits(ranking[i], r)).ToList();
            if (hits.Count == 0)
            {
                continue;
            }

            found.UnionWith(hits);
            first = first == 0 ? i + 1 : first;
            gain += 1 / Math.Log2(i + 2);
        }

        var ideal = Enumerable.Range(0, Math.Min(relevant.Count, k)).Sum(static i => 1 / Math.Log2(i + 2));
        return new RetrievalScore((double)found.Count / relevant.Count, first == 0 ? 0 : 1.0 / first, Math.Min(1, gain / ideal));
    }

    public static RetrievalScore Mean(IReadOnlyCollection<RetrievalScore> scores) => scores.Count == 0 ? default
        : new RetrievalScore(scores.Average(static s => s.Recall), scores.Average(static s => s.ReciprocalRank), scores.Average(static s => s.Ndcg));

    private static bool Fits((string Title, string Text) passage, string relevant) => passage.Title == relevant || Plain(passage.Text).Contains(Plain(relevant), StringComparison.OrdinalIgnoreCase);

    private static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!char.IsWhiteSpace(c))
            {
                plain.Append(c);
            }
            else if (plain.Length > 0 && plain[^1] != ' ')
            {
                plain.Append(' ');
            }
        }

        return plain.ToString();
    }
}
