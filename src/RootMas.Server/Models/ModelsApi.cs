using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Models;

/// <summary>All models and tiers.</summary>
public sealed record ModelsResponse
{
    /// <summary>The models that can be asked, by name: those of this page. The rest of the answer is the same on every page.</summary>
    public required IReadOnlyList<ModelResponse> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    public string? NextCursor { get; init; }

    /// <summary>The tiers, cheapest first.</summary>
    public required IReadOnlyList<TierResponse> Tiers { get; init; }

    /// <summary>The providers that models.yaml names, those that still lack a key as well.</summary>
    public required IReadOnlyList<ProviderResponse> Providers { get; init; }

    /// <summary>Name of the model for embeddings; null: none.</summary>
    public string? Embedding { get; init; }

    /// <summary>True while only the built-in rules answer, because no model is configured.</summary>
    public required bool Offline { get; init; }

    /// <summary>Things an operator should know.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Why the newest edit of models.yaml is not in force, for those who may write settings; empty: it is in force. Until it is, the models stay as they were.</summary>
    public required IReadOnlyList<string> Problems { get; init; }
}

/// <summary>A provider, and where its key comes from.</summary>
public sealed record ProviderResponse
{
    /// <summary>Name of the provider.</summary>
    public required string Name { get; init; }

    /// <summary>It has a key. The key is never shown.</summary>
    public required bool HasKey { get; init; }

    /// <summary>Name of the secret that an administrator may enter as the key while the server runs; null: none is named.</summary>
    public string? KeySecret { get; init; }

    /// <summary>Name of the environment variable that may hold the key, and counts before the secret; null: none is named.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>Names of its models, there once it has a key.</summary>
    public required IReadOnlyList<string> Models { get; init; }
}

/// <summary>A tier.</summary>
public sealed record TierResponse
{
    /// <summary>cheap, standard or premium.</summary>
    public required string Name { get; init; }

    /// <summary>Names of its models, in the order in which they are asked.</summary>
    public required IReadOnlyList<string> Models { get; init; }
}

/// <summary>A model and the state of its endpoint.</summary>
public sealed record ModelResponse
{
    /// <summary>Name of the model here; what tiers and the member <c>model</c> of a request use.</summary>
    public required string Name { get; init; }

    /// <summary>The provider's own id of the model.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the provider.</summary>
    public required string Provider { get; init; }

    /// <summary>Tokens that fit, input and output together.</summary>
    public required int ContextTokens { get; init; }

    /// <summary>Tiers that name the model.</summary>
    public required IReadOnlyList<string> Tiers { get; init; }

    /// <summary>True: costs nothing.</summary>
    public required bool Free { get; init; }

    /// <summary>US dollars per million input tokens, decimal.</summary>
    public required string InputPrice { get; init; }

    /// <summary>US dollars per million input tokens that the provider had cached, decimal.</summary>
    public required string CachedPrice { get; init; }

    /// <summary>US dollars per million output tokens, decimal.</summary>
    public required string OutputPrice { get; init; }

    /// <summary>What the model can do: tools, json_schema, vision, reasoning, embeddings.</summary>
    public required IReadOnlyList<string> Capabilities { get; init; }

    /// <summary>Where it is served, and how that is doing.</summary>
    public required EndpointResponse Endpoint { get; init; }
}

/// <summary>The state of an endpoint.</summary>
public sealed record EndpointResponse
{
    /// <summary>The provider answered when last asked (at most 15 s ago).</summary>
    public required bool Reachable { get; init; }

    /// <summary>The provider takes the key; null: not known, or no key is needed.</summary>
    public bool? KeyValid { get; init; }

    /// <summary>closed: requests go through; open: after too many failures it is not asked for a while; half_open: one request tries.</summary>
    public required string Circuit { get; init; }

    /// <summary>Class of the last failure, however long ago: unreachable, timeout, rate_limited, server_error, auth, credit, bad_request, context_length, content_filter, invalid_answer.</summary>
    public string? LastError { get; init; }

    /// <summary>When that was.</summary>
    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>When it last answered a request.</summary>
    public DateTimeOffset? LastAnswerAt { get; init; }

    /// <summary>Round trip of the last check, milliseconds.</summary>
    public required double LatencyMs { get; init; }

    /// <summary>What to do, when there is something to do.</summary>
    public string? Advice { get; init; }
}

