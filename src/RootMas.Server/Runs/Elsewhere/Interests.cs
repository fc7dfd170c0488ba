using System.Collections.Concurrent;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>
/// What other instances want to hear of, and who. Whoever wants something says so again every few seconds (<see cref="RunsElsewhere"/>), so an instance that died is forgotten and a word that was lost is made up for.
/// </summary>
internal sealed class Interests(TimeProvider clock)
{
    /// <summary>Three times as long as it takes until it is said again.</summary>
    public static readonly TimeSpan Validity = TimeSpan.FromSeconds(15);

    private const int Most = 200_000;

    private readonly ConcurrentDictionary<string, Listener[]> _listeners = new(StringComparer.Ordinal);

    public bool IsEmpty => _listeners.IsEmpty;

    /// <summary>The instances that want to hear of it.</summary>
    public ReadOnlySpan<Listener> Of(string key) => _listeners.TryGetValue(key, out var all) ? all : [];

    public void Note(string key, string instance)
    {
        if (_listeners.Count >= Most && !_listeners.ContainsKey(key))
        {
            return; // no installation has so many streams; whoever follows this one asks the database
        }

        var until = new Listener(instance, clock.GetTimestamp() + (long)(Validity.TotalSeconds * clock.TimestampFrequency));
        _listeners.AddOrUpdate(key, static (_, me) => [me], static (_, all, me) => [.. all.Where(l => l.Instance != me.Instance), me], until);
    }

    /// <summary>Forgets what nobody has asked for lately.</summary>
    public void Expire()
    {
        var now = clock.GetTimestamp();
        foreach (var (key, all) in _listeners)
        {
            if (Array.Exists(all, l => l.Until < now))
            {
                Listener[] left = [.. all.Where(l => l.Until >= now)];
                _ = left.Length == 0 ? _listeners.TryRemove(KeyValuePair.Create(key, all)) : _listeners.TryUpdate(key, left, all);
            }
        }
    }

    internal readonly record struct Listener(string Instance, long Until);
}
