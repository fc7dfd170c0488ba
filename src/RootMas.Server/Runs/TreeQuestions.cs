using System.Globalization;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What the user is asked in the tree of a root run. Looked for only while a conversation is busy, or somebody waits for its run.</summary>
internal static class TreeQuestions
{
    /// <summary>Of runs that go on, and that nobody has told to end: they would not hear an answer any more.</summary>
    private const string Asked = """
        SELECT e.json FROM (
            SELECT id FROM runs WHERE id = @root AND ended_at IS NULL UNION ALL SELECT id FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND ended_at IS NULL
            ) r JOIN run_events e ON e.run_id = r.id
        WHERE e.type IN ('input.requested', 'input.received') AND NOT EXISTS (SELECT 1 FROM run_inbox i WHERE i.run_id IN (r.id, @root) AND i.key IN ('cancel', 'parent.ended'))
        """;

    private const string Told = "SELECT 1 FROM run_inbox WHERE run_id = @id AND key = @key";

    /// <summary>Of the inbox row that answers it.</summary>
    public static string KeyOf(InputRequested question) => string.Create(CultureInfo.InvariantCulture, $"input:{question.Call}:{question.Seq}");

    /// <inheritdoc cref="IMessageProcessor.NewestQuestionAsync"/>
    public static async ValueTask<InputRequested?> NewestAsync(DbSession session, string rootRunId)
    {
        var said = await session.Prepared(Asked).Set("root", rootRunId).ListAsync(static r => RunJson.DeserializeEvent(r.Bytes(0)));
        var settled = said.OfType<InputReceived>().Select(static r => (r.RunId, r.Call)).ToHashSet();
        foreach (var question in said.OfType<InputRequested>().Where(q => !settled.Contains((q.RunId, q.Call))).OrderByDescending(static q => q.CreatedAt).ThenByDescending(static q => q.Seq))
        {
            if (!await session.Prepared(Told).Set("id", question.RunId).Set("key", KeyOf(question)).AnyAsync())
            {
                return question;
            }
        }

        return null;
    }
}
