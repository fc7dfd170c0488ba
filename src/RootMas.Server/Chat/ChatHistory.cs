using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>What was said above a run's input message, root first. Ancestors never change once a message has its place, so neither does the answer.</summary>
internal sealed class ChatHistory : IRunHistory
{
    /// <summary>Why a run was stopped is not told where its message has an answer: that of a retry, which hangs below it too.</summary>
    private const string Above = """
        with recursive path (id, parent_id, depth, role, content, agent, tainted, attachments, documents, stopped, stopped_tainted) as (
            select p.id, p.parent_id, p.depth, p.role, p.content, p.agent, p.tainted, p.attachments, p.documents, p.stopped, p.stopped_tainted
            from messages i join messages p on p.id = i.parent_id where i.id = @input and i.owner_id = @owner
            union all
            select m.id, m.parent_id, m.depth, m.role, m.content, m.agent, m.tainted, m.attachments, m.documents, case when path.role = 'assistant' then null else m.stopped end, m.stopped_tainted
            from path join messages m on m.id = path.parent_id)
        select role, content, tainted, agent, attachments, documents, stopped, stopped_tainted from path order by depth
        """;

    /// <summary>
    /// What is above a run's input is above all that comes after it on this way to the root, so the beginning that such a run retold is the beginning here too. As far up as is worth a look: who shortens takes over what was there, so the last of them
    /// has it. Calls of the OpenAI-compatible API, which are on no branch, bring their history themselves.
    /// </summary>
    private const string Reductions = """
        with recursive path (id, parent_id, run_id, depth, lowest) as (
            select p.id, p.parent_id, p.run_id, p.depth, p.depth - 200
            from runs r join messages i on i.id = r.input_message_id join messages p on p.id = i.parent_id
            where r.id = @run and r.owner_id = @owner and r.branch_id is not null and i.owner_id = @owner
            union all
            select m.id, m.parent_id, m.run_id, m.depth, path.lowest from path join messages m on m.id = path.parent_id where m.depth > path.lowest)
        select e.json from (select run_id, max(depth) as depth from path where run_id is not null group by run_id order by max(depth) desc limit 50) w
        join runs r on r.id = w.run_id join run_events e on e.run_id = w.run_id
        where r.owner_id = @owner and r.branch_id is not null and e.type = 'context.reduced'
        order by w.depth desc, e.seq desc limit 20
        """;

    public RowRead Read(RunIdentity run, Action<HistoryMessage> said) =>
        new(
            Above,
            command => command.Set("input", run.InputMessageId).Set("owner", run.OwnerId),
            row =>
            {
                said(Of(row.GetString(0), row.GetString(1), row.Flag(2), row.StringOrNull(3), Brought(row.StringOrNull(4)), MessageWrites.DocumentsFrom(row.StringOrNull(5))));
                if (row.StringOrNull(6) is { } stopped)
                {
                    said(new HistoryMessage("note", "The work on this was stopped before it was done: " + stopped, Tainted: row.Int64OrNull(7) != 0)); // of an older version nobody knows
                }
            });

    public RowRead ReadStanding(RunIdentity run, Action<InputStanding> found) =>
        new(
            "select dead, depth from messages where id = @input and owner_id = @owner",
            command => command.Set("input", run.InputMessageId).Set("owner", run.OwnerId),
            row => found(row.Flag(0) ? InputStanding.RolledBack : row.GetInt32(1) == 0 ? InputStanding.Waits : InputStanding.Placed));

    public RowRead ReadReductions(RunIdentity run, Action<ContextReduced> found) =>
        new(
            Reductions,
            command => command.Set("run", run.RunId).Set("owner", run.OwnerId),
            row =>
            {
                if (RunJson.DeserializeEvent(row.Bytes(0)) is ContextReduced reduced)
                {
                    found(reduced);
                }
            });

    private static HistoryMessage Of(string role, string text, bool tainted, string? agent, IReadOnlyList<string> brought, IReadOnlyList<string> known) =>
        new(role, AttachedDocument.Told(text, brought), tainted, agent)
        {
            Documents = brought.Count + known.Count == 0 ? null : [.. brought.Union(known, StringComparer.Ordinal)],
        };

    private static IReadOnlyList<string> Brought(string? attachments) =>
        attachments is null ? [] : [.. (JsonSerializer.Deserialize(attachments, ChatJson.Stored.IReadOnlyListAttachedDocument) ?? []).Select(static d => d.Id)];
}
