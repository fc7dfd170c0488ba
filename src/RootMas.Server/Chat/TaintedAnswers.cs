using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>
/// Finds, in a history that a client sends along, the answers that this server gave its owner after reading text from outside: sent back, they carry that text as before (DESIGN §4.10). What a client changed in them
/// is no longer found, nor what was deleted here; a note before the answer, as a stream may have, does no harm, since only the end has to be the same.
/// </summary>
internal static class TaintedAnswers
{
    /// <summary>Characters at the end that the index knows.</summary>
    private const int Tail = 64;

    private const string Kept = "from messages where owner_id = @owner and tainted = 1 and role = 'assistant'";

    private const string Any = $"select 1 {Kept} limit 1";

    private const string ByTail = $"select content {Kept} and substr(content, length(content) - 63) = @tail";

    public static async Task<IReadOnlyList<HistoryMessage>> MarkAsync(IDatabase database, string ownerId, IReadOnlyList<HistoryMessage> history, CancellationToken cancellationToken) =>
        await database.LookAsync(session => session.Prepared(Any).Set("owner", ownerId).AnyAsync(), cancellationToken)
            ? await database.ReadAsync(session => MarkAsync(session, ownerId, history), cancellationToken)
            : history;

    private static async ValueTask<IReadOnlyList<HistoryMessage>> MarkAsync(DbSession session, string ownerId, IReadOnlyList<HistoryMessage> history)
    {
        var known = new Dictionary<string, bool>(StringComparer.Ordinal);
        var marked = new List<HistoryMessage>(history.Count);
        foreach (var message in history)
        {
            if (message is not { Role: "assistant", Tainted: false, Text.Length: > 0 })
            {
                marked.Add(message);
                continue;
            }

            if (!known.TryGetValue(message.Text, out var tainted))
            {
                known[message.Text] = tainted = await IsKeptAsync(session, ownerId, message.Text) || await IsKeptAsync(session, ownerId, message.Text.TrimEnd());
            }

            marked.Add(tainted ? message with { Tainted = true } : message);
        }

        return marked;
    }

    private static async ValueTask<bool> IsKeptAsync(DbSession session, string ownerId, string text) =>
        (await session.Prepared(ByTail).Set("owner", ownerId).Set("tail", EndOf(text)).ListAsync(static r => r.GetString(0))).Exists(k => text.EndsWith(k, StringComparison.Ordinal));

    /// <summary>As both databases count: in code points.</summary>
    private static string EndOf(string text)
    {
        var start = text.Length;
        for (var left = Tail; left > 0 && start > 0; left--)
        {
            start -= start > 1 && char.IsLowSurrogate(text[start - 1]) && char.IsHighSurrogate(text[start - 2]) ? 2 : 1;
        }

        return text[start..];
    }
}
