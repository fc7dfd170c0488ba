using System.Collections.Frozen;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Models.Pipeline;

/// <summary>The endpoints of one catalog, in the order in which each tier asks them. Immutable.</summary>
internal sealed class RouteTable
{
    private readonly FrozenDictionary<string, IReadOnlyList<Candidate>> _tiers;
    private readonly FrozenDictionary<string, Candidate> _fixed;
    private readonly FrozenDictionary<string, AskedModels> _askedByTier;
    private readonly FrozenDictionary<string, AskedModels> _askedByModel;

    public RouteTable(ModelCatalog catalog, IReadOnlyDictionary<string, ModelEndpoint> endpoints)
    {
        Catalog = catalog;
        Endpoints = [.. endpoints.Values];
        _fixed = endpoints.Values.ToFrozenDictionary(e => e.Model.Name, e => new Candidate("fixed", int.MaxValue, e), StringComparer.Ordinal);
        var tiers = ModelCatalog.TierNames
            .Select((name, rank) => catalog.Tiers[name].Select(m => new Candidate(name, rank, endpoints[m.Name])).ToArray())
            .ToArray();
        _tiers = ModelCatalog.TierNames.Select((name, rank) => (name, Order: OrderFrom(tiers, rank))).ToFrozenDictionary(t => t.name, t => t.Order, StringComparer.Ordinal);
        _askedByTier = catalog.Tiers.ToFrozenDictionary(static t => t.Key, static t => AskedModels.Of(t.Value), StringComparer.Ordinal);
        _askedByModel = endpoints.Values.ToFrozenDictionary(static e => e.Model.Name, static e => AskedModels.Of([e.Model]), StringComparer.Ordinal);
    }

    public ModelCatalog Catalog { get; }

    public IReadOnlyList<ModelEndpoint> Endpoints { get; }

    /// <summary>The endpoint of a model by name; null: no such model.</summary>
    public ModelEndpoint? Find(string model) => _fixed.TryGetValue(model, out var candidate) ? candidate.Endpoint : null;

    /// <exception cref="ModelException">The call names a model or tier that is not configured.</exception>
    public IReadOnlyList<Candidate> Route(ModelCall call)
    {
        if (call.Model is { Length: > 0 } model)
        {
            return _fixed.TryGetValue(model, out var one) ? [one] : _tiers.TryGetValue(model, out var asTier) ? asTier : throw Unknown("model", model, [.. _fixed.Keys, .. _tiers.Keys]);
        }

        return _tiers.TryGetValue(call.Tier, out var tier) ? tier : throw Unknown("tier", call.Tier, ModelCatalog.TierNames);
    }

    /// <summary>Whom <see cref="Route"/> leads to while nobody of them fails.</summary>
    public AskedModels Asked(ModelCall call)
    {
        var name = call.Model is { Length: > 0 } model ? model : call.Tier;
        return call.Model is { Length: > 0 } && _askedByModel.TryGetValue(name, out var one) ? one : _askedByTier.TryGetValue(name, out var tier) ? tier : AskedModels.None;
    }

    private static IReadOnlyList<Candidate> OrderFrom(Candidate[][] tiers, int rank) =>
        [.. tiers[rank..].SelectMany(t => t), .. tiers[..rank].Reverse().SelectMany(t => t)];

    private static ModelException Unknown(string what, string name, IEnumerable<string> legal) =>
        new("bad_request", $"No {what} '{name}' is configured. Legal: {string.Join(", ", legal.Order(StringComparer.Ordinal))}.");
}

/// <summary>Holds the current <see cref="RouteTable"/> and makes a new one when the catalog changes; endpoints that stay the same keep their circuits.</summary>
internal sealed class ModelRouter : IDisposable
{
    private readonly Func<ModelSpec, IChatClient> _connect;
    private readonly LedgerStore _ledger;
    private readonly TimeProvider _clock;
    private readonly OutboundPolicies _outbound;
    private readonly Dictionary<ModelSpec, ModelEndpoint> _endpoints = [];
    private readonly Lock _lock = new();
    private volatile RouteTable _current;

    /// <param name="connect">Makes the client for a model.</param>
    public ModelRouter(ModelCatalog catalog, Func<ModelSpec, IChatClient> connect, LedgerStore ledger, TimeProvider clock, OutboundPolicies outbound)
    {
        _connect = connect;
        _ledger = ledger;
        _clock = clock;
        _outbound = outbound;
        _current = Build(catalog);
    }

    public RouteTable Current => _current;

    public void Use(ModelCatalog catalog)
    {
        lock (_lock)
        {
            _current = Build(catalog);
        }
    }

    public void Dispose()
    {
        foreach (var endpoint in _endpoints.Values)
        {
            endpoint.Client.Dispose();
            endpoint.Dispose();
        }
    }

    /// <summary>Endpoints that a new catalog no longer names are kept: calls that began before may still use them, and a name that comes back finds its circuit.</summary>
    private RouteTable Build(ModelCatalog catalog)
    {
        var used = new Dictionary<string, ModelEndpoint>(StringComparer.Ordinal);
        foreach (var model in catalog.Models.Values)
        {
            if (!_endpoints.TryGetValue(model, out var endpoint))
            {
                endpoint = new ModelEndpoint(model, _connect(model), _ledger, _clock, _outbound);
                _endpoints.Add(model, endpoint);
            }

            used.Add(model.Name, endpoint);
        }

        return new RouteTable(catalog, used);
    }
}
