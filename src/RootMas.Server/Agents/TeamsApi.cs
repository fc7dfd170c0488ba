using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Agents;

/// <summary>Routes of teams.</summary>
internal static class TeamsApi
{
    private const string Read = "agents:read";
    private const string Write = "agents:write";

    public static void Map(RouteGroupBuilder teams)
    {
        teams.MapGet("/api/v1/teams", List).RequirePermission(Read).Cached(CatalogCaching.Catalog).WithName("ListTeams")
            .WithSummary("List teams").WithDescription("All teams with their pattern, routing graph and limits.");
        teams.MapGet("/api/v1/teams/{name}", Get).RequirePermission(Read).WithName("GetTeam").Refuses(404, "team_not_found", "There is no team of this name.")
            .WithSummary("Read a team").WithDescription("One team with its ETag.");
        teams.MapPost("/api/v1/teams", Create).RequirePermission(Write).Audits("team.create").ShowsAgain().Changes(CacheScope.Catalog).WithName("CreateTeam")
            .Refuses(400, "validation_failed", "The definition is not valid.").Refuses(409, "team_exists", "There is already a team of this name.")
            .WithSummary("Add a team").WithDescription("Checked like the files, stored, and live at once.");
        teams.MapPut("/api/v1/teams/{name}", Replace).RequirePermission(Write).Audits("team.replace").Changes(CacheScope.Catalog).WithName("ReplaceTeam")
            .Refuses(400, "validation_failed", "The definition is not valid.").Refuses(404, "team_not_found", "There is no team of this name.")
            .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.")
            .WithSummary("Replace a team").WithDescription("Needs If-Match with the ETag that was read. What GET gave can be sent back as it is: members that only GET tells are ignored. The stored definition overrides the file's. Runs that have started keep the version they started with.");
        teams.MapDelete("/api/v1/teams/{name}", Delete).RequirePermission(Write).Audits("team.delete").Changes(CacheScope.Catalog).WithName("DeleteTeam")
            .Refuses(404, "team_not_found", "There is no team of this name.").Refuses(409, "team_in_use", "It is the default team.")
            .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.")
            .WithSummary("Remove a team").WithDescription("Needs If-Match. With ?revert=true only the stored change is taken back, and the file's definition, if there is one, counts again.");
    }

