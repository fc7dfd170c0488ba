using System.Net;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>The stream about a document whose indexing does not begin. That it ends with its session: EventStreamRoutesTests.</summary>
public sealed class DocumentEventsTests
{
    [Fact]
    public async Task A_silent_stream_says_every_fifteen_seconds_that_it_lives()
    {
        var clock = new ManualTimeProvider();
        await using var app = await StartAsync(o => o.Clock = clock);
        using var ann = await app.AsAsync("ann");
        using var stream = await FollowAsync(ann, await QueuedAsync(ann));
        using var reader = new StreamReader(await stream.Content.ReadAsStreamAsync());
        foreach (var line in (string[])["retry: 2000", "", "event: document.progress", "data: {", ""])
        {
            Assert.StartsWith(line, await reader.ReadLineAsync(), StringComparison.Ordinal);
        }

        var next = reader.ReadLineAsync();
        while (!next.IsCompleted)
        {
            // The wait begins when the server has said the first event, which is after the client has it.
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(next, Task.Run(static () => Thread.Yield()));
        }

        Assert.Equal(": ", await next);
    }

    [Fact]
    public async Task Whoever_names_no_form_gets_the_stream_and_takes_a_place_too()
    {
        await using var app = await StartAsync(static o => o.Settings["Limits:StreamsPerUser"] = "1");
        using var ann = await app.AsAsync("ann");
        var id = await QueuedAsync(ann);
        using (var stream = await FollowAsync(ann, id, accept: null))
        {
            Assert.Equal((HttpStatusCode.OK, EventStreams.MediaType), (stream.StatusCode, stream.Content.Headers.ContentType!.MediaType));
            foreach (var accept in (string?[])[null, EventStreams.MediaType])
            {
                using var second = await FollowAsync(ann, id, accept);
                Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode); // first: a stream's body has no end
                Assert.Equal("open_streams_per_user", (await ProblemAssert.IsProblemAsync(second, 429, "rate_limited")).GetProperty("limit").GetString());
            }
        }

        // A closed one makes room, as soon as the server has seen it.
        await Wait.UntilAsync(
            async _ =>
            {
                using var again = await FollowAsync(ann, id, accept: null);
                return again.StatusCode == HttpStatusCode.OK;
            },
            app, "the closed stream made no room");
    }

    [Fact]
    public async Task A_stop_of_the_server_ends_it_with_a_hint_to_come_back()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var stream = await FollowAsync(ann, await QueuedAsync(ann));
        var all = stream.Content.ReadAsStringAsync();
        await app.StopAsync();
        Assert.Contains("retry: 1000\n: ", await all, StringComparison.Ordinal);
        Assert.DoesNotContain("event: error", await all, StringComparison.Ordinal);
    }

    private static Task<TestApp> StartAsync(Action<TestAppOptions>? configure = null) => TestApp.StartAsync(o =>
    {
        o.Settings["Knowledge:Documents:Parallelism"] = "0";
        configure?.Invoke(o);
    });

    private static async Task<string> QueuedAsync(TestUser user)
    {
        using var upload = new HttpRequestMessage(HttpMethod.Post, "/api/v1/documents?name=a.txt") { Content = new StringContent("Some text.") };
        upload.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        return (await TestUser.JsonAsync(await user.Client.SendAsync(upload), HttpStatusCode.Accepted)).Id();
    }

    private static async Task<HttpResponseMessage> FollowAsync(TestUser user, string id, string? accept = EventStreams.MediaType)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/documents/{id}/events");
        if (accept is not null)
        {
            request.Headers.Accept.ParseAdd(accept);
        }

        return await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
