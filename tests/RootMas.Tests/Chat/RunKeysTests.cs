using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>Idempotency-Key on calls that make a run (F14).</summary>
public abstract class RunKeysTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Body = """{"message":"Hi","team":"solo"}""";

    [DatabaseFact]
    public async Task Two_hundred_parallel_equal_keys_make_one_run()
    {
        await using var world = await ChatWorld.StartAsync();
        var runs = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => SendAsync(world, "/api/v1/chat", "k1")));
        Assert.All(runs, r => Assert.Equal(HttpStatusCode.OK, r.Status));
        Assert.Single(runs.Select(r => r.Body.GetProperty("run_id").GetString()).Distinct());
        Assert.All(runs, r => Assert.Equal("Hello there, friend.", r.Body.GetProperty("response").GetString()));
        Assert.Single(world.Sim.Calls);
        Assert.Equal(1, (await world.App.GetJsonAsync("/api/v1/conversations")).GetProperty("items").GetArrayLength());
    }

    [DatabaseFact]
    public async Task A_repeated_stream_replays_from_one()
    {
        await using var world = await ChatWorld.StartAsync();
        var first = await StreamAsync(world, "k");
        var second = await StreamAsync(world, "k");
        var stored = first.Where(e => !e.Id!.Contains(':', StringComparison.Ordinal)).Select(e => (e.Id, e.Data.ToString())).ToArray();
        Assert.Equal("1", stored[0].Id);
        Assert.Equal(stored, second.Select(e => (e.Id, e.Data.ToString())));
        Assert.Single(world.Sim.Calls);
    }

    [DatabaseFact]
    public async Task A_repeated_stream_of_OpenAIs_has_the_answer_once_the_question_was_answered()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { last_role: tool }
                answer: { text: "Then it is for seven." }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "For how many?" } } ] }
            """);
        var first = await CompletionAsync(world, "k");
        Assert.Contains("For how many?", first, StringComparison.Ordinal);
        Assert.Equal(WithoutTime(first), WithoutTime(await CompletionAsync(world, "k"))); // it still asks
        var run = (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items")[0].GetProperty("id").GetString()!;
        using var answered = await world.App.PostAsync($"/api/v1/runs/{run}/input", """{"text":"seven"}""");
        Assert.Equal(HttpStatusCode.Accepted, answered.StatusCode);
        await world.EventsAsync(run);
        var last = await CompletionAsync(world, "k");
        Assert.DoesNotContain("For how many?", last, StringComparison.Ordinal);
        Assert.Contains("seven.", last, StringComparison.Ordinal);
    }

    /// <summary>The second in which a client asked may be another one when it asks again.</summary>
    private static string WithoutTime(string stream) => System.Text.RegularExpressions.Regex.Replace(stream, "\"created\":[0-9]+", "", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(10));

    private static async Task<string> CompletionAsync(ChatWorld world, string key)
    {
        using var response = await world.App.SendAsync(HttpMethod.Post, "/v1/chat/completions", """{"model":"agent:communicator","stream":true,"messages":[{"role":"user","content":"Book it"}]}""", ("Idempotency-Key", key));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    [DatabaseFact]
    public async Task A_repeat_tells_the_state_that_its_run_has_by_now()
    {
        await using var world = await ChatWorld.StartAsync();
        var path = $"/api/v1/conversations/{await world.NewConversationAsync()}/runs";
        var run = (await AcceptedAsync(path, """{"message":"Hi"}""")).GetProperty("run_id").GetString()!;
        await world.EventsAsync(run);
        var again = await AcceptedAsync(path, """{"message":"Hi"}""");
        Assert.Equal((run, await world.StatusAsync(run), "completed"), (again.GetProperty("run_id").GetString(), again.GetProperty("status").GetString(), await world.StatusAsync(run)));

        var retry = (await AcceptedAsync($"/api/v1/runs/{run}/retry", "{}")).GetProperty("id").GetString()!;
        Assert.NotEqual(run, retry);
        await world.EventsAsync(retry);
        var repeated = await AcceptedAsync($"/api/v1/runs/{run}/retry", "{}");
        Assert.Equal((retry, "completed"), (repeated.GetProperty("id").GetString(), repeated.GetProperty("status").GetString()));
        Assert.Equal("Hello there, friend.", repeated.GetProperty("answer").GetProperty("text").GetString());
        Assert.Equal(2, (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").GetArrayLength());

        async Task<JsonElement> AcceptedAsync(string to, string body)
        {
            using var response = await world.App.SendAsync(HttpMethod.Post, to, body, ("Idempotency-Key", "k"));
            Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
            return JsonElement.Parse(await response.Content.ReadAsStringAsync());
        }
    }

    [DatabaseFact]
    public async Task Another_body_or_route_is_not_the_same_request()
    {
        await using var world = await ChatWorld.StartAsync();
        var first = await SendAsync(world, "/api/v1/chat", "k");
        using var other = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"Other","team":"solo"}""", ("Idempotency-Key", "k"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.StatusCode);
        Assert.Equal("idempotency_mismatch", JsonElement.Parse(await other.Content.ReadAsStringAsync()).GetProperty("code").GetString());
        var elsewhere = await SendAsync(world, "/api/v1/chat/message", "k");
        Assert.NotEqual(first.Body.GetProperty("run_id").GetString(), elsewhere.Body.GetProperty("run_id").GetString());
    }

    [DatabaseFact]
    public async Task A_key_is_known_after_a_restart()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Hello there, friend.\" }");
        var data = Directory.CreateTempSubdirectory("rootmas-test-").FullName;
        try
        {
            string? run;
            await using (var before = await ChatWorld.StartAsync(sim: sim, data: data))
            {
                run = (await SendAsync(before, "/api/v1/chat", "k")).Body.GetProperty("run_id").GetString();
            }

            await using var after = await ChatWorld.StartAsync(sim: sim, data: data);
            var again = await SendAsync(after, "/api/v1/chat", "k");
            Assert.Equal(run, again.Body.GetProperty("run_id").GetString());
            Assert.Equal("Hello there, friend.", again.Body.GetProperty("response").GetString());
            Assert.Single(sim.Calls);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [DatabaseFact]
    public async Task A_key_finds_its_run_after_a_kill_in_the_middle_of_it()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Hello there, friend.\" }");
        await using var server = await ServerProcess.StartAsync(ServerSettings.With(sim) with { Config = Repository.PathOf("config") });
        var hold = sim.Hold(new() { Call = 1 });
        var cut = PostAsync(server.Http);
        await hold.Reached;
        await server.KillAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => cut);
        sim.ReleaseAll();
        await server.StartAgainAsync();
        var again = await PostAsync(server.Http);
        Assert.Equal("Hello there, friend.", again.GetProperty("response").GetString());
        var runs = JsonElement.Parse(await server.Http.GetStringAsync("/api/v1/runs")).GetProperty("items");
        Assert.Equal(again.GetProperty("run_id").GetString(), Assert.Single(runs.EnumerateArray()).GetProperty("id").GetString());

        static async Task<JsonElement> PostAsync(HttpClient http)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = new StringContent(Body, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json")) };
            request.Headers.Add("Idempotency-Key", "k");
            using var response = await http.SendAsync(request);
            return JsonElement.Parse(await response.Content.ReadAsStringAsync());
        }
    }

    [DatabaseFact]
    public async Task A_refused_request_does_not_use_its_key_up()
    {
        await using var world = await ChatWorld.StartAsync();
        var missing = $$"""{"message":"Hi","conversation_id":"{{Guid.CreateVersion7()}}"}""";
        using var refused = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat", missing, ("Idempotency-Key", "k"));
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(world, "/api/v1/chat", "k")).Status);
    }

    private static async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(ChatWorld world, string path, string key)
    {
        using var response = await world.App.SendAsync(HttpMethod.Post, path, Body, ("Idempotency-Key", key));
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }

    private static async Task<List<SseEvent>> StreamAsync(ChatWorld world, string key)
    {
        using var response = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat/stream", Body, ("Idempotency-Key", key));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await SseEvent.ReadAllAsync(response);
    }
}

public sealed class RunKeysOnSqliteTests() : RunKeysTests(DatabaseKind.Sqlite);

public sealed class RunKeysOnPostgresTests() : RunKeysTests(DatabaseKind.Postgres), IOnPostgres;
