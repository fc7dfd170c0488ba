using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Resilience;

/// <summary>The policies of every client that reaches outside of this process. What stands in <see cref="ResilienceOptions"/> is all there is.</summary>
public sealed class OutboundPolicies
{
    /// <summary>Circuits of single targets that are remembered; beyond it the one that was not used for longest is forgotten.</summary>
    private const int MostTargets = 1_000;

    private readonly Dictionary<string, OutboundSettings> _table;
    private readonly ConcurrentDictionary<(string Client, string Target), OutboundPolicy> _policies = new();
    private readonly ConcurrentDictionary<(string Client, string Target), (Func<string> Circuit, Func<string?>? LastFailure)> _watched = new();
    private readonly ConcurrentDictionary<string, Func<Exception, string>> _classes = new(StringComparer.Ordinal);
    private readonly TimeProvider _clock;

    public OutboundPolicies(ResilienceOptions options, TimeProvider clock, IMeterFactory? meters = null)
    {
        _table = Table(options);
        _clock = clock;
        Traffic = new OutboundTraffic(meters?.Create(RootMasTelemetry.Name) ?? RootMasTelemetry.Meter, meters is null ? null : Measure); // a command shows no gauges
    }

    /// <summary>The names, as settings and metrics write them.</summary>
    public IReadOnlyCollection<string> Clients => _table.Keys;

    internal OutboundTraffic Traffic { get; }

    public OutboundSettings SettingsOf(string client) =>
        _table.TryGetValue(client, out var settings) ? settings : throw new ArgumentException($"The client '{client}' has no policy. Declare it in ResilienceOptions; there are {string.Join(", ", _table.Keys)}.", nameof(client));

    /// <summary>The policy of a client that calls one service.</summary>
    public OutboundPolicy Get(string client) => Get(client, "");

    /// <summary>The policy of a client that calls several, with a circuit for this one: one broken host must not cut off the others.</summary>
    public OutboundPolicy Get(string client, string target)
    {
        if (_policies.TryGetValue((client, target), out var known))
        {
            return known;
        }

        var settings = SettingsOf(client);
        if (_policies.Count >= MostTargets && _policies.Where(static p => p.Key.Target.Length > 0).MinBy(static p => p.Value.LastUsed) is { Value: not null } oldest)
        {
            _policies.TryRemove(oldest.Key, out _);
        }

        return _policies.GetOrAdd((client, target), static (key, made) => new OutboundPolicy(key.Client, made.Settings, made.Policies.Traffic, made.Policies._clock, e => made.Policies.ClassOf(key.Client, e)), (Settings: settings, Policies: this));
    }

    /// <summary>A client knows what its failures are: in a word that may be shown. Of the others only the plainest is told.</summary>
    internal void Classify(string client, Func<Exception, string> classOf)
    {
        SettingsOf(client);
        _classes[client] = classOf;
    }

    /// <summary>A client with a circuit of its own kind shows it here; the last one of a name counts.</summary>
    /// <param name="circuit">closed, half_open, open.</param>
    /// <param name="lastFailure">In a word that may be shown.</param>
    internal void Watch(string client, string target, Func<string> circuit, Func<string?>? lastFailure = null)
    {
        SettingsOf(client);
        _watched[(client, target)] = (circuit, lastFailure);
    }

    internal void Unwatch(string client, string target) => _watched.TryRemove((client, target), out _);

    /// <summary>Every circuit that was made so far.</summary>
    internal IEnumerable<(string Client, string Target, string State, string? LastFailure)> Circuits() =>
        _policies.Select(static p => (p.Key.Client, p.Key.Target, p.Value.Circuit, p.Value.LastFailure))
            .Concat(_watched.Select(static w => (w.Key.Client, w.Key.Target, w.Value.Circuit(), w.Value.LastFailure?.Invoke())));

    private string ClassOf(string client, Exception failure) => _classes.TryGetValue(client, out var classOf) ? classOf(failure) : HealthState.ClassOf(failure);

    private IEnumerable<Measurement<long>> Measure() => Circuits().GroupBy(static c => c.Client, StringComparer.Ordinal)
        .Select(static g => new Measurement<long>(g.Max(static c => c.State switch { "open" => 2L, "half_open" => 1, _ => 0 }), new KeyValuePair<string, object?>("client", g.Key)));

    private static Dictionary<string, OutboundSettings> Table(ResilienceOptions options) => typeof(ResilienceOptions).GetProperties()
        .Where(static p => p.PropertyType == typeof(OutboundSettings))
        .ToDictionary(static p => p.Name.ToLowerInvariant(), p => (OutboundSettings)p.GetValue(options)!, StringComparer.Ordinal);
}
