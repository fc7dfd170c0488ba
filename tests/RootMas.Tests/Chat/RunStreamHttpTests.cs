using System.Globalization;
using System.Net;
using System.Text;

namespace RootMas.Tests.Chat;

/// <summary>Event streams over HTTP, cut and taken up again (F15).</summary>
public sealed class RunStreamHttpTests
{
    [Fact]
    public async Task A_chat_stream_is_the_runs_log_with_live_pieces_and_closes_after_the_final_event()
    {
        await using var world = await ChatWorld.StartAsync();
        using var response = await world.App.PostAsync("/api/v1/chat/stream", """{"message":"Hi","team":"solo"}""");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no", Assert.Single(response.Headers.GetValues("X-Accel-Buffering")));
        Assert.True(response.Headers.CacheControl!.NoStore);
        var events = await SseEvent.ReadAllAsync(response);
        Assert.Equal("run.completed", events[^1].Type);
        var stored = events.Where(e => !e.Id!.Contains(':', StringComparison.Ordinal)).ToArray();
        Assert.Equal(Enumerable.Range(1, stored.Length).Select(i => i.ToString(CultureInfo.InvariantCulture)), stored.Select(e => e.Id));
        Assert.All(events, e => Assert.Equal(e.Type, e.Data.GetProperty("type").GetString()));
        Assert.Equal("Hello there, friend.", string.Concat(events.Where(e => e.Type == "message.delta").Select(e => e.Data.GetProperty("text").GetString())));
    }

    [Fact]
    public async Task A_client_cut_a_hundred_times_misses_nothing_and_sees_nothing_twice()
    {
        var text = string.Join(' ', Enumerable.Range(0, 150).Select(i => $"w{i}"));
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"{text}\", tokens_per_second: 100 }}");
        var random = new Random(7);
        for (var cuts = 0; cuts < 100;)
        {
            cuts += await CutAsync(world, text, random); // an answer that is done before it was cut often enough is followed by another one
        }
    }

    /// <summary>One run whose client is cut after one to three events, again and again. Returns how often.</summary>
    private static async Task<int> CutAsync(ChatWorld world, string text, Random random)
    {
        var run = (await world.SendAsync(await world.NewConversationAsync(), new { message = "Hi" })).GetProperty("run_id").GetString()!;
        var stored = new List<SseEvent>();
        var shown = new StringBuilder();
        string? lastId = null;
        var cuts = 0;
        while (stored.Count == 0 || stored[^1].Type != "run.completed")
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
            request.Headers.Accept.ParseAdd("text/event-stream");
            if (lastId is not null)
            {
                request.Headers.Add("Last-Event-ID", lastId);
            }

            using var response = await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            var left = cuts < 100 ? random.Next(1, 4) : int.MaxValue;
            await foreach (var e in SseEvent.ReadAsync(await response.Content.ReadAsStreamAsync()))
            {
                lastId = e.Id;
                Fold(e, stored, shown);
                Assert.StartsWith(shown.ToString(), text, StringComparison.Ordinal);
                if (--left == 0)
                {
                    cuts++;
                    break;
                }
            }
        }

        Assert.Equal(Enumerable.Range(1, stored.Count).Select(i => i.ToString(CultureInfo.InvariantCulture)), stored.Select(e => e.Id));
        Assert.Equal(text, shown.ToString());
        Assert.Equal(text, stored.Single(e => e.Type == "message.completed").Data.GetProperty("text").GetString());
        using var after = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
        after.Headers.Accept.ParseAdd("text/event-stream");
        after.Headers.Add("Last-Event-ID", lastId);
        Assert.Equal(HttpStatusCode.NoContent, (await world.App.Client.SendAsync(after)).StatusCode);
        return cuts;
    }

    [Fact]
    public async Task A_client_that_comes_back_while_a_model_only_thinks_has_no_gap()
    {
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"Done.\", reasoning: \"{string.Join(' ', Enumerable.Range(0, 3_000).Select(static i => $"t{i}"))}\", tokens_per_second: 10 }}");
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        var thoughts = new StringBuilder();
        long seq = 0;
        await foreach (var e in FollowAsync(world, run, "0"))
        {
            if (e.Type is not ("reasoning.delta" or "message.snapshot"))
            {
                continue;
            }

            // Who comes when the model has begun is first told what it thought so far.
            thoughts.Append(e.Data.GetProperty(e.Type == "reasoning.delta" ? "text" : "reasoning").GetString());
            seq = e.Data.GetProperty("seq").GetInt64();
            if (e.Data.GetProperty("n").GetInt32() >= 3)
            {
                break;
            }
        }

        Assert.StartsWith("t0 t1 t2", thoughts.ToString(), StringComparison.Ordinal);
        var n = 0; // as a page that was loaded again: it has read the stored events
        await foreach (var e in FollowAsync(world, run, seq.ToString(CultureInfo.InvariantCulture)))
        {
            if (n == 0)
            {
                Assert.Equal(("message.snapshot", ""), (e.Type, e.Data.GetProperty("text").GetString()));
                Assert.StartsWith(thoughts.ToString(), e.Data.GetProperty("reasoning").GetString(), StringComparison.Ordinal);
            }
            else
            {
                Assert.Equal(("reasoning.delta", n + 1), (e.Type, e.Data.GetProperty("n").GetInt32()));
            }

            var first = n == 0;
            n = e.Data.GetProperty("n").GetInt32();
            if (!first)
            {
                break;
            }
        }

        await world.App.PostJsonAsync($"/api/v1/runs/{run}/cancel", new { }, HttpStatusCode.Accepted);
    }

    private static async IAsyncEnumerable<SseEvent> FollowAsync(ChatWorld world, string run, string after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after={after}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await foreach (var e in SseEvent.ReadAsync(await response.Content.ReadAsStreamAsync()))
        {
            yield return e;
        }
    }

    /// <summary>As a client folds: whoever is away while a message ends gets the rest of its text with the event that ends it.</summary>
    private static void Fold(SseEvent e, List<SseEvent> stored, StringBuilder shown)
    {
        switch (e.Type)
        {
            case "message.delta":
                shown.Append(e.Data.GetProperty("text").GetString());
                break;
            case "message.snapshot":
                shown.Clear().Append(e.Data.GetProperty("text").GetString());
                break;
            case "message.completed":
                shown.Clear().Append(e.Data.GetProperty("text").GetString());
                stored.Add(e);
                break;
            default:
                stored.Add(e);
                break;
        }
    }
}
