using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Identity.Audit;

/// <summary>What came of a security-relevant act.</summary>
public enum AuditOutcome
{
    Done,
    Denied,
    Failed,
}

/// <summary>One security-relevant act. Never holds secrets or contents of messages.</summary>
public sealed record AuditEntry
{
    /// <summary>What was done: <c>area.verb</c>, as in <c>auth.login</c>, <c>user.disable</c>, <c>approval.decide</c>.</summary>
    public required string Action { get; init; }

    public AuditOutcome Outcome { get; init; } = AuditOutcome.Done;

    /// <summary>Who did it: a user's id; null: nobody who is known.</summary>
    public string? ActorId { get; init; }

    /// <summary>The name as it was then (also the name that a failed login gave, cleaned and cut).</summary>
    public string? ActorName { get; init; }

    /// <summary>With which kind of credential, and which session or key.</summary>
    public string? Credential { get; init; }

    public string? SessionId { get; init; }

    /// <summary>What it was done to: <c>user</c>, <c>session</c>, <c>api_key</c>, <c>agent</c>, <c>approval</c>, <c>run</c>, <c>setting</c>, <c>route</c>.</summary>
    public string? TargetKind { get; init; }

    public string? TargetId { get; init; }

    /// <summary>The changed members before, without secrets.</summary>
    public JsonNode? Before { get; init; }

    /// <summary>The changed members afterwards, without secrets; for a refusal: its code.</summary>
    public JsonNode? After { get; init; }

    /// <summary>The client's address.</summary>
    public string? Address { get; init; }

    public string? RequestId { get; init; }
}

/// <summary>The end of the chain.</summary>
/// <param name="Id">Number of the last row; 0: there is none yet.</param>
/// <param name="Mac">Its mac, as hex.</param>
public sealed record AuditHead(long Id, string Mac)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id}:{Mac}");
}

/// <summary>The audit log: append-only, one row per act, chained, written in the transaction of the change.</summary>
public sealed class AuditLog(AuditKey key)
{
    private const int LongestText = 300;
    private const int LongestChange = 16_000;

    /// <summary>First, so that writers stand in line on this row (also on a database that lets several write) and each sees the end that the one before left.</summary>
    private const string Next = "update audit_head set last_id = last_id + 1 where one = 1 returning last_id, mac";

    private const string SetHead = "update audit_head set mac = @mac where one = 1";

    private const string Insert =
        "insert into audit (id, at, action, outcome, actor_id, actor_name, credential, session_id, target_kind, target_id, before, after, address, request_id, form, key_id, mac) " +
        "values (@id, @at, @action, @outcome, @actor_id, @actor_name, @credential, @session_id, @target_kind, @target_id, @before, @after, @address, @request_id, @form, @key_id, @mac)";

    /// <summary>Appends in this transaction: the row is there exactly if the change is.</summary>
    public async ValueTask AppendAsync(DbSession session, AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var (id, before) = await session.Prepared(Next).FirstOrDefaultAsync(static row => (row.GetInt64(0), row.Bytes(1)));
        var row = RowOf(entry, id, UnixTime.ToMicros(session.Now));
        var mac = key.Mac(AuditForm.Canonical(row, before));
        await session.Prepared(Insert)
            .Set("id", row.Id)
            .Set("at", row.At)
            .Set("action", row.Action)
            .Set("outcome", row.Outcome)
            .Set("actor_id", row.ActorId)
            .Set("actor_name", row.ActorName)
            .Set("credential", row.Credential)
            .Set("session_id", row.SessionId)
            .Set("target_kind", row.TargetKind)
            .Set("target_id", row.TargetId)
            .Set("before", row.Before)
            .Set("after", row.After)
            .Set("address", row.Address)
            .Set("request_id", row.RequestId)
            .Set("form", (long)AuditForm.Version)
            .Set("key_id", key.Id)
            .Set("mac", mac)
            .RunAsync();
        await session.Prepared(SetHead).Set("mac", mac).RunAsync();
        AuditMetrics.Appended(session, row.Action, row.Outcome);
    }

    private static AuditRow RowOf(AuditEntry entry, long id, long at) => new()
    {
        Id = id,
        At = at,
        Action = entry.Action,
        Outcome = JsonNamingPolicy.SnakeCaseLower.ConvertName(entry.Outcome.ToString()),
        ActorId = Clean(entry.ActorId),
        ActorName = Clean(entry.ActorName),
        Credential = entry.Credential,
        SessionId = Clean(entry.SessionId),
        TargetKind = Clean(entry.TargetKind),
        TargetId = Clean(entry.TargetId),
        Before = Change(entry.Before),
        After = Change(entry.After),
        Address = Clean(entry.Address),
        RequestId = Clean(entry.RequestId),
    };

    /// <summary>Names and ids come from outside: no control characters, no half characters (the mac is over bytes), and not endless.</summary>
    private static string? Clean(string? text) =>
        text is null ? null : LogText.OneLine(WholeCharacters(text.Length > LongestText ? text[..LongestText] : text));

    private static string WholeCharacters(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static string? Change(JsonNode? change)
    {
        var text = change?.ToJsonString();
        return text is { Length: > LongestChange }
            ? new JsonObject { ["too_long"] = text.Length, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))) }.ToJsonString()
            : text;
    }
}