internal static class ModelsApi
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/models", ListAsync)
            .RequirePermission("agents:read")
            .Cached(new CachedRoute([CacheScope.Models, CacheScope.Runs], TimeSpan.FromSeconds(1), static services => services.GetRequiredService<ModelCatalogSource>().Revision,
                static (services, cancellationToken) => services.GetRequiredService<ModelCatalogSource>().FollowOthersAsync(cancellationToken)))
            .WithName("list_models")
            .WithTags("Models")
            .WithSummary("List models and tiers")
            .WithDescription("Every configured model with its prices, the tiers that name it, and the state of its endpoint. Addresses and keys are not shown. Who may write settings also sees why an edit of models.yaml is not in force.");

    private static async Task<Results<Ok<ModelsResponse>, Problem>> ListAsync(
        [Description(Paging.ShortLimit)] int? limit, string? cursor, ModelRouter router, ModelDoctor doctor, ModelCatalogSource source, HttpContext context, CancellationToken cancellationToken)
    {
        await source.FollowSecretsAsync(cancellationToken);
        var catalog = router.Current.Catalog;
        if (Paging.ReadShort(limit, cursor, catalog.Models.Count, out var page) is { } invalid)
        {
            return invalid;
        }

        var (models, next) = Paging.PageOf(catalog.Models.Values.OrderBy(static m => m.Name, StringComparer.Ordinal).ToList(), page, static m => m.Name);
        var providers = (await doctor.ExamineAsync(cancellationToken)).ToDictionary(p => p.Provider, StringComparer.Ordinal);
        var endpoints = doctor.Endpoints.ToDictionary(e => e.Model, StringComparer.Ordinal);
        return TypedResults.Ok(new ModelsResponse
        {
            Items = [.. models.Select(m => ModelAnswer(m, catalog, providers, endpoints))],
            NextCursor = next,
            Tiers = [.. ModelCatalog.TierNames.Select(t => new TierResponse { Name = t, Models = [.. catalog.Tiers[t].Select(m => m.Name)] })],
            Providers = [.. source.Providers.Where(static p => p.Kind == ProviderKind.OpenAi).OrderBy(static p => p.Name, StringComparer.Ordinal).Select(p => new ProviderResponse
            {
                Name = p.Name, HasKey = p.Key is not null, KeySecret = p.KeySecret, KeyVariable = p.KeyVariable, Models = [.. source.ModelsOf(p.Name)],
            })],
            Embedding = catalog.Embedding?.Name,
            Offline = catalog.IsOffline,
            Notes = catalog.Notes,
            Problems = context.Caller().May("settings:write") ? source.Problems : [], // they hold paths
        });
    }

    private static ModelResponse ModelAnswer(ModelSpec model, ModelCatalog catalog, Dictionary<string, ProviderState> providers, Dictionary<string, EndpointState> endpoints)
    {
        var invariant = System.Globalization.CultureInfo.InvariantCulture;
        var provider = providers.GetValueOrDefault(model.Provider.Name);
        var endpoint = endpoints.GetValueOrDefault(model.Name);
        return new ModelResponse
        {
            Name = model.Name,
            Id = model.Id,
            Provider = model.Provider.Name,
            ContextTokens = model.ContextTokens,
            Tiers = [.. ModelCatalog.TierNames.Where(t => catalog.Tiers[t].Contains(model))],
            Free = model.Price.IsFree,
            InputPrice = model.Price.Input.ToString(invariant),
            CachedPrice = model.Price.Cached.ToString(invariant),
            OutputPrice = model.Price.Output.ToString(invariant),
            Capabilities = [.. CapabilityNames.Where(c => model.Can(c.Flag)).Select(c => c.Name)],
            Endpoint = new EndpointResponse
            {
                Reachable = provider?.Reachable ?? false,
                KeyValid = provider?.KeyValid,
                Circuit = endpoint?.Circuit ?? "closed",
                LastError = endpoint?.LastErrorClass,
                LastErrorAt = endpoint?.LastErrorAt,
                LastAnswerAt = endpoint?.LastAnswerAt,
                LatencyMs = provider?.LatencyMs ?? 0,
                Advice = provider?.Advice,
            },
        };
    }

    private static readonly (string Name, ModelCapabilities Flag)[] CapabilityNames =
    [
        ("tools", ModelCapabilities.Tools), ("json_schema", ModelCapabilities.JsonSchema), ("vision", ModelCapabilities.Vision),
        ("reasoning", ModelCapabilities.Reasoning), ("embeddings", ModelCapabilities.Embeddings),
    ];
}
