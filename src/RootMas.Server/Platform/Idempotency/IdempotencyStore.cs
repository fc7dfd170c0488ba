using System.Data.Common;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>A request that carries an <c>Idempotency-Key</c>.</summary>
/// <param name="Scope">Method and path.</param>
/// <param name="BodyHash">A keyed hash of body and query (<see cref="RequestHash"/>), lower-case hex.</param>
public sealed record IdempotencyRequest(string OwnerId, string Scope, string Key, string BodyHash);

/// <summary>What a key stands for.</summary>
public abstract record Reservation
{
    private Reservation()
    {
    }

    /// <summary>Not seen before (or over a day ago): go on; the key is now this request's.</summary>
    public sealed record New : Reservation
    {
        public static readonly New Instance = new();
    }

    /// <summary>Seen, with another body or query: 422 <c>idempotency_mismatch</c>.</summary>
    public sealed record Mismatch : Reservation
    {
        public static readonly Mismatch Instance = new();
    }

    /// <summary>The twin is still at work: 409 with <c>Retry-After</c>.</summary>
    public sealed record Running : Reservation
    {
        public static readonly Running Instance = new();
    }

    /// <summary>Done before: answer from the resource, or with the stored answer.</summary>
    /// <param name="Status">HTTP status of the stored answer; null: answer from the resource.</param>
    /// <param name="Answer">JSON as given to <see cref="IdempotencyStore.CompleteAsync"/>.</param>
    public sealed record Replay(string? ResourceKind, string? ResourceId, int? Status, string? Answer) : Reservation;
}

/// <summary>
/// Remembers for 24 hours what an <c>Idempotency-Key</c> made. Used inside the transaction that makes it, so key and effect are one: either both are there after a crash or neither.
/// </summary>
/// <param name="presence">Where processes share a database: who of them lives. Null: whoever is not this process is dead.</param>
public sealed class IdempotencyStore(Instance? process = null, IPresence? presence = null)
{
    private static readonly TimeSpan Kept = TimeSpan.FromHours(24);

    /// <summary>Tells requests of this process, which may still be running, from those of one that is dead.</summary>
    private readonly string instance = process?.Name ?? Guid.CreateVersion7().ToString("N");

    /// <summary>
    /// Takes the key, or says what it stands for. Calls that make a resource name it here; then the repeat is <see cref="Reservation.Replay"/> of that resource from the commit on.
    /// Without a resource the key counts as running until <see cref="CompleteAsync"/> or <see cref="ReleaseAsync"/>; if this process dies before, the next request may take it over.
    /// </summary>
    /// <param name="alone">No other request of this process has the key (<see cref="KeysAtWork"/>): what stands under its name without a resource was left behind, and is taken over.</param>
    public async ValueTask<Reservation> ReserveAsync(DbSession session, IdempotencyRequest request, string? resourceKind = null, string? resourceId = null, bool alone = false)
    {
        var row = await RowAsync(session, request);
        if (await MeaningOfAsync(session, request, row, alone) is { } known)
        {
            return known.Counted(session);
        }

        // Somebody may have been faster since the look: only a key that is free is taken, and whoever has it now is asked.
        var taken = await Bind(session.Prepared("""
            INSERT INTO idempotency_keys (owner_id, scope, key, body_hash, resource_kind, resource_id, instance, created_at)
            VALUES (@owner, @scope, @key, @hash, @kind, @id, @instance, @now)
            ON CONFLICT (owner_id, scope, key) DO UPDATE SET body_hash = excluded.body_hash, resource_kind = excluded.resource_kind, resource_id = excluded.resource_id,
                status = NULL, answer = NULL, instance = excluded.instance, created_at = excluded.created_at
            WHERE idempotency_keys.created_at <= @oldest
                OR (idempotency_keys.status IS NULL AND idempotency_keys.resource_id IS NULL AND idempotency_keys.instance = @gone)
            """), request)
            .Set("hash", request.BodyHash).Set("kind", resourceKind).Set("id", resourceId).Set("instance", instance).Set("now", session.Now).Set("oldest", session.Now - Kept).Set("gone", row?.Instance)
            .RunAsync();
        return (taken == 1 ? Reservation.New.Instance : await FindAsync(session, request))?.Counted(session) ?? throw new WriteConflictException("An idempotency key was taken and is free again.");
    }

    /// <summary>What the key stands for; null: it is free. For a look before a transaction is worth it.</summary>
    public async ValueTask<Reservation?> FindAsync(DbSession session, IdempotencyRequest request) =>
        await MeaningOfAsync(session, request, await RowAsync(session, request));

