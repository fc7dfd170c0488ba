using System.Data.Common;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Audit;

/// <summary>Which rows are wanted; what is null does not count.</summary>
public sealed record AuditFilter
{
    /// <summary>Id or name of who did it.</summary>
    public string? Actor { get; init; }

    /// <summary>Beginning of the action: <c>auth.</c>.</summary>
    public string? Action { get; init; }

    /// <summary>Id of what it was done to.</summary>
    public string? Target { get; init; }

    public string? Outcome { get; init; }

    public DateTimeOffset? From { get; init; }

    /// <summary>Not included.</summary>
    public DateTimeOffset? To { get; init; }
}

/// <summary>Reading the audit log.</summary>
public sealed class AuditStore(IDatabase database)
{
    private const string Columns = "id, at, action, outcome, actor_id, actor_name, credential, session_id, target_kind, target_id, before, after, address, request_id, form, key_id, mac";

    /// <summary>Newest first. Only what is asked for is a condition: a plan that has to serve any filter reads everything.</summary>
    public Task<List<AuditRow>> ListAsync(AuditFilter filter, long? beforeId, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        (bool IsGiven, string Text, Func<DbCommand, DbCommand> Set)[] conditions =
        [
            (beforeId is not null, "id < @before_id", c => c.Set("before_id", beforeId)),
            (filter.Actor is not null, "(actor_id = @actor or actor_name = @actor)", c => c.Set("actor", filter.Actor)),
            (filter.Action is not null, $"action >= @action and action < @action || '{"\uFFFF"}'", c => c.Set("action", filter.Action)),
            (filter.Target is not null, "target_id = @target", c => c.Set("target", filter.Target)),
            (filter.Outcome is not null, "outcome = @outcome", c => c.Set("outcome", filter.Outcome)),
            (filter.From is not null, "at >= @from", c => c.Set("from", filter.From)),
            (filter.To is not null, "at < @to", c => c.Set("to", filter.To)),
        ];
        var given = conditions.Where(static c => c.IsGiven).ToList();
        var sql = $"select {Columns} from audit {(given.Count > 0 ? "where " : "")}{string.Join(" and ", given.Select(static c => c.Text))} order by id desc limit @limit";
        return database.LookAsync(async session => await given.Aggregate(session.Prepared(sql), static (command, c) => c.Set(command)).Set("limit", (long)limit).ListAsync(Row), cancellationToken);
    }

    /// <summary>The end of the chain.</summary>
    public Task<AuditHead> HeadAsync(CancellationToken cancellationToken) => database.ReadAsync(HeadAsync, cancellationToken);

    internal static async ValueTask<AuditHead> HeadAsync(DbSession session) =>
        await session.Prepared("select last_id, mac from audit_head where one = 1").FirstOrDefaultAsync(static row => new AuditHead(row.GetInt64(0), Convert.ToHexStringLower(row.Bytes(1))))
        ?? new AuditHead(0, "");

    /// <summary>Which key made the newest row; null: there is none.</summary>
    internal static ValueTask<string?> LastKeyAsync(DbSession session) => session.Prepared("select key_id from audit order by id desc limit 1").StringAsync();

    /// <summary>For the verifier: in order, with what the chain is made of.</summary>
    internal Task<List<ChainedRow>> ChainAsync(long afterId, int limit, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"select {Columns} from audit where id > @after order by id limit @limit").Set("after", afterId).Set("limit", (long)limit)
            .ListAsync(static row => new ChainedRow(Row(row), row.GetInt64(14), row.GetString(15), row.Bytes(16))),
        cancellationToken);

    private static AuditRow Row(DbDataReader row) => new()
    {
        Id = row.GetInt64(0),
        At = row.GetInt64(1),
        Action = row.GetString(2),
        Outcome = row.GetString(3),
        ActorId = row.StringOrNull(4),
        ActorName = row.StringOrNull(5),
        Credential = row.StringOrNull(6),
        SessionId = row.StringOrNull(7),
        TargetKind = row.StringOrNull(8),
        TargetId = row.StringOrNull(9),
        Before = row.StringOrNull(10),
        After = row.StringOrNull(11),
        Address = row.StringOrNull(12),
        RequestId = row.StringOrNull(13),
    };
}

/// <summary>A row with its place in the chain.</summary>
internal sealed record ChainedRow(AuditRow Row, long Form, string KeyId, byte[] Mac);
