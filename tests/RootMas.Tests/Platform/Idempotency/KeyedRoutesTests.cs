using Microsoft.AspNetCore.Routing;
using RootMas.Server.Platform.Idempotency;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Idempotency;

/// <summary>A new route that takes an <c>Idempotency-Key</c> has its answer kept for repeats unless it says otherwise: somebody has to have thought of what is in it.</summary>
public sealed class KeyedRoutesTests
{
    /// <summary>Their answers are ids, numbers and words of this program.</summary>
    private static readonly HashSet<string> HoldNoWords =
    [
        "/api/v1/users/{id}/password", "/api/v1/models/{id}/test", "/api/v1/backups", "/api/v1/backups/{id}/verify", "/api/v1/cache/clear", "/api/v1/queue/dead/{id}/redrive",
    ];

    [Fact]
    public async Task Answers_that_are_kept_for_repeats_hold_nothing_that_can_be_deleted_or_taken_away()
    {
        await using var app = await TestApp.StartAsync();
        var posts = ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(static e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains("POST") == true).ToList();
        var kept = posts.Where(static e => e.Metadata.GetMetadata<OwnIdempotency>() is null && e.Metadata.GetMetadata<ShownAgain>() is null && e.Metadata.GetMetadata<SecretMembers>() is null)
            .Select(static e => "/" + e.RoutePattern.RawText!.Trim('/'));
        Assert.True(posts.Count > 30, $"{posts.Count} routes");
        Assert.Equal(HoldNoWords.Order(StringComparer.Ordinal), kept.Order(StringComparer.Ordinal));
    }
}