    private static Results<Ok<TeamList>, Problem> List(AgentCatalog catalog, int? limit, string? cursor)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        var current = catalog.Current;
        var (items, next) = Paging.PageOf(current.Teams, page, t => t.Team.Name);
        return TypedResults.Ok(new TeamList { Items = [.. items.Select(t => View(current, t))], NextCursor = next, Default = current.DefaultTeam });
    }

    private static async Task<Results<Ok<TeamView>, Problem>> Get([Description("The team's name.")] string name, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        var current = await catalog.NewestAsync(cancellationToken);
        if (current.FindTeam(name) is not { } team)
        {
            return CatalogAnswers.NotFound(CatalogKind.Team, name, catalog.TagOf(CatalogKind.Team, name));
        }

        context.Response.SetETag(team.ETag);
        return TypedResults.Ok(View(current, team));
    }

    private static async Task<Results<Created<TeamView>, Problem>> Create(TeamDefinition body, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        var key = context.Idempotency();
        var edit = Edit(context, body.Name, OverrideState.Live, body, null) with { IsCreation = true, Also = key?.Making("team") };
        if (key?.Made is { } made)
        {
            // An earlier request with this key made it.
            return (await catalog.NewestAsync(cancellationToken)).FindTeam(made) is null
                ? CatalogAnswers.NotFound(CatalogKind.Team, made)
                : TypedResults.Created($"/api/v1/teams/{made}", Changed(catalog, made, context));
        }

        if (CatalogAnswers.Refusal(await catalog.ChangeAsync(edit, cancellationToken), edit) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.Created($"/api/v1/teams/{body.Name}", Changed(catalog, body.Name, context));
    }

    private static async Task<Results<Ok<TeamView>, Problem>> Replace([Description("The team's name.")] string name, TeamDefinition body, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        if (CatalogAnswers.NameMismatch(name, body.Name) is { } mismatch)
        {
            return mismatch;
        }

        await catalog.ReloadAsync(cancellationToken);
        var edit = Edit(context, name, OverrideState.Live, body with { Name = name }, catalog.JsonOf(CatalogKind.Team, name));
        if (await ChangeAsync(edit, catalog, context, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.Ok(Changed(catalog, name, context));
    }

    private static async Task<Results<NoContent, Problem>> Delete([Description("The team's name.")] string name, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken,
        [Description("True: only the stored change is taken back, and the file's definition counts again.")] bool revert = false)
    {
        await catalog.ReloadAsync(cancellationToken);
        var edit = Edit(context, name, revert ? OverrideState.Reverted : OverrideState.Deleted, null, catalog.JsonOf(CatalogKind.Team, name));
        if (await ChangeAsync(edit, catalog, context, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.NoContent();
    }

    private static async Task<Problem?> ChangeAsync(CatalogEdit edit, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        if (catalog.TagOf(CatalogKind.Team, edit.Name) is not { } tag)
        {
            return CatalogAnswers.NotFound(CatalogKind.Team, edit.Name);
        }

        return Preconditions.IfMatch(context.Request, tag)
            ?? CatalogAnswers.Refusal(await catalog.ChangeAsync(edit with { ExpectedETag = tag }, cancellationToken), edit);
    }

    private static CatalogEdit Edit(HttpContext context, string name, OverrideState state, TeamDefinition? definition, string? before)
    {
        var json = definition is null ? null : AgentsJson.Serialize(definition.WithoutShown());
        return new CatalogEdit
        {
            Kind = CatalogKind.Team,
            Name = name,
            State = state,
            Json = json,
            OwnerId = context.Caller().UserId,
            Record = CatalogAudit.Row(context, CatalogKind.Team, name, state, before, json),
        };
    }

    private static TeamView Changed(AgentCatalog catalog, string name, HttpContext context)
    {
        var current = catalog.Current;
        var team = current.FindTeam(name) ?? throw new InvalidOperationException($"The team '{name}' was put in force and is not there.");
        context.Response.SetETag(team.ETag);
        return View(current, team);
    }

    private static TeamView View(Catalog catalog, CatalogTeam found)
    {
        var (team, definition) = (found.Team, found.Definition);
        return new TeamView
        {
            Name = team.Name,
            Description = team.Description,
            Pattern = team.Pattern.ToName(),
            Entry = team.Entry,
            Members = team.Members,
            Writer = team.Writer,
            Selector = team.Selector,
            Coordinator = team.Coordinator,
            MaxRounds = team.MaxRounds,
            MaxParallel = team.MaxParallel,
            Edges = definition.Edges,
            Handoffs = definition.Handoffs,
            DelegatePatterns = definition.DelegatePatterns,
            Limits = LimitsOf(team.Limits),
            Agents = found.Agents,
            IsDefault = team.Name == catalog.DefaultTeam,
            Source = found.IsFromFile ? "file" : "api",
        };
    }

    private static TeamLimits LimitsOf(RunLimits limits) => new()
    {
        MaxSteps = limits.MaxSteps,
        MaxChildren = limits.MaxChildren,
        MaxDepth = limits.MaxDepth,
        MaxTokens = limits.MaxTokens,
        MaxCostUsd = limits.MaxCostMicroUsd / 1_000_000m,
        MaxWallSeconds = limits.MaxWallSeconds,
    };
}

/// <summary>A page of teams.</summary>
public sealed record TeamList
{
    /// <summary>The teams of this page, in the catalog's order.</summary>
    public required IReadOnlyList<TeamView> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }

    /// <summary>The team that answers when a request names none.</summary>
    /// <example>root-mas</example>
    public required string Default { get; init; }
}

/// <summary>A team of the catalog.</summary>
public sealed record TeamView
{
    /// <summary>Unique name.</summary>
    /// <example>research</example>
    public required string Name { get; init; }

    /// <summary>What it is for.</summary>
    /// <example>Researches a question, checks the claims, then writes the answer.</example>
    public required string Description { get; init; }

    /// <summary>direct, handoff, sequential, concurrent, group_chat or plan.</summary>
    /// <example>sequential</example>
    public required string Pattern { get; init; }

    /// <summary>Who enters first.</summary>
    /// <example>researcher</example>
    public required string Entry { get; init; }

    /// <summary>Agents of a sequential, concurrent or group_chat team.</summary>
    /// <example>["researcher", "fact_checker", "communicator"]</example>
    public required IReadOnlyList<string> Members { get; init; }

    /// <summary>Who puts results together or writes the answer; null: nobody apart.</summary>
    /// <example>null</example>
    public string? Writer { get; init; }

    /// <summary>Who picks the next speaker; null: in turn.</summary>
    /// <example>null</example>
    public string? Selector { get; init; }

    /// <summary>Who is asked when a task of a plan is stuck; null: nobody.</summary>
    /// <example>null</example>
    public string? Coordinator { get; init; }

    /// <summary>Turns of a group chat at most.</summary>
    /// <example>8</example>
    public required int MaxRounds { get; init; }

    /// <summary>Child runs at the same time at most.</summary>
    /// <example>8</example>
    public required int MaxParallel { get; init; }

    /// <summary>Agent → agents that it may delegate to, as written: '*' is every specialist.</summary>
    /// <example>{"researcher": ["fact_checker"]}</example>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Edges { get; init; }

    /// <summary>Agent → agents that it may hand the run to.</summary>
    /// <example>{}</example>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Handoffs { get; init; }

    /// <summary>Agent → pattern of its delegated tasks, where it is not direct.</summary>
    /// <example>{}</example>
    public required IReadOnlyDictionary<string, string> DelegatePatterns { get; init; }

    /// <summary>Guards over a run and all its descendants.</summary>
    public required TeamLimits Limits { get; init; }

    /// <summary>Every agent that a run of the team can reach.</summary>
    /// <example>["researcher", "fact_checker", "communicator"]</example>
    public required IReadOnlyList<string> Agents { get; init; }

    /// <summary>Whether it answers when a request names no team.</summary>
    /// <example>false</example>
    public required bool IsDefault { get; init; }

    /// <summary>file, or api for a stored definition that overrides the files.</summary>
    /// <example>file</example>
    public required string Source { get; init; }
}
