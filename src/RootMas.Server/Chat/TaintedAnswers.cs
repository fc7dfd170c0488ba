using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Chat.OpenAi;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>
/// Finds, in a history that a client sends along, the answers that this server gave its owner after reading text from outside: sent back, they carry that text as before (DESIGN §4.10). Looked for by how they end, so
/// what stands before an answer does no harm: a note, an earlier message of the same stream, what a client cut. An answer that ends in the same words as one of them counts as it. What a client changed at the end is not
/// found, nor what was deleted here.
/// </summary>
internal static class TaintedAnswers
{
    /// <summary>Characters at the end that the index knows.</summary>
    private const int Tail = 64;

    /// <summary>Ends that one statement looks for.</summary>
    private const int Together = 500;

    /// <summary>As the index has it. SQLite counts a start before the first character from the end.</summary>
    private const string End = "case when length(content) > 64 then substr(content, length(content) - 63) else content end";

    private const string Kept = "from messages where owner_id = @owner and tainted = 1 and role = 'assistant'";

    private const string Any = $"select 1 {Kept} limit 1";

    private static readonly SqlText ByEnds = SqlDialect.InList($"select distinct {End} {Kept} and", $"({End})", "ends", "");

    public static async Task<IReadOnlyList<HistoryMessage>> MarkAsync(IDatabase database, string ownerId, IReadOnlyList<HistoryMessage> history, CancellationToken cancellationToken)
    {
        if (!await database.LookAsync(session => session.Prepared(Any).Set("owner", ownerId).AnyAsync(), cancellationToken))
        {
            return history;
        }

        var ends = history.Where(IsAnswer).Select(static m => m.Text).Distinct(StringComparer.Ordinal).ToDictionary(static t => t, EndsOf, StringComparer.Ordinal);
        var kept = await database.ReadAsync(session => KeptAsync(session, ownerId, ends.Values.SelectMany(static e => e).ToHashSet(StringComparer.Ordinal)), cancellationToken);
        return kept.Count == 0 ? history : [.. history.Select(m => IsAnswer(m) && ends[m.Text].Overlaps(kept) ? m with { Tainted = true } : m)];
    }

    private static bool IsAnswer(HistoryMessage message) => message is { Role: "assistant", Tainted: false, Text.Length: > 0 };

    private static async ValueTask<HashSet<string>> KeptAsync(DbSession session, string ownerId, HashSet<string> ends)
    {
        var kept = new HashSet<string>(StringComparer.Ordinal);
        foreach (var some in ends.Chunk(Together))
        {
            kept.UnionWith(await session.Prepared(ByEnds).Set("owner", ownerId).Set("ends", JsonSerializer.Serialize(some)).ListAsync(static r => r.GetString(0)));
        }

        return kept;
    }

    /// <summary>What the index has of an answer that this text may end with: the last characters, or all of a short answer behind something else.</summary>
    private static HashSet<string> EndsOf(string text)
    {
        var ends = new HashSet<string>(StringComparer.Ordinal);
        foreach (var form in (string[])[text, text.TrimEnd(), CompletionAnswers.WithoutNotice(text)])
        {
            ends.Add(Last(form, Tail));
            var end = Last(form, Tail + CompletionAnswers.Separator.Length);
            for (var at = 0; (at = end.IndexOf(CompletionAnswers.Separator, at, StringComparison.Ordinal)) >= 0; at++)
            {
                ends.Add(end[(at + CompletionAnswers.Separator.Length)..]);
            }
        }

        ends.RemoveWhere(static e => e.Length == 0 || e.Contains('\0', StringComparison.Ordinal)); // no database keeps such a text
        return ends;
    }

    /// <summary>As both databases count: in code points.</summary>
    private static string Last(string text, int count)
    {
        var start = text.Length;
        for (var left = count; left > 0 && start > 0; left--)
        {
            start -= start > 1 && char.IsLowSurrogate(text[start - 1]) && char.IsHighSurrogate(text[start - 2]) ? 2 : 1;
        }

        return text[start..];
    }
}
