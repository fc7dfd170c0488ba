using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>The route that tells what a conversation has cost.</summary>
internal static class ConversationTotalsApi
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/conversations/{id}/totals", GetAsync).RequirePermission("chat:read").WithTags("Conversations").WithName("ConversationTotals")
            .Refuses(404, "conversation_not_found", "There is no such conversation, or it is somebody else's.")
            .WithSummary("See what a conversation has cost").WithDescription("Sums over all of its runs, on every branch: what they cost, the tokens of those who answered and with those to whom they gave work, what answers from the cache saved, and which models answered.");

    private static async Task<Results<Ok<ConversationTotalsAnswer>, Problem>> GetAsync([Description("The conversation.")] string id, ConversationTotals totals, HttpContext context) =>
        await totals.OfAsync(id, context.Caller().UserId, context.RequestAborted) is { } sum ? TypedResults.Ok(ConversationTotalsAnswer.Of(sum)) : ChatProblems.NoConversation();
}

/// <summary>What a conversation has cost so far.</summary>
public sealed record ConversationTotalsAnswer
{
    /// <summary>How many runs it has; runs below another are not counted.</summary>
    /// <example>12</example>
    public required int Runs { get; init; }

    /// <summary>What they cost with all that was given to others, in US dollars.</summary>
    /// <example>0.0120</example>
    public required Money CostUsd { get; init; }

    /// <summary>Of that, what was given to others, in US dollars.</summary>
    /// <example>0.0040</example>
    public required Money OthersCostUsd { get; init; }

    /// <summary>Tokens of those who answered; work that was given to others is not in them.</summary>
    public required RunUsage Usage { get; init; }

    /// <summary>Tokens with all that was given to others.</summary>
    public required RunUsage TreeUsage { get; init; }

    /// <summary>Answers that came from the cache.</summary>
    /// <example>2</example>
    public required int KeptAnswers { get; init; }

    /// <summary>What making those anew would have cost, in US dollars.</summary>
    /// <example>0.0021</example>
    public required Money SavedUsd { get; init; }

    /// <summary>The models that answered, the last one first; of an answer from the cache the one that made it.</summary>
    /// <example>["offline"]</example>
    public required IReadOnlyList<string> Models { get; init; }

    internal static ConversationTotalsAnswer Of(ConversationSum sum) => new()
    {
        Runs = sum.Runs,
        CostUsd = sum.Cost,
        OthersCostUsd = sum.Cost - sum.Own,
        Usage = RunUsage.Of(sum.Usage),
        TreeUsage = RunUsage.Of(sum.Usage + sum.Below),
        KeptAnswers = sum.Kept,
        SavedUsd = sum.Saved,
        Models = sum.Models,
    };
}
