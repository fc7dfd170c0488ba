using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>What was said above a run's input message, root first. Ancestors never change once a message has its place, so neither does the answer.</summary>
internal sealed class ChatHistory : IRunHistory
{
    private const string Above = """
        with recursive path (id, parent_id, depth, role, content, agent, tainted, attachments, documents) as (
            select p.id, p.parent_id, p.depth, p.role, p.content, p.agent, p.tainted, p.attachments, p.documents
            from messages i join messages p on p.id = i.parent_id where i.id = @input and i.owner_id = @owner
            union all
            select m.id, m.parent_id, m.depth, m.role, m.content, m.agent, m.tainted, m.attachments, m.documents from path join messages m on m.id = path.parent_id)
        select role, content, tainted, agent, attachments, documents from path order by depth
        """;

    public RowRead Read(RunIdentity run, Action<HistoryMessage> said) =>
        new(
            Above,
            command => command.Set("input", run.InputMessageId).Set("owner", run.OwnerId),
            row => said(Of(row.GetString(0), row.GetString(1), row.Flag(2), row.StringOrNull(3), Brought(row.StringOrNull(4)), MessageWrites.DocumentsFrom(row.StringOrNull(5)))));

    public RowRead ReadStanding(RunIdentity run, Action<InputStanding> found) =>
        new(
            "select dead, depth from messages where id = @input and owner_id = @owner",
            command => command.Set("input", run.InputMessageId).Set("owner", run.OwnerId),
            row => found(row.Flag(0) ? InputStanding.RolledBack : row.GetInt32(1) == 0 ? InputStanding.Waits : InputStanding.Placed));

    private static HistoryMessage Of(string role, string text, bool tainted, string? agent, IReadOnlyList<string> brought, IReadOnlyList<string> known) =>
        new(role, AttachedDocument.Told(text, brought), tainted, agent)
        {
            Documents = brought.Count + known.Count == 0 ? null : [.. brought.Union(known, StringComparer.Ordinal)],
        };

    private static IReadOnlyList<string> Brought(string? attachments) =>
        attachments is null ? [] : [.. (JsonSerializer.Deserialize(attachments, ChatJson.Stored.IReadOnlyListAttachedDocument) ?? []).Select(static d => d.Id)];
}
