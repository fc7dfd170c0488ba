using System.Collections.Concurrent;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>
/// The keys whose requests this process is working on. A row of the database that names this process and is none of these was left behind: the database went away while the key was taken, or before it could be given back.
/// What was left behind is remembered here until it is given back; else all that repeats hear would be that the first request is still at work, for a day.
/// </summary>
public sealed class KeysAtWork
{
    private readonly ConcurrentDictionary<(string Owner, string Scope, string Key), Hold> _holds = new();
    private readonly ConcurrentDictionary<(string Owner, string Scope, string Key), IdempotencyRequest> _left = new();

    /// <summary>Keys that are still to be given back.</summary>
    internal IReadOnlyCollection<IdempotencyRequest> LeftBehind => [.. _left.Values];

    /// <summary>Null: another request here has the key. Else this one has it, until it lets go.</summary>
    internal Hold? TryEnter(IdempotencyRequest request)
    {
        var hold = new Hold(this, NameOf(request));
        return _holds.TryAdd(NameOf(request), hold) ? hold : null;
    }

    /// <summary>Whether the key's row is there, or still there, nobody knows: the database did not answer.</summary>
    internal void LeaveBehind(IdempotencyRequest request) => _left[NameOf(request)] = request;

    /// <summary>It was given back, or a later request has taken it over.</summary>
    internal void Settled(IdempotencyRequest request) => _left.TryRemove(NameOf(request), out _);

    private static (string Owner, string Scope, string Key) NameOf(IdempotencyRequest request) => (request.OwnerId, request.Scope, request.Key);

    internal sealed class Hold(KeysAtWork keys, (string Owner, string Scope, string Key) name) : IDisposable
    {
        /// <summary>Lets go, once: whoever has the key then keeps it.</summary>
        public void Dispose() => keys._holds.TryRemove(KeyValuePair.Create(name, this));
    }
}