    private static ValueTask<Row?> RowAsync(DbSession session, IdempotencyRequest request) =>
        Bind(session.Prepared("""
            SELECT body_hash, resource_kind, resource_id, status, answer, instance FROM idempotency_keys
            WHERE owner_id = @owner AND scope = @scope AND key = @key AND created_at > @oldest
            """), request)
            .Set("oldest", session.Now - Kept)
            .FirstOrDefaultAsync(static row => new Row(
                row.GetString(0), row.StringOrNull(1), row.StringOrNull(2), (int?)row.Int64OrNull(3), row.StringOrNull(4), row.GetString(5)));

    private async ValueTask<Reservation?> MeaningOfAsync(DbSession session, IdempotencyRequest request, Row? row, bool alone = false) => row switch
    {
        null => null,
        _ when row.BodyHash != request.BodyHash => Reservation.Mismatch.Instance,
        { Status: not null } or { ResourceId: not null } => new Reservation.Replay(row.ResourceKind, row.ResourceId, row.Status, row.Answer),
        _ when row.Instance == instance => alone ? null : Reservation.Running.Instance,
        _ when presence is not null && await presence.LivesAsync(session, row.Instance) => Reservation.Running.Instance,
        _ => null,
    };

    /// <summary>Says what the key's request made, in the transaction that makes it: from then on a repeat is <see cref="Reservation.Replay"/>, whether or not an answer was stored.</summary>
    /// <exception cref="ProblemException">This process was taken for dead, and another one works on the key now: nothing is made twice.</exception>
    public async ValueTask NameAsync(DbSession session, IdempotencyRequest request, string resourceKind, string resourceId)
    {
        var mine = await Bind(session.Prepared(
                "UPDATE idempotency_keys SET resource_kind = @kind, resource_id = @id WHERE owner_id = @owner AND scope = @scope AND key = @key AND (instance = @instance OR resource_id = @id)"), request)
            .Set("kind", resourceKind).Set("id", resourceId).Set("instance", instance).RunAsync();
        if (mine == 0)
        {
            throw new ProblemException(IdempotencyProblems.Of(Reservation.Running.Instance));
        }
    }

    /// <summary>Stores the answer that repeats get. Secrets must not be in it.</summary>
    public async ValueTask CompleteAsync(DbSession session, IdempotencyRequest request, int status, string? answer) =>
        await Bind(session.Prepared("UPDATE idempotency_keys SET status = @status, answer = @answer WHERE owner_id = @owner AND scope = @scope AND key = @key"), request)
            .Set("status", status).Set("answer", answer).RunAsync();

    /// <summary>Gives the key back: nothing was done. If this process was taken for dead and another one has the key now, it stays that one's.</summary>
    public async ValueTask ReleaseAsync(DbSession session, IdempotencyRequest request) =>
        await Bind(session.Prepared("DELETE FROM idempotency_keys WHERE owner_id = @owner AND scope = @scope AND key = @key AND status IS NULL AND resource_id IS NULL AND instance = @instance"), request)
            .Set("instance", instance).RunAsync();

    /// <summary>The same where it is not known whether the key was taken: the transaction that took it may have lost its client and still be under way at the server. The insert waits for its end, and the delete sees what came of it.</summary>
    public async ValueTask<bool> GiveBackAsync(DbSession session, IdempotencyRequest request)
    {
        await Bind(session.Prepared("""
            INSERT INTO idempotency_keys (owner_id, scope, key, body_hash, instance, created_at) VALUES (@owner, @scope, @key, @hash, @instance, @now) ON CONFLICT (owner_id, scope, key) DO NOTHING
            """), request)
            .Set("hash", request.BodyHash).Set("instance", instance).Set("now", session.Now).RunAsync();
        await ReleaseAsync(session, request);
        return true;
    }

    /// <summary>Forgets up to <paramref name="atMost"/> keys that are over a day old.</summary>
    /// <returns>How many it were.</returns>
    public async ValueTask<int> PruneAsync(DbSession session, int atMost) =>
        await session.Prepared("""
            DELETE FROM idempotency_keys WHERE (owner_id, scope, key) IN (
                SELECT owner_id, scope, key FROM idempotency_keys WHERE created_at <= @oldest ORDER BY created_at LIMIT @limit)
            """).Set("oldest", session.Now - Kept).Set("limit", atMost).RunAsync();

    private static DbCommand Bind(DbCommand command, IdempotencyRequest request) =>
        command.Set("owner", request.OwnerId).Set("scope", request.Scope).Set("key", request.Key);

    private sealed record Row(string BodyHash, string? ResourceKind, string? ResourceId, int? Status, string? Answer, string Instance);
}
