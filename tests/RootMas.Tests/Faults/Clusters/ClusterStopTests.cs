using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;
using RootMas.Tests.Support.Clusters;

namespace RootMas.Tests.Faults.Clusters;

/// <summary>F4 and F7 on a cluster, and what an operator does every week: machines and servers are stopped and started in order while people work.</summary>
[Collection(RabbitCollection.Name)]
public sealed class ClusterStopTests(RabbitServer rabbit)
{
    private const string Slow = """
        rules:
          - match: { last_user: "slowly" }
            answer: { text: "one two three four five six seven eight nine ten eleven twelve", first_token_ms: 100, tokens_per_second: 1.5 }
        default: { text: "You said {{last_user}} and this is an answer in a few more words.", first_token_ms: 40, tokens_per_second: 20 }
        """;

    [ProcessesFact]
    public async Task A_server_with_two_hundred_open_runs_and_streams_stops_in_time_and_they_go_on_elsewhere()
    {
        await using var world = await ClusterWorld.StartAsync(
            new ClusterPlan { Script = Slow, Servers = 2, Workers = 1, Settings = new Dictionary<string, string> { ["Runs:Parallelism"] = "400" } }, rabbit);
        var user = await world.UserAsync("alice");
        var leaving = world.Nodes[0];
        using var direct = new HttpClient { BaseAddress = new Uri(leaving.Process.BaseUrl), Timeout = TimeSpan.FromMinutes(2) };
        direct.DefaultRequestHeaders.Authorization = user.Client.DefaultRequestHeaders.Authorization;
        var streams = Enumerable.Range(0, 200).Select(_ => new Followed(user, direct)).ToList();
        var reading = streams.Select(static s => s.BeginAsync()).ToList();
        await world.Sim.WaitForCallsAsync(200, TimeSpan.FromMinutes(1));
        foreach (var stream in streams)
        {
            await stream.Began.Task.WaitAsync(TimeSpan.FromMinutes(1));
        }

        var began = Stopwatch.GetTimestamp();
        var ending = leaving.Process.TerminateAsync(TimeSpan.FromMinutes(2));
        var states = await WatchReadinessAsync(leaving, ending);
        Assert.Equal(0, await ending);
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 5 * 25); // promised: 25 s
        Assert.DoesNotContain(HttpStatusCode.OK, states.SkipWhile(static s => s == HttpStatusCode.OK)); // red, and never green again

