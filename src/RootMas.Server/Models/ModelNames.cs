using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Models;

/// <summary>Which names a request may give for its model: tiers, and models of the catalog as it is now.</summary>
public sealed class ModelNames
{
    private const int LongestShown = 100;
    private readonly ModelRouter _router;

    internal ModelNames(ModelRouter router) => _router = router;

    /// <summary>Why the name is none, for people; null: it is one, or none was given.</summary>
    public string? Refusal(string? name)
    {
        if (name is null || ModelCatalog.TierNames.Contains(name, StringComparer.Ordinal) || _router.Current.Find(name) is not null)
        {
            return null;
        }

        var shown = string.Concat(name.Take(LongestShown).Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return $"There is no model and no tier named '{shown}'. Tiers: {string.Join(", ", ModelCatalog.TierNames)}. GET /api/v1/models lists the models.";
    }
}
