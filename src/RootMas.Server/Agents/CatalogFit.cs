using RootMas.Runtime.Tools;

namespace RootMas.Server.Agents;

/// <summary>A stored change that is not part of the catalog, and why.</summary>
internal sealed record LeftOutChange(CatalogOverride Change, IReadOnlyList<CatalogProblem> Problems);

/// <summary>
/// A build with all stored changes that fit the files. Those that no longer do are left out and told, because a server that does not start cannot be corrected through its API.
/// <see cref="CatalogBuild.Catalog"/> is null only if the files alone have errors.
/// </summary>
internal sealed record CatalogFit(CatalogBuild Build, IReadOnlyList<LeftOutChange> LeftOut)
{
    private const string NotApplied = "stored change not applied: ";
    private const int MostReasons = 3;

    /// <param name="before">Left out until now. They get another chance, but put out nothing that is applied.</param>
    public static CatalogFit Make(CatalogFiles files, IReadOnlyList<CatalogOverride> overrides, IReadOnlyList<LeftOutChange> before, IToolCatalog tools, AgentsOptions options)
    {
        var all = Make(files, overrides, tools, options);
        var known = before.Where(l => overrides.Contains(l.Change)).ToList();
        if (known.Count == 0 || all.LeavesOutOnly(known))
        {
            return all;
        }

        var rest = Make(files, [.. overrides.Where(o => !known.Exists(l => l.Change == o))], tools, options);
        return rest with { LeftOut = [.. rest.LeftOut, .. known] };
    }

    /// <summary>Nothing is left out that was not before.</summary>
    public bool LeavesOutOnly(IReadOnlyList<LeftOutChange> before) => LeftOut.All(l => before.Any(b => b.Change == l.Change));

    private static CatalogFit Make(CatalogFiles files, IReadOnlyList<CatalogOverride> overrides, IToolCatalog tools, AgentsOptions options)
    {
        List<LeftOutChange> leftOut = [];
        var remaining = overrides;
        while (true)
        {
            var build = CatalogBuild.Make(files, remaining, tools, options);
            if (build.Catalog is not null || remaining.Count == 0)
            {
                return new CatalogFit(build, leftOut);
            }

            var guilty = Guilty(files, remaining, build.Problems.Where(static p => !p.IsWarning).ToList());
            leftOut.AddRange(guilty);
            remaining = [.. remaining.Where(o => !guilty.Exists(g => g.Change == o))];
        }
    }

    /// <summary>Definitions that are wrong themselves. Errors of files that files alone do not have come from what was deleted or replaced; what was only added stays unless nothing else helps.</summary>
    private static List<LeftOutChange> Guilty(CatalogFiles files, IReadOnlyList<CatalogOverride> remaining, List<CatalogProblem> errors)
    {
        var wrong = remaining.Select(o => new LeftOutChange(o, [.. errors.Where(p => p.Source == CatalogBuild.Api && p.Key.StartsWith($"{o.Key}.", StringComparison.Ordinal)).Select(AsWarning)]))
            .Where(static l => l.Problems.Count > 0).ToList();
        if (wrong.Count > 0)
        {
            return wrong;
        }

        static bool IsDeleted(CatalogOverride o) => o.State == OverrideState.Deleted;
        bool IsReplaced(CatalogOverride o) => o.State == OverrideState.Live && IsOf(files, o);
        bool IsNamed(CatalogOverride o) => errors.Exists(p => Names(p, o, files));
        Func<CatalogOverride, bool>[] steps = [o => IsDeleted(o) && IsNamed(o), o => IsReplaced(o) && IsNamed(o), IsDeleted, IsReplaced, static _ => true];
        return [.. steps.Select(step => remaining.Where(step).ToList()).First(static g => g.Count > 0).Select(o => new LeftOutChange(o, [Why(o, errors, files)]))];
    }

    private static CatalogProblem AsWarning(CatalogProblem problem) => problem with { Message = NotApplied + problem.Message, IsWarning = true };

    private static CatalogProblem Why(CatalogOverride change, List<CatalogProblem> errors, CatalogFiles files)
    {
        var own = errors.Where(p => Names(p, change, files)).ToList();
        return AsWarning(new CatalogProblem(CatalogBuild.Api, change.Key, string.Join(" ", (own.Count > 0 ? own : errors).Take(MostReasons))));
    }

    private static bool IsOf(CatalogFiles files, CatalogOverride change) => change.Kind == CatalogKind.Agent
        ? files.Agents.Any(a => a.Definition.Name == change.Name)
        : files.Teams.Any(t => t.Definition.Name == change.Name);

    private static bool Names(CatalogProblem error, CatalogOverride change, CatalogFiles files) => change.Kind == CatalogKind.Agent
        ? error.Message.Contains($"'{change.Name}'", StringComparison.Ordinal) || error.Key.EndsWith($".{change.Name}", StringComparison.Ordinal)
        : error.Key == "default" && change.Name == files.DefaultTeam;
}
