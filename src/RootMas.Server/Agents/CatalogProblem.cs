namespace RootMas.Server.Agents;

/// <summary>Something that is wrong, or worth knowing, about the catalog.</summary>
/// <param name="Source">Where it stands: <c>agents.yaml</c>, <c>teams.yaml</c>, <c>prompts/&lt;agent&gt;.md</c>, or <c>api</c>.</param>
/// <param name="Key">The key, dotted: <c>agents.researcher.tier</c>; with a line number where the file could not be read further.</param>
/// <param name="Message">What is wrong and what would be right.</param>
/// <param name="IsWarning">True: the catalog works all the same.</param>
public sealed record CatalogProblem(string Source, string Key, string Message, bool IsWarning = false)
{
    /// <summary>An agent or team is named that there is not: it may be one of the database, where that was not read.</summary>
    internal bool IsReference { get; init; }

    public override string ToString() => $"{Source}: {Key}: {Message}";
}

/// <summary>Collects all problems of one build, so that they are told together.</summary>
internal sealed class CatalogProblems
{
    private readonly List<CatalogProblem> _items = [];

    public IReadOnlyList<CatalogProblem> Items => _items;

    public bool HasErrors => _items.Exists(p => !p.IsWarning);

    public void Error(string source, string key, string message) => _items.Add(new CatalogProblem(source, key, message));

    /// <summary>There is no agent or team of this name.</summary>
    public void Missing(string source, string key, string message) => _items.Add(new CatalogProblem(source, key, message) { IsReference = true });

    public void Warn(string source, string key, string message) => _items.Add(new CatalogProblem(source, key, message, IsWarning: true));

    /// <summary>Foreign text in a message: short enough to be read.</summary>
    public static string Clip(string? text) => text is null ? "" : text.Length <= 80 ? text : text[..80] + "…";

    public void AddRange(IEnumerable<CatalogProblem> problems) => _items.AddRange(problems);
}

/// <summary>The catalog cannot be used: the start refuses and names every problem.</summary>
public sealed class CatalogException(IReadOnlyList<CatalogProblem> problems)
    : Exception("The agent catalog is not usable. Correct these and start again:" + string.Concat(problems.Select(p => $"{Environment.NewLine}  {p}")))
{
    public IReadOnlyList<CatalogProblem> Problems { get; } = problems;
}