        await Task.WhenAll(reading).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.All(streams, static s => Assert.True(s.ToldToComeBack || s.Client.Ended, "a stream was cut without a word"));
        await Task.WhenAll(streams.Select(static s => s.FinishAsync())).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.All(streams, static s => Assert.EndsWith("eleven twelve", s.Client.FinalText(), StringComparison.Ordinal));
    }

    [ProcessesFact]
    public async Task Servers_and_workers_are_restarted_one_after_the_other_while_clients_lose_nothing()
    {
        await using var world = await ClusterWorld.StartAsync(new ClusterPlan { Script = ClusterLoad.Script, Servers = 2, Workers = 2, Nginx = true }, rabbit);
        ClusterUser[] users = [await world.UserAsync("alice"), await world.UserAsync("bob")];
        var load = new ClusterLoad(users, await world.UserAsync("root_of_all", "admin"), seed: 5);
        using var stop = new CancellationTokenSource();
        using var decided = new CancellationTokenSource();
        var (acting, deciding) = (load.RunAsync(clients: 6, stop.Token), load.DecideAsync(decided.Token));
        foreach (var node in world.Nodes)
        {
            Assert.Equal(0, await node.Process.TerminateAsync(TimeSpan.FromMinutes(2)));
            await node.Process.StartAgainAsync();
        }

        await stop.CancelAsync();
        await acting;
        await NemesisTests.QuietAsync(world);
        await decided.CancelAsync();
        await deciding;
        await NemesisTests.QuietAsync(world); // what the last decisions set going
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM runs WHERE status = 'failed'"));
        await new ClusterProof(world, users, load).CheckAsync(5);
    }

    [ProcessesFact]
    public async Task While_the_database_is_away_the_cluster_says_so_lives_on_and_goes_on_by_itself()
    {
        await using var world = await ClusterWorld.StartAsync(new ClusterPlan { Script = Slow, Servers = 2, Workers = 1 }, rabbit);
        var user = await world.UserAsync("alice");
        var unseen = await world.UserAsync("bob"); // their token has been used nowhere: only the database knows what it is worth
        var ids = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => AskAsync(user)));
        await world.Sim.WaitForCallsAsync(10);
        await world.Postgres.StopAsync();
        foreach (var server in world.Servers)
        {
            using var direct = new HttpClient { BaseAddress = new Uri(server.Process.BaseUrl), Timeout = TimeSpan.FromMinutes(1) };
            direct.DefaultRequestHeaders.Authorization = user.Client.DefaultRequestHeaders.Authorization;
            using var refused = await direct.PostAsJsonAsync("/api/v1/chat", new { message = "slowly", team = "solo" });
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
            await UntilAsync(async () => !await server.Process.IsReadyAsync());
            direct.DefaultRequestHeaders.Authorization = unseen.Client.DefaultRequestHeaders.Authorization;
            using var live = await direct.GetAsync("/health/live");
            Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        }

        await world.Postgres.StartAgainAsync();
        foreach (var node in world.Nodes)
        {
            await UntilAsync(node.Process.IsReadyAsync);
            Assert.False(node.Process.HasExited);
        }

        await NemesisTests.QuietAsync(world);
        foreach (var id in ids)
        {
            Assert.Equal("completed", JsonElement.Parse(await user.Client.GetStringAsync($"/api/v1/runs/{id}")).GetProperty("status").GetString());
        }
    }

    private static async Task<string> AskAsync(ClusterUser user)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message = "slowly", team = "solo" }) };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var response = await user.Client.SendAsync(request);
        return JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("run_id").GetString()!;
    }

    /// <summary>What readiness says until the process is gone.</summary>
    private static async Task<List<HttpStatusCode>> WatchReadinessAsync(ClusterNode node, Task ending)
    {
        List<HttpStatusCode> states = [];
        while (!ending.IsCompleted)
        {
            try
            {
                using var ready = await node.Process.Http.GetAsync("/health/ready");
                states.Add(ready.StatusCode);
            }
            catch (HttpRequestException)
            {
                await ending;
            }
        }

        return states;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!await condition())
        {
            await Task.Delay(50, limit.Token);
        }
    }

    /// <summary>One stream that begins at the server that will leave and ends wherever it is taken on.</summary>
    private sealed class Followed(ClusterUser user, HttpClient first)
    {
        private string _run = "";

        public StreamClient Client { get; } = new();

        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool ToldToComeBack { get; private set; }

        public async Task BeginAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = JsonContent.Create(new { message = "slowly", team = "solo" }) };
            using var response = await first.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.True(response.IsSuccessStatusCode, response.StatusCode.ToString());
            await ReadAsync(response);
        }

        public async Task FinishAsync()
        {
            while (!Client.Ended)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{_run}/events") { Headers = { { "Accept", "text/event-stream" } } };
                request.Headers.TryAddWithoutValidation("Last-Event-ID", Client.LastId);
                using var response = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                await ReadAsync(response);
            }
        }

        private async Task ReadAsync(HttpResponseMessage response)
        {
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
            string? id = null, type = null, data = null;
            while (await lines.ReadLineAsync() is { } line)
            {
                ToldToComeBack |= line.StartsWith(": the server is stopping", StringComparison.Ordinal);
                (id, type, data) = line.Split(": ", 2) switch
                {
                    ["id", var i] => (i, type, data),
                    ["event", var e] => (id, e, data),
                    ["data", var d] => (id, type, d),
                    _ => (id, type, data),
                };
                if (line.Length == 0 && data is not null)
                {
                    Take(new SseEvent(id, type!, JsonElement.Parse(data)));
                    (id, type, data) = (null, null, null);
                }
            }
        }

        private void Take(SseEvent e)
        {
            _run = e.Data.GetProperty("run_id").GetString()!;
            Client.See(e);
            Began.TrySetResult();
        }
    }
}
