using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F15 of CHECKS.md beyond Chat/RunStreamHttpTests: cuts across a cascade and tool calls, across kills of the server, and ids that make no sense.</summary>
public sealed class StreamFaultTests
{
    private static readonly string Words = string.Join(' ', Enumerable.Range(0, 120).Select(static i => $"word{i}"));

    /// <summary>A model that breaks in the middle of its text, one that calls a tool, then the answer.</summary>
    private static string Cascade => $$$"""
        rules:
          - match: { last_role: user }
            times: 1
            answer: { text: "{{{Words}}}", tokens_per_second: 150, fault: { kind: malformed_json } }
          - match: { last_role: user }
            answer: { text: "Let me calculate.", tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ] }
        default: { text: "{{tool_result}} {{{Words}}}", tokens_per_second: 100 }
        """;

    public static TheoryData<int> Seeds() => TestLength.Seeds(31, usually: 3, inTheLongForm: 100);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_client_cut_a_hundred_times_across_a_cascade_and_a_tool_call_has_no_gap_and_nothing_twice(int seed)
    {
        await using var sim = await Simulator.StartAsync(Cascade);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { lower: { provider: sim, free: true }, higher: { provider: sim, free: true } }
            tiers: { cheap: [lower], standard: [higher] }
            """);
        var checker = new InvariantChecker(world.App.Data, world.App.Client, world.Sim);
        var random = new Random(seed);
        for (var cuts = 0; cuts < 100;)
        {
            sim.Use(Cascade); // an answer that is done before it was cut often enough is followed by another one, which breaks off as well
            var run = (await world.SendAsync(await world.NewConversationAsync(), new { message = "Hi" })).GetProperty("run_id").GetString()!;
            checker.Accepted.Add(run);
            cuts += await CutAsync(world.App.Client, run, random, atMost: 100 - cuts);
        }

        await checker.CheckAsync(seed);
    }

    /// <summary>One run whose client leaves after one to four events, again and again, and then reads to the end. Returns how often it left.</summary>
    private static async Task<int> CutAsync(HttpClient http, string run, Random random, int atMost)
    {
        var client = new StreamClient();
        var cuts = 0;
        while (!client.Ended)
        {
            cuts += await ReadAsync(http, run, client, client.LastId, cuts < atMost ? random.Next(1, 5) : int.MaxValue) ? 1 : 0;
        }

        Assert.Single(client.Superseded);
        Assert.EndsWith(Words, client.FinalText(), StringComparison.Ordinal);
        using var after = await OpenAsync(http, run, client.LastId);
        Assert.Equal(HttpStatusCode.NoContent, after.StatusCode);
        return cuts;
    }

    [Fact]
    public async Task A_client_that_comes_back_after_kills_of_the_server_has_no_gap_and_nothing_twice()
    {
        await using var world = await FaultWorld.StartAsync($$"""
            rules:
              - name: killed
                match: { last_role: user }
                times: 3
                answer: { text: "{{Words}}", tokens_per_second: 6 }
            default: { text: "{{Words}}" }
            """);
        var id = await world.AskAsync(new { message = "Hi", team = "solo" });
        var (client, random) = (new StreamClient(), new Random(41));
        for (var kills = 0; kills < 3; kills++)
        {
            Assert.True(await ReadAsync(world.Server.Http, id, client, client.LastId, random.Next(5, 20)), "it was too quick to be killed");
            await world.KillAndRestartAsync();
        }

        while (!client.Ended)
        {
            await ReadAsync(world.Server.Http, id, client, client.LastId, 25);
        }

        Assert.Equal(Words, client.FinalText());
        await world.Checker.CheckAsync();
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1e3")]
    [InlineData("0x1")]
    [InlineData("abc")]
    [InlineData("1:")]
    [InlineData(":1")]
    [InlineData("1:-1")]
    [InlineData("1:2:3")]
    [InlineData("1,2")]
    [InlineData("\u0661")]
    [InlineData("9223372036854775807")]
    [InlineData("9223372036854775808")]
    [InlineData("1:99999999999")]
    [InlineData("100")]
    public async Task An_id_that_is_nonsense_or_beyond_the_log_is_400(string id)
    {
        await using var world = await ChatWorld.StartAsync();
        var run = (await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("run_id").GetString()!;
        List<HttpResponseMessage> answers = [await OpenAsync(world.App.Client, run, null, $"?after={Uri.EscapeDataString(id)}")];
        if (id.All(char.IsAscii))
        {
            answers.Add(await OpenAsync(world.App.Client, run, id));
        }

        foreach (var answer in answers)
        {
            using (answer)
            {
                Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
                Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
                Assert.Single(JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("errors").EnumerateObject());
            }
        }
    }

    [Fact]
    public async Task An_old_id_replays_what_came_after_it_and_a_piece_that_never_was_gets_a_snapshot()
    {
        await using var world = await ChatWorld.StartAsync($$"""default: { text: "{{Words}}" }""");
        var half = world.Sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        var run = (await world.SendAsync(await world.NewConversationAsync(), new { message = "Hi" })).GetProperty("run_id").GetString()!;
        var first = new StreamClient();
        await ReadAsync(world.App.Client, run, first, null, static e => e.Id!.Contains(':', StringComparison.Ordinal));
        var live = first.LastId!;

        // Far beyond what has been shown of this message: the text so far, then the rest.
        List<string> then = [];
        await ReadAsync(world.App.Client, run, first, live.Split(':')[0] + ":1000000", e =>
        {
            then.Add(e.Type);
            half.Release();
            return false;
        });
        Assert.Equal("message.snapshot", then[0]);
        Assert.Equal(Words, first.FinalText());

        foreach (var old in (string[])["0", "1", "2:7", live])
        {
            using var response = await OpenAsync(world.App.Client, run, old);
            var events = await SseEvent.ReadAllAsync(response);
            Assert.Equal(first.Stored.Skip(int.Parse(old.Split(':')[0], System.Globalization.CultureInfo.InvariantCulture)).Select(static e => e.Id), events.Select(static e => e.Id));
        }
    }

    /// <summary>Reads so many events, or to the end. Returns whether it left before the end.</summary>
    private static Task<bool> ReadAsync(HttpClient http, string run, StreamClient client, string? after, int events) => ReadAsync(http, run, client, after, _ => --events == 0);

    private static async Task<bool> ReadAsync(HttpClient http, string run, StreamClient client, string? after, Predicate<SseEvent> isLast)
    {
        using var response = await OpenAsync(http, run, after);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await foreach (var e in SseEvent.ReadAsync(await response.Content.ReadAsStreamAsync()))
        {
            client.See(e);
            if (isLast(e))
            {
                return !client.Ended;
            }
        }

        return false;
    }

    private static async Task<HttpResponseMessage> OpenAsync(HttpClient http, string run, string? lastId, string query = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events{query}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (lastId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastId);
        }

        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
