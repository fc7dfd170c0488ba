using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Agents;

/// <summary>Routes of agents.</summary>
internal static class AgentsApi
{
    private const string Read = "agents:read";
    private const string Write = "agents:write";

    public static void Map(RouteGroupBuilder agents)
    {
        agents.MapGet("/api/v1/agents", List).RequirePermission(Read).Cached(CatalogCaching.Catalog).WithName("ListAgents")
            .WithSummary("List agents").WithDescription("All agents of the catalog in its order, with the tools that are missing here, and the catalog's problems: an edit that was not taken, and warnings.");
        agents.MapGet("/api/v1/agents/status", Status).RequirePermission(Read).Cached(CatalogCaching.Activity).WithName("AgentStatus")
            .WithSummary("What agents are doing").WithDescription("For each agent whether it works now, when it last did, how many answers it wrote and how many of its turns succeeded.");
        agents.MapGet("/api/v1/agents/profiles", Profiles).RequirePermission(Read).Cached(CatalogCaching.Activity).WithName("AgentProfiles")
            .WithSummary("Agents for showing to people").WithDescription("A bare array with name, role, description, capabilities, picture and status of each agent.");
        agents.MapGet("/api/v1/agents/{name}", Get).RequirePermission(Read).WithName("GetAgent").Refuses(404, "agent_not_found", "There is no agent of this name.")
            .WithSummary("Read an agent").WithDescription("One agent with its ETag. The prompt is shown to those who may change agents.");
        agents.MapGet("/api/v1/agents/{name}/avatar.svg", Picture).RequirePermission(Read).WithName("AgentAvatar").Produces(200, contentType: "image/svg+xml")
            .Refuses(404, "agent_not_found", "There is no agent of this name.")
            .WithSummary("An agent's picture").WithDescription("A small SVG that follows from the agent's name and emoji.");
        MapChanges(agents);
    }

    private static void MapChanges(RouteGroupBuilder agents)
    {
        agents.MapPost("/api/v1/agents", Create).RequirePermission(Write).Audits("agent.create").ShowsAgain().Changes(CacheScope.Catalog).WithName("CreateAgent")
            .Refuses(400, "validation_failed", "The definition is not valid.").Refuses(409, "agent_exists", "There is already an agent of this name.")
            .WithSummary("Add an agent").WithDescription("Checked like the files, stored, and live at once. It joins every team whose edges name '*', unless specialist is false.");
        agents.MapPut("/api/v1/agents/{name}", Replace).RequirePermission(Write).Audits("agent.replace").Changes(CacheScope.Catalog).WithName("ReplaceAgent")
            .Refuses(400, "validation_failed", "The definition is not valid.").Refuses(404, "agent_not_found", "There is no agent of this name.")
            .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.")
            .WithSummary("Replace an agent").WithDescription("Needs If-Match with the ETag that was read. What GET gave can be sent back as it is: members that only GET tells are ignored. The stored definition overrides the file's. Runs that have started keep the version they started with.");
        agents.MapDelete("/api/v1/agents/{name}", Delete).RequirePermission(Write).Audits("agent.delete").Changes(CacheScope.Catalog).WithName("DeleteAgent")
            .Refuses(404, "agent_not_found", "There is no agent of this name.").Refuses(409, "agent_in_use", "A team names the agent.")
            .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.")
            .WithSummary("Remove an agent").WithDescription("Needs If-Match. With ?revert=true only the stored change is taken back, and the file's definition, if there is one, counts again.");
    }

