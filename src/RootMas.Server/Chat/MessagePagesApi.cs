using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat;

/// <summary>The route that tells which pages of a conversation have to be read again.</summary>
internal static class MessagePagesApi
{
    /// <summary>It reads up to 10,000 messages, if without their texts; one page of them is at most 200.</summary>
    private const int CostOfOne = 10;

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/conversations/{id}/messages/pages", ListAsync).RequirePermission("chat:read").WithCost(CostOfOne).WithTags("Conversations").WithName("ListMessagePages")
            .Refuses(404, "conversation_not_found", "There is no such conversation, or it is somebody else's.")
            .WithSummary("See which pages of messages have changed").WithDescription("The pages that GET …/messages gives with this limit, by cursor and ETag. Whoever has read them before reads only those again that are not here with the same cursor and ETag. One request tells of 10,000 messages at most.");

    private static async Task<Results<Ok<Page<MessagePageAnswer>>, Problem>> ListAsync(
        [Description("The conversation.")] string id, [Description("Messages of a page: 1 to 200, 50 if it is absent.")] int? limit, string? cursor, MessagePages pages, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        if (!HistoryCursor.TryRead(page.After, out var after))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        return await pages.ListAsync(id, context.Caller().UserId, page.Limit, after, context.RequestAborted) is { } found
            ? TypedResults.Ok(new Page<MessagePageAnswer>([.. found.Pages.Select(MessagePageAnswer.Of)], HistoryCursor.Write(found.Next)))
            : ChatProblems.NoConversation();
    }
}

/// <summary>A page of messages that can be read.</summary>
public sealed record MessagePageAnswer
{
    /// <summary>The cursor of GET …/messages that gives it; null: it is the first page.</summary>
    public string? Cursor { get; init; }

    /// <summary>How many messages it has.</summary>
    /// <example>50</example>
    public required int Count { get; init; }

    /// <summary>Its ETag, without quotes: another one as soon as a message of it comes, goes, finds its place, is rated, or loses what a deleted document said.</summary>
    /// <example>9f86d081884c7d659a2feaa0c55ad015</example>
    public required string Etag { get; init; }

    internal static MessagePageAnswer Of(KnownPage page) => new() { Cursor = HistoryCursor.Write(page.After), Count = page.Count, Etag = page.Tag };
}
