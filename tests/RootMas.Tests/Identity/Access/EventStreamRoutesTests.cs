using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary>Every route that answers with an event stream. The table is made from the routes of the running server: a new one fails until somebody says here how it is opened.</summary>
public sealed class EventStreamRoutesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Minutes of an answer: it is still being written whenever a slow machine comes to what ends it.</summary>
    private static readonly string Slow = $$"""default: { text: "{{string.Join(' ', Enumerable.Range(0, 1_000))}}", tokens_per_second: 2 }""";

    /// <summary>How each is opened, so that it stays open by itself.</summary>
    private static readonly Dictionary<string, Func<TestUser, Task<HttpRequestMessage>>> Openers = new(StringComparer.Ordinal)
    {
        ["POST /api/v1/chat/stream"] = static _ => Task.FromResult(Post("/api/v1/chat/stream", new { message = "go", team = "solo" })),
        ["POST /v1/chat/completions"] = static _ => Task.FromResult(Post("/v1/chat/completions", new { model = "solo", stream = true, messages = new[] { new { role = "user", content = "go" } } })),
        ["GET /api/v1/runs/{id}/events"] = static async user =>
        {
            var conversation = (await user.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).GetProperty("id").GetString();
            var run = await user.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "go" }, HttpStatusCode.Accepted);
            return new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run.GetProperty("run_id").GetString()}/events");
        },
        ["GET /api/v1/documents/{id}/events"] = static async user =>
        {
            using var upload = new HttpRequestMessage(HttpMethod.Post, "/api/v1/documents?name=a.txt") { Content = new StringContent("Some text.") };
            upload.Headers.TryAddWithoutValidation("Prefer", "wait=0");
            var document = await TestUser.JsonAsync(await user.Client.SendAsync(upload), HttpStatusCode.Accepted);
            return new HttpRequestMessage(HttpMethod.Get, $"/api/v1/documents/{document.GetProperty("id").GetString()}/events");
        },
    };

    [Fact]
    public async Task Every_event_stream_takes_a_place_and_ends_with_its_session()
    {
        await using var world = await ChatWorld.StartAsync(Slow, configure: static o =>
        {
            o.Settings["Limits:StreamsPerUser"] = "1";
            o.Settings["Knowledge:Documents:Parallelism"] = "0"; // whoever follows a document waits
        });
        Assert.Equal(Openers.Keys.Order(StringComparer.Ordinal), Routes(world.App));
        foreach (var (index, (route, opener)) in Openers.Index())
        {
            using var user = await world.App.AsAsync($"user-{index}");
            using var stream = await SendAsync(user, await opener(user));
            Assert.True(stream is { StatusCode: HttpStatusCode.OK, Content.Headers.ContentType.MediaType: EventStreams.MediaType }, $"{route}: {stream}");
            using (var second = await SendAsync(user, await opener(user)))
            {
                Assert.True(second.StatusCode == HttpStatusCode.TooManyRequests, $"{route}: a second stream got {(int)second.StatusCode}");
                Assert.Contains("1 event streams open", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
                Assert.Equal(("1", "0"), (Assert.Single(second.Headers.GetValues("RateLimit-Limit")), Assert.Single(second.Headers.GetValues("RateLimit-Remaining"))));
            }

            await user.PostAsync("/api/v1/auth/logout", new { });
            Assert.Contains("session_ended", await stream.Content.ReadAsStringAsync().WaitAsync(Patience), StringComparison.Ordinal);
        }
    }

    /// <summary>What says so where it is mapped, and the one whose body says so.</summary>
    private static IEnumerable<string> Routes(TestApp app)
    {
        var streams = from endpoint in ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
                      where endpoint.Metadata.OfType<IProducesResponseTypeMetadata>().Any(static p => p.ContentTypes.Contains(EventStreams.MediaType, StringComparer.Ordinal))
                      select $"{endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0]} /{endpoint.RoutePattern.RawText!.Trim('/')}";
        return streams.Append("POST /v1/chat/completions").Order(StringComparer.Ordinal);
    }

    private static HttpRequestMessage Post(string path, object body) => new(HttpMethod.Post, path) { Content = JsonContent.Create(body) };

    private static async Task<HttpResponseMessage> SendAsync(TestUser user, HttpRequestMessage request)
    {
        using (request)
        {
            request.Headers.Accept.ParseAdd(EventStreams.MediaType);
            return await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
    }
}
