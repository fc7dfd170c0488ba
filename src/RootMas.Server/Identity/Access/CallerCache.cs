using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Identity.Access;

/// <summary>A credential by its SHA-256, so that the credential itself is not kept in memory.</summary>
public readonly record struct CallerKey(long A, long B, long C, long D)
{
    /// <param name="kind">Keeps kinds apart: a cookie is not a bearer token.</param>
    public static CallerKey Of(char kind, ReadOnlySpan<char> credential)
    {
        var most = Encoding.UTF8.GetMaxByteCount(credential.Length) + 1;
        var rented = most > 1_024 ? ArrayPool<byte>.Shared.Rent(most) : null;
        var bytes = rented ?? stackalloc byte[1_024];
        bytes[0] = (byte)kind;
        var length = 1 + Encoding.UTF8.GetBytes(credential, bytes[1..]);
        Span<long> hash = stackalloc long[4];
        SHA256.HashData(bytes[..length], MemoryMarshal.AsBytes(hash));
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        }

        return new CallerKey(hash[0], hash[1], hash[2], hash[3]);
    }

    public override int GetHashCode() => A.GetHashCode();
}

/// <summary>
/// Who has proved themselves a moment ago: neither a database read nor a signature check for them. An entry is good for a minute at most, never longer than its credential, and not one moment after the end of its session.
/// </summary>
/// <param name="isCurrent">Whether ends of sessions in other instances are known here up to a moment ago; while they are not, nobody is remembered.</param>
public sealed class CallerCache(TimeProvider clock, Func<bool> isCurrent)
{
    /// <summary>As many callers at once fit; beyond that the cache begins anew.</summary>
    internal const int Capacity = 20_000;

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<CallerKey, Entry> _entries = new();
    private int _count;
    private int _generation;

    /// <summary>Read before a credential is checked, and given to <see cref="Keep"/>: what was checked before <see cref="Forget"/> is not remembered after it.</summary>
    public int Generation => Volatile.Read(ref _generation);

    internal int Count => Volatile.Read(ref _count);

    public Caller? Find(CallerKey key) =>
        _entries.TryGetValue(key, out var entry) && entry.Generation == Generation && clock.GetUtcNow() < entry.Until && isCurrent() && !entry.Caller.Ended.IsCancellationRequested ? entry.Caller : null;

    /// <summary>Everybody proves themselves anew: what credentials are checked with has changed.</summary>
    public void Forget() => Interlocked.Increment(ref _generation);

    public void Keep(CallerKey key, Caller caller, DateTimeOffset expiresAt, int generation)
    {
        ArgumentNullException.ThrowIfNull(caller);
        if (Count >= Capacity)
        {
            Shrink();
        }

        var now = clock.GetUtcNow();
        var entry = new Entry(caller, expiresAt < now + Longest ? expiresAt : now + Longest, generation);
        if (_entries.TryAdd(key, entry))
        {
            Interlocked.Increment(ref _count);
        }
        else
        {
            _entries[key] = entry;
        }
    }

    /// <summary>Forgets what is over; if everything is in use, all of it: whoever calls next proves themselves once more.</summary>
    private void Shrink()
    {
        var now = clock.GetUtcNow();
        var removed = 0;
        foreach (var pair in _entries)
        {
            if ((pair.Value.Until <= now || pair.Value.Generation != Generation || pair.Value.Caller.Ended.IsCancellationRequested) && _entries.TryRemove(pair))
            {
                removed++;
            }
        }

        if (Interlocked.Add(ref _count, -removed) >= Capacity)
        {
            _entries.Clear();
            Volatile.Write(ref _count, 0);
        }
    }

    private sealed record Entry(Caller Caller, DateTimeOffset Until, int Generation);
}
