using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat;

/// <summary>The route that finds messages by their words.</summary>
internal static class MessageSearchApi
{
    private const int Shortest = 2;

    private const int Longest = 200;

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/messages", SearchAsync).RequirePermission("chat:read").WithTags("Conversations").WithName("SearchMessages")
            .WithSummary("Find messages").WithDescription("Own messages and answers that have every word of search, newest first, with the line that has the first of them. One request looks through 10,000 messages at most, or about 20 million characters of them, and at least one piece of 250 messages; next_cursor goes on with older ones, also where none of these had the words. Searches have a limit of their own.");

    private static async Task<Results<Ok<Page<FoundMessage>>, Problem>> SearchAsync(
        [Description("Words, 2 to 200 characters: all have to be there, in any order and case, also as parts of words.")] string search,
        [Description("True: only in conversations that are put away. Default: only in the others.")] bool? archived,
        int? limit, string? cursor, MessageSearch messages, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        if (!HistoryCursor.TryRead(page.After, out var before))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        var words = search.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (search.Trim().Length is < Shortest or > Longest)
        {
            return Problems.Invalid("search", $"must have {Shortest} to {Longest} characters");
        }

        var (hits, next) = await messages.FindAsync(context.Caller().UserId, words, archived is true, page.Limit, before, context.RequestAborted);
        return TypedResults.Ok(new Page<FoundMessage>([.. hits.Select(FoundMessage.Of)], HistoryCursor.Write(next)));
    }
}

/// <summary>A message that was found.</summary>
public sealed record FoundMessage
{
    /// <summary>The message.</summary>
    public required string MessageId { get; init; }

    /// <summary>Its conversation.</summary>
    public required string ConversationId { get; init; }

    /// <summary>The conversation's title; empty: it has none.</summary>
    /// <example>Trip to Kazan</example>
    public required string Title { get; init; }

    /// <summary>user, assistant or tool.</summary>
    /// <example>assistant</example>
    public required string Role { get; init; }

    /// <summary>The agent that wrote it, or null.</summary>
    /// <example>communicator</example>
    public string? Agent { get; init; }

    /// <summary>When it was said.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The line with the first of the words, cut around it if it is long.</summary>
    /// <example>The train to Kazan leaves at nine.</example>
    public required string Excerpt { get; init; }

    internal static FoundMessage Of(MessageHit hit) => new()
    {
        MessageId = hit.MessageId,
        ConversationId = hit.ConversationId,
        Title = hit.Title,
        Role = hit.Role,
        Agent = hit.Agent,
        CreatedAt = hit.CreatedAt,
        Excerpt = hit.Excerpt,
    };
}
