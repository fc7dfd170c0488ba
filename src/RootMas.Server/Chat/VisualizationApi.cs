using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Flows for drawing: what the visualisation socket can show.</summary>
public static class VisualizationApi
{
    private const int Recent = 50;

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/visualization/flows", ListAsync).RequirePermission("chat:read").WithTags("Visualisation").WithName("ListFlows")
            .Refuses(403, "user_not_allowed", "user_id names somebody for whom the caller may not speak.")
            .WithSummary("Live and recent flows").WithDescription("Own runs, or those of a user for whom one speaks, newest first: what `subscribe` on /ws/visualization can show.");

    private static async Task<Results<Ok<FlowList>, Problem>> ListAsync(
        int? limit, [Description("Whose, by id or name: oneself, or for agents and administrators a user for whom they may speak.")] string? user_id, IChatService chat, Subjects subjects, HttpContext context)
    {
        if (limit is < 1 or > Paging.MaxLimit)
        {
            return Problems.Invalid("limit", $"must be between 1 and {Paging.MaxLimit}");
        }

        var subject = await subjects.OfAsync(context, context.Caller(), user_id, "chat:read", context.RequestAborted);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        var runs = await chat.RecentAsync(owner, limit ?? Recent, context.RequestAborted);
        return TypedResults.Ok(new FlowList { Flows = [.. runs.Select(Flow.Of)], Total = runs.Count });
    }
}

/// <summary>Flows.</summary>
public sealed record FlowList
{
    /// <summary>Newest first.</summary>
    public required IReadOnlyList<Flow> Flows { get; init; }

    /// <summary>How many are shown.</summary>
    /// <example>1</example>
    public required int Total { get; init; }
}

/// <summary>A run as a flow.</summary>
public sealed record Flow
{
    /// <summary>The flow, which is the run id.</summary>
    public required string FlowId { get; init; }

    /// <summary>The run's status.</summary>
    /// <example>completed</example>
    public required string Status { get; init; }

    /// <summary>The team at work.</summary>
    /// <example>root-mas</example>
    public required string Team { get; init; }

    /// <summary>Agents that took part, in order of first appearance.</summary>
    public required IReadOnlyList<string> Agents { get; init; }

    /// <summary>The conversation it belongs to; null: none.</summary>
    public string? ConversationId { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended; null: it has not.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    internal static Flow Of(RunSummary run) => new()
    {
        FlowId = run.Id,
        Status = run.Status.ToName(),
        Team = run.Team,
        Agents = run.Agents,
        ConversationId = run.ConversationId,
        StartedAt = run.CreatedAt,
        EndedAt = run.EndedAt,
    };
}
