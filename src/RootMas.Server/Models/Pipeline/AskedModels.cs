namespace RootMas.Server.Models.Pipeline;

/// <summary>The models that a tier, or a name, leads to. Made with the catalog, so that a call costs a look.</summary>
/// <param name="Identity">Equal as long as the same models at the same places are asked in the same order.</param>
internal sealed record AskedModels(string Identity)
{
    /// <summary>There is nothing of this name.</summary>
    public static readonly AskedModels None = new("");

    /// <summary>The built-in rules among models: what they say is said only because these fail.</summary>
    public IReadOnlyList<string> StandIns { get; init; } = [];

    public static AskedModels Of(IReadOnlyList<ModelSpec> models)
    {
        var rules = models.Where(static m => m.Provider.Kind == ProviderKind.Offline).Select(static m => m.Name).ToArray();
        return new AskedModels(string.Join('\n', models.Select(static m => $"{m.Name}\t{m.Id}\t{m.Provider.Name}\t{m.Provider.Kind}\t{m.Provider.BaseUrl}"))) { StandIns = rules.Length < models.Count ? rules : [] };
    }

    public bool StandsIn(string model) => StandIns.Contains(model, StringComparer.Ordinal);
}
