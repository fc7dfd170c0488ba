using System.Text.Json;
using System.Text.Json.Nodes;
using RootMas.Server.Platform.Data;

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

/// <summary>The audit log: append-only, one row per act, written in the transaction of the change.</summary>
public sealed class AuditLog
{
    private const string Insert =
        "insert into audit (at, action, outcome, actor_id, actor_name, credential, session_id, target_kind, target_id, before, after, address, request_id) " +
        "values (@at, @action, @outcome, @actor_id, @actor_name, @credential, @session_id, @target_kind, @target_id, @before, @after, @address, @request_id)";

    /// <summary>Appends in this transaction: the row is there exactly if the change is.</summary>
    public async ValueTask AppendAsync(DbSession session, AuditEntry entry) =>
        await session.Prepared(Insert)
            .Set("at", UnixTime.ToMicros(session.Now))
            .Set("action", entry.Action)
            .Set("outcome", JsonNamingPolicy.SnakeCaseLower.ConvertName(entry.Outcome.ToString()))
            .Set("actor_id", entry.ActorId)
            .Set("actor_name", entry.ActorName)
            .Set("credential", entry.Credential)
            .Set("session_id", entry.SessionId)
            .Set("target_kind", entry.TargetKind)
            .Set("target_id", entry.TargetId)
            .Set("before", entry.Before?.ToJsonString())
            .Set("after", entry.After?.ToJsonString())
            .Set("address", entry.Address)
            .Set("request_id", entry.RequestId)
            .RunAsync();
}
