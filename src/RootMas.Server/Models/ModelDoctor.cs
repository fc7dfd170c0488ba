using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Models;

/// <summary>One provider as <c>rootmas doctor</c>, <c>GET /models</c> and health show it.</summary>
/// <param name="KeyValid">Null: not known, because the provider did not answer or needs no key.</param>
/// <param name="ErrorClass">Of the probe; null: it answered.</param>
/// <param name="Advice">What to do, when there is something to do.</param>
public sealed record ProviderState(string Provider, string Kind, string? BaseUrl, bool Reachable, bool? KeyValid, string? ErrorClass, double LatencyMs, DateTimeOffset CheckedAt, string? Advice);

/// <summary>What traffic has shown of one model.</summary>
/// <param name="Circuit">closed, open (not asked for a while), half_open (one request tries).</param>
public sealed record EndpointState(string Model, string Provider, string Circuit, string? LastErrorClass, DateTimeOffset? LastErrorAt, DateTimeOffset? LastAnswerAt, double? TtftMs)
{
    /// <summary>Its circuit is open and not yet due for a try.</summary>
    public bool Refuses { get; init; }
}

/// <summary>Asks each provider whether it is there and takes the key, without spending tokens; answers are kept for a moment so that health checks do not become traffic.</summary>
public sealed class ModelDoctor
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(3);

    private readonly ModelRouter _router;
    private readonly ModelDiscovery _discovery;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _one = new(1, 1);
    private IReadOnlyList<ProviderState> _last = [];
    private long _checked;
    private RouteTable? _checkedFor;

    internal ModelDoctor(ModelRouter router, ModelDiscovery discovery, TimeProvider clock)
    {
        _router = router;
        _discovery = discovery;
        _clock = clock;
    }

    /// <summary>True while only the rules of the offline model answer.</summary>
    public bool IsOffline => _router.Current.Catalog.IsOffline;

    /// <summary>Things an operator should know.</summary>
    public IReadOnlyList<string> Notes => _router.Current.Catalog.Notes;

    /// <summary>What traffic has shown; costs nothing.</summary>
    public IReadOnlyList<EndpointState> Endpoints =>
        [.. _router.Current.Endpoints.Select(e => (e.Model, e.Circuit, e.Health.Last, e.Refuses)).Select(e => new EndpointState(
            e.Model.Name, e.Model.Provider.Name, e.Circuit, e.Last.ErrorClass, e.Last.FailedAt, e.Last.AnsweredAt, e.Last.TtftMs) { Refuses = e.Refuses })];

    /// <summary>Whether every tier has a model whose circuit lets requests through; for readiness.</summary>
    public bool CanServe => ModelCatalog.TierNames.All(tier => _router.Current.Catalog.Tiers[tier].Any(m => _router.Current.Find(m.Name)?.Circuit != "open"));

    /// <summary>The state of every provider, at most 15 s old.</summary>
    public async Task<IReadOnlyList<ProviderState>> ExamineAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var table = _router.Current;
            if (_checkedFor != table || _clock.GetElapsedTime(_checked) > Fresh)
            {
                var providers = table.Catalog.Models.Values.Select(m => m.Provider).DistinctBy(p => p.Name, StringComparer.Ordinal);
                _last = await Task.WhenAll(providers.Select(p => ExamineAsync(p, cancellationToken)));
                (_checkedFor, _checked) = (table, _clock.GetTimestamp());
            }

            return _last;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<ProviderState> ExamineAsync(ModelProvider provider, CancellationToken cancellationToken)
    {
        var now = _clock.GetUtcNow();
        if (provider.Kind == ProviderKind.Offline)
        {
            return new ProviderState(provider.Name, "offline", null, true, null, null, 0, now, null);
        }

        var probe = await _discovery.ProbeAsync(provider, AtMost, cancellationToken);
        var (refused, unpaid) = (probe.ErrorClass == "auth", probe.ErrorClass == "credit");
        // Servers without a list of models answer 404: they are there all the same.
        var reachable = probe.ErrorClass is null or "auth" or "credit" or "bad_request" or "rate_limited" or "invalid_answer";
        bool? keyValid = refused ? false : probe.ErrorClass is null && provider.Key is not null ? true : null;
        return new ProviderState(provider.Name, "openai", provider.BaseUrl?.AbsoluteUri, reachable, keyValid, reachable && !refused && !unpaid ? null : probe.ErrorClass, probe.LatencyMs, now, Advice(provider, reachable, refused, unpaid));
    }

    /// <summary>For everybody who may see models: it names no address.</summary>
    private static string? Advice(ModelProvider provider, bool reachable, bool refused, bool unpaid) =>
        refused ? $"The key is refused. Check {provider.KeyPlace}."
        : unpaid ? $"The account at the provider {provider.Name} has no credit left, or its limit is reached. Top it up or raise the limit there."
        : reachable ? null
        : $"Nothing answers at the address of the provider {provider.Name}. Is it started, and is the address right?";
}
