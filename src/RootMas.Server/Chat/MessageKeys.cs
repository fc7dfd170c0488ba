using System.Collections.Concurrent;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Chat;

/// <summary>
/// One run per <c>Idempotency-Key</c>. The key is stored in the transaction that creates the run, so a crash keeps both or neither; within this process equal keys
/// share one attempt, so that 200 of them at once do not race to the database.
/// </summary>
public sealed class MessageKeys(IDatabase database, IdempotencyStore store)
{
    private readonly ConcurrentDictionary<IdempotencyRequest, Lazy<Task<Sent>>> _running = new(SameKey.Instance);

    /// <summary>Runs <paramref name="send"/> for the first request with this key; all others get the run that it made.</summary>
    internal async Task<Sent> OnceAsync(IdempotencyRequest key, Func<Claim, Task<Sent>> send, CancellationToken cancellationToken)
    {
        var mine = new Lazy<Task<Sent>>(() => FirstAsync(key, send));
        var shared = _running.GetOrAdd(key, mine);
        if (ReferenceEquals(shared, mine))
        {
            try
            {
                return await mine.Value;
            }
            finally
            {
                _running.TryRemove(KeyValuePair.Create(key, mine));
            }
        }

        var sent = await shared.Value.WaitAsync(cancellationToken);
        return sent.Accepted is not { } accepted ? sent : await FindAsync(key, cancellationToken) ?? accepted with { Watch = null };
    }

    private async Task<Sent> FirstAsync(IdempotencyRequest key, Func<Claim, Task<Sent>> send)
    {
        if (await FindAsync(key, CancellationToken.None) is { } known)
        {
            return known;
        }

        try
        {
            // What another process made of the same request meanwhile may be what stands in this one's way.
            var sent = await send(new Claim(store, key));
            return sent.Refusal is null ? sent : await FindAsync(key, CancellationToken.None) ?? sent;
        }
        catch (KeyTakenException taken)
        {
            // Another process was faster, between the look and the transaction.
            return await FindAsync(key, CancellationToken.None) ?? throw new InvalidOperationException("An idempotency key was taken and is free again.", taken);
        }
    }

    /// <summary>What the key stands for, without the state that its run has by now: whoever asked looks it up.</summary>
    private async Task<Sent?> FindAsync(IdempotencyRequest key, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => store.FindAsync(session, key), cancellationToken) switch
        {
            null => null,
            Reservation.Replay { ResourceId: { } run } => new AcceptedMessage(run, ConversationId: null, Runtime.Runs.RunStatus.Queued, Repeated: true),
            var other => IdempotencyProblems.Of(other),
        };

    /// <summary>By scope and key alone: another body or query under the same key must meet the first, to be refused.</summary>
    private sealed class SameKey : IEqualityComparer<IdempotencyRequest>
    {
        public static readonly SameKey Instance = new();

        public bool Equals(IdempotencyRequest? x, IdempotencyRequest? y) => (x?.OwnerId, x?.Scope, x?.Key) == (y?.OwnerId, y?.Scope, y?.Key);

        public int GetHashCode(IdempotencyRequest obj) => HashCode.Combine(obj.OwnerId, obj.Scope, obj.Key);
    }
}

/// <summary>The right to use a key, taken in the transaction that makes the run, or answers its question.</summary>
internal sealed class Claim(IdempotencyStore store, IdempotencyRequest key)
{
    /// <exception cref="KeyTakenException">Somebody was faster; the transaction is to be rolled back.</exception>
    public async ValueTask TakeAsync(DbSession session, string runId)
    {
        if (await store.ReserveAsync(session, key, "run", runId) is not Reservation.New)
        {
            throw new KeyTakenException();
        }
    }
}

/// <summary>Rolls a transaction back whose idempotency key is in use.</summary>
internal sealed class KeyTakenException : Exception;
