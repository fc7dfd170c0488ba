using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Models;

/// <summary>Which names a request may give for its model: tiers, and models of the catalog as it is now.</summary>
public sealed class ModelNames
{
    private const int LongestShown = 100;
    private readonly ModelRouter _router;
    private readonly ModelCatalogSource _source;

    internal ModelNames(ModelRouter router, ModelCatalogSource source) => (_router, _source) = (router, source);

    /// <summary>Why the name is none, for people; null: it is one, or none was given. Only one that is not known here costs a look at what other instances were told.</summary>
    public async ValueTask<string?> RefusalAsync(string? name, CancellationToken cancellationToken)
    {
        if (name is null || IsKnown(name))
        {
            return null;
        }

        await _source.FollowOthersAsync(cancellationToken);
        if (IsKnown(name))
        {
            return null;
        }

        var shown = string.Concat(name.Take(LongestShown).Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return $"There is no model and no tier named '{shown}'. Tiers: {string.Join(", ", ModelCatalog.TierNames)}. GET /api/v1/models lists the models.";
    }

    internal bool IsKnown(string name) => ModelCatalog.TierNames.Contains(name, StringComparer.Ordinal) || _router.Current.Find(name) is not null;
}
