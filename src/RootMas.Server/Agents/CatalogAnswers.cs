using RootMas.Server.Platform.Http;

namespace RootMas.Server.Agents;

/// <summary>What became of a change, as HTTP tells it.</summary>
internal static class CatalogAnswers
{
    /// <summary>Null: it is done.</summary>
    public static Problem? Refusal(CatalogChange change, CatalogEdit edit)
    {
        var what = edit.Kind == CatalogKind.Agent ? "agent" : "team";
        return change switch
        {
            CatalogChange.Done => null,
            CatalogChange.NotFound => NotFound(edit.Kind, edit.Name),
            CatalogChange.Exists { IsApplied: false } => Problems.Conflict(
                $"{what}_exists", $"There is a stored {what} '{CatalogProblems.Clip(edit.Name)}' already, which does not fit the files and is not applied: GET /api/v1/agents says why, under problems. Nothing was done; replace it with PUT, remove it with DELETE, or choose another name."),
            CatalogChange.Exists => Problems.Conflict($"{what}_exists", $"There is already {(edit.Kind == CatalogKind.Agent ? "an agent" : "a team")} of this name. Nothing was done; change it with PUT, or choose another name."),
            CatalogChange.Stale stale => Problems.PreconditionFailed($"\"{stale.ETag}\""),
            CatalogChange.NotOverridden => Problems.Conflict("not_overridden", $"The {what} is as its file says; there is no stored change to take back. Nothing was done."),
            CatalogChange.Invalid invalid => Invalid(invalid.Problems, edit, what),
            _ => throw new InvalidOperationException($"Unknown outcome {change}."),
        };
    }

    /// <param name="stored">The entity tag of a definition of this name that is stored and not applied; null: there is none.</param>
    public static Problem NotFound(CatalogKind kind, string name, string? stored) => stored is null ? NotFound(kind, name) : Problems.NotFound(
        kind == CatalogKind.Agent ? "agent_not_found" : "team_not_found",
        $"'{CatalogProblems.Clip(name)}' is stored, but does not fit the files and is not applied: GET /api/v1/agents says why, under problems. Its version is \"{stored}\": replace it with PUT, or remove it with DELETE.");

    public static Problem NotFound(CatalogKind kind, string name) => kind == CatalogKind.Agent
        ? Problems.NotFound("agent_not_found", $"There is no agent named '{CatalogProblems.Clip(name)}'. GET /api/v1/agents lists them.")
        : Problems.NotFound("team_not_found", $"There is no team named '{CatalogProblems.Clip(name)}'. GET /api/v1/teams lists them.");

    /// <summary>The name in the path counts; one in the body must be the same.</summary>
    public static Problem? NameMismatch(string path, string body) =>
        body.Length == 0 || body == path ? null : Problems.Invalid("name", "must be left out or equal the name in the path; a new name is a new resource");

    private static Problem Invalid(IReadOnlyList<CatalogProblem> problems, CatalogEdit edit, string what)
    {
        if (edit.State != OverrideState.Live)
        {
            return Problems.Conflict($"{what}_in_use", $"Without it the catalog would not fit together, so nothing was done. Correct this first: {string.Join(" ", problems.Take(5).Select(p => $"{p.Key}: {p.Message}"))}");
        }

        var prefix = $"{(edit.Kind == CatalogKind.Agent ? "agents" : "teams")}.{edit.Name}.";
        return Problems.Validation(problems
            .GroupBy(p => p.Key.StartsWith(prefix, StringComparison.Ordinal) ? p.Key[prefix.Length..] : CatalogProblems.Clip(p.Key), StringComparer.Ordinal)
            .Take(50)
            .ToDictionary(g => g.Key, g => g.Select(p => p.Message).Take(10).ToArray(), StringComparer.Ordinal));
    }
}