    private static Results<Ok<AgentList>, Problem> List(AgentCatalog catalog, int? limit, string? cursor)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        var current = catalog.Current;
        var (items, next) = Paging.PageOf(current.Agents, page, a => a.Agent.Name);
        return TypedResults.Ok(new AgentList
        {
            Items = [.. items.Select(a => View(current, a, withPrompt: false))],
            NextCursor = next,
            Problems = [.. catalog.Problems.Select(ProblemView)],
        });
    }

    private static async Task<Results<Ok<AgentView>, Problem>> Get([Description("The agent's name.")] string name, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        var current = await catalog.NewestAsync(cancellationToken);
        if (current.FindAgent(name) is not { } agent)
        {
            return CatalogAnswers.NotFound(CatalogKind.Agent, name, catalog.TagOf(CatalogKind.Agent, name));
        }

        context.Response.SetETag(agent.ETag);
        return TypedResults.Ok(View(current, agent, context.Caller().May(Write)));
    }

    private static async Task<Ok<AgentStatusList>> Status(AgentCatalog catalog, IAgentActivity activity, CancellationToken cancellationToken)
    {
        var did = await activity.ReadAsync(cancellationToken);
        var agents = catalog.Current.Agents.Select(a => (a.Agent.Name, Activity: did.GetValueOrDefault(a.Agent.Name, AgentActivity.None))).ToList();
        return TypedResults.Ok(new AgentStatusList
        {
            Agents = [.. agents.Select(a => new AgentStatus
            {
                Name = a.Name,
                Status = StatusOf(a.Activity),
                LastActivity = a.Activity.LastActivity,
                MessageCount = a.Activity.MessageCount,
                SuccessRate = a.Activity.SuccessRate,
            })],
            Total = agents.Count,
        });
    }

    private static async Task<Ok<IReadOnlyList<AgentProfile>>> Profiles(AgentCatalog catalog, IAgentActivity activity, CancellationToken cancellationToken) =>
        TypedResults.Ok(await AgentProfiles.ListAsync(catalog, activity, cancellationToken));

    private static async Task<Results<ContentHttpResult, Problem>> Picture([Description("The agent's name.")] string name, AgentCatalog catalog, HttpContext context)
    {
        if ((await catalog.NewestAsync(context.RequestAborted)).FindAgent(name) is not { } agent)
        {
            return CatalogAnswers.NotFound(CatalogKind.Agent, name);
        }

        // An SVG opened by itself is a document: it may run and load nothing.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        context.Response.Headers.CacheControl = "private, max-age=3600";
        return TypedResults.Content(Avatar.Svg(agent.Definition), "image/svg+xml; charset=utf-8");
    }

    private static async Task<Results<Created<AgentView>, Problem>> Create(AgentDefinition body, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        var key = context.Idempotency();
        var edit = Edit(context, body.Name, OverrideState.Live, body, null) with { IsCreation = true, Also = key?.Making("agent") };
        if (key?.Made is { } made)
        {
            // An earlier request with this key made it.
            return (await catalog.NewestAsync(cancellationToken)).FindAgent(made) is null
                ? CatalogAnswers.NotFound(CatalogKind.Agent, made)
                : TypedResults.Created($"/api/v1/agents/{made}", Changed(catalog, made, context));
        }

        if (CatalogAnswers.Refusal(await catalog.ChangeAsync(edit, cancellationToken), edit) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.Created($"/api/v1/agents/{body.Name}", Changed(catalog, body.Name, context));
    }

    private static async Task<Results<Ok<AgentView>, Problem>> Replace([Description("The agent's name.")] string name, AgentDefinition body, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        if (CatalogAnswers.NameMismatch(name, body.Name) is { } mismatch)
        {
            return mismatch;
        }

        await catalog.ReloadAsync(cancellationToken);
        var edit = Edit(context, name, OverrideState.Live, body with { Name = name }, catalog.JsonOf(CatalogKind.Agent, name));
        if (await ChangeAsync(edit, catalog, context, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.Ok(Changed(catalog, name, context));
    }

    private static async Task<Results<NoContent, Problem>> Delete([Description("The agent's name.")] string name, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken,
        [Description("True: only the stored change is taken back, and the file's definition counts again.")] bool revert = false)
    {
        await catalog.ReloadAsync(cancellationToken);
        var edit = Edit(context, name, revert ? OverrideState.Reverted : OverrideState.Deleted, null, catalog.JsonOf(CatalogKind.Agent, name));
        if (await ChangeAsync(edit, catalog, context, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.NoContent();
    }

    private static async Task<Problem?> ChangeAsync(CatalogEdit edit, AgentCatalog catalog, HttpContext context, CancellationToken cancellationToken)
    {
        if (catalog.TagOf(CatalogKind.Agent, edit.Name) is not { } tag)
        {
            return CatalogAnswers.NotFound(CatalogKind.Agent, edit.Name);
        }

        return Preconditions.IfMatch(context.Request, tag)
            ?? CatalogAnswers.Refusal(await catalog.ChangeAsync(edit with { ExpectedETag = tag }, cancellationToken), edit);
    }

    private static CatalogEdit Edit(HttpContext context, string name, OverrideState state, AgentDefinition? definition, string? before)
    {
        var json = definition is null ? null : AgentsJson.Serialize(definition.WithoutShown());
        return new CatalogEdit
        {
            Kind = CatalogKind.Agent,
            Name = name,
            State = state,
            Json = json,
            OwnerId = context.Caller().UserId,
            Record = CatalogAudit.Row(context, CatalogKind.Agent, name, state, before, json),
        };
    }

    private static AgentView Changed(AgentCatalog catalog, string name, HttpContext context)
    {
        var current = catalog.Current;
        var agent = current.FindAgent(name) ?? throw new InvalidOperationException($"The agent '{name}' was put in force and is not there.");
        context.Response.SetETag(agent.ETag);
        return View(current, agent, withPrompt: true);
    }

    internal static CatalogProblemView ProblemView(CatalogProblem problem) =>
        new() { Source = problem.Source, Key = problem.Key, Message = problem.Message, Severity = problem.IsWarning ? "warning" : "error" };

    internal static string StatusOf(AgentActivity activity) => activity.Running > 0 ? "active" : "idle";

    private static AgentView View(Catalog catalog, CatalogAgent agent, bool withPrompt) => new()
    {
        Name = agent.Agent.Name,
        Role = agent.Agent.Role,
        Description = agent.Agent.Description,
        Instructions = withPrompt ? agent.Agent.Instructions : null,
        Tier = agent.Agent.Tier,
        Model = agent.Agent.Model,
        Tools = agent.Definition.Tools,
        PlannedTools = agent.Definition.PlannedTools,
        MissingTools = catalog.MissingTools(agent.Agent),
        Temperature = agent.Agent.Temperature,
        OutputSchema = agent.Definition.OutputSchema,
        Cache = agent.Definition.Cache,
        Specialist = agent.Definition.Specialist,
        Capabilities = agent.Definition.Capabilities,
        Avatar = Avatar.Symbol(agent.Definition),
        Teams = [.. catalog.Teams.Where(t => t.Agents.Contains(agent.Agent.Name, StringComparer.Ordinal)).Select(t => t.Team.Name)],
        Source = agent.IsFromFile ? "file" : "api",
        Version = agent.Agent.Version,
    };
}
