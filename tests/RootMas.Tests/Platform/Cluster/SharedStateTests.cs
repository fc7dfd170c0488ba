using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Outbox;
using RootMas.Tests.Support;
using Box = RootMas.Server.Platform.Outbox.Outbox;

namespace RootMas.Tests.Platform.Cluster;

/// <summary>Agents, idempotency keys, the outbox and the list of instances, where several processes share a database.</summary>
public sealed class SharedStateTests
{
    private static readonly IdempotencyRequest Key = new("owner", "POST /x", "key", "hash");

    [PostgresFact]
    public async Task An_agent_that_is_changed_in_one_instance_is_in_force_in_all()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster[0].PostJsonAsync("/api/v1/agents", Helper("You help."), HttpStatusCode.Created);
        await TestCluster.UntilAsync(() => Task.FromResult(cluster[1].Get<AgentCatalog>().Current.FindAgent("helper") is not null), "the agent is there too");

        // Whoever read it here may change it there at once, and a change that somebody else made first is seen.
        using var seen = await cluster[0].Client.GetAsync("/api/v1/agents/helper");
        var etag = seen.Headers.ETag!.ToString();
        using var changed = await cluster[0].SendAsync(HttpMethod.Put, "/api/v1/agents/helper", JsonSerializer.Serialize(Helper("You help more.")), ("If-Match", etag));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        using var stale = await cluster[1].SendAsync(HttpMethod.Put, "/api/v1/agents/helper", JsonSerializer.Serialize(Helper("You help less.")), ("If-Match", etag));
        Assert.Equal(HttpStatusCode.PreconditionFailed, stale.StatusCode);
        using var next = await cluster[1].SendAsync(HttpMethod.Put, "/api/v1/agents/helper", JsonSerializer.Serialize(Helper("You help less.")), ("If-Match", changed.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        await TestCluster.UntilAsync(
            () => Task.FromResult(cluster[0].Get<AgentCatalog>().Current.FindAgent("helper")!.Definition.Instructions == "You help less."), "the newest version is in force everywhere");
    }

    [PostgresFact]
    public async Task Two_hundred_requests_with_one_key_over_two_instances_make_one_run()
    {
        await using var cluster = await TestCluster.StartAsync();
        var conversation = (await cluster[0].PostJsonAsync("/api/v1/conversations", new { title = "one" }, HttpStatusCode.Created)).GetProperty("id").GetString();
        var ids = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            using var answer = await cluster[i % 2].SendAsync(HttpMethod.Post, $"/api/v1/conversations/{conversation}/runs", """{"message":"hello"}""", ("Idempotency-Key", "once"));
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.StatusCode == HttpStatusCode.Accepted, $"{answer.StatusCode} {text}");
            return JsonElement.Parse(text).GetProperty("run_id").GetString();
        }));
        Assert.Single(ids.Distinct());
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM runs WHERE parent_run_id IS NULL"));
    }

    [PostgresFact]
    public async Task A_key_makes_one_thing_whichever_instance_is_asked()
    {
        await using var cluster = await TestCluster.StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            using var answer = await cluster[i % 2].SendAsync(HttpMethod.Post, "/api/v1/conversations", """{"title":"once"}""", ("Idempotency-Key", "one"));
            return (answer.StatusCode, Body: await answer.Content.ReadAsStringAsync());
        }));
        Assert.All(answers, static a => Assert.Contains(a.StatusCode, new[] { HttpStatusCode.Created, HttpStatusCode.Conflict })); // still at work: come again
        Assert.Single(answers.Where(static a => a.StatusCode == HttpStatusCode.Created).Select(static a => JsonElement.Parse(a.Body).GetProperty("id").GetString()).Distinct());
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM conversations WHERE title = 'once'"));
    }

    [PostgresFact]
    public async Task A_twin_in_a_living_process_is_waited_for_and_one_in_a_dead_process_is_taken_over()
    {
        TestDatabase.Kind = DatabaseKind.Postgres;
        await using var test = new TestDatabase();
        await using var mine = new PostgresPresence(test.Database, test.Options);
        var theirs = new PostgresPresence(test.Database, test.Options);
        var (me, them) = (Instance.New("serve"), Instance.New("serve"));
        await mine.HoldAsync(me.Name, default);
        await theirs.HoldAsync(them.Name, default);
        var (here, there) = (new IdempotencyStore(me, mine), new IdempotencyStore(them, theirs));
        Assert.IsType<Reservation.New>(await ReserveAsync(test, there));
        Assert.IsType<Reservation.Running>(await ReserveAsync(test, here));

        await theirs.DisposeAsync(); // what the kernel does to a killed process
        await TestCluster.UntilAsync(async () => await ReserveAsync(test, here) is Reservation.New, "the key of the dead is free");

        // It was only cut off and comes back: the other one has the key now, so nothing is made twice.
        await Assert.ThrowsAsync<Server.Platform.Http.ProblemException>(() => test.Database.WriteAsync(session => there.NameAsync(session, Key, "thing", "1"), default));
        await test.Database.WriteAsync(session => here.NameAsync(session, Key, "thing", "2"), default);
        Assert.Equal(new Reservation.Replay("thing", "2", null, null), await ReserveAsync(test, there));
    }

    [PostgresFact]
    public async Task Of_several_processes_one_hands_out_a_topic_in_order_and_another_goes_on_when_it_is_gone()
    {
        TestDatabase.Kind = DatabaseKind.Postgres;
        await using var test = new TestDatabase();
        var seen = new System.Collections.Concurrent.ConcurrentQueue<(int Process, string Payload)>();
        var processes = new List<Dispatching>();
        for (var i = 0; i < 3; i++)
        {
            processes.Add(await Dispatching.StartAsync(test, i, seen));
        }

        async Task TellAsync(int from, int count)
        {
            for (var i = 0; i < count; i++)
            {
                await test.Database.WriteAsync(session => processes[i % processes.Count].Box.AddAsync(session, "t", $"{from + i}"), default);
            }
        }

        await TellAsync(0, 30);
        await TestCluster.UntilAsync(() => Task.FromResult(seen.Count >= 30), "all are handed out");
        var first = Assert.Single(seen.Select(static s => s.Process).Distinct());
        await processes[first].DisposeAsync();
        processes.RemoveAll(p => p.Number == first);
        await TellAsync(30, 30);
        await TestCluster.UntilAsync(() => Task.FromResult(seen.Count >= 60), "another process goes on");
        Assert.Equal(Enumerable.Range(0, 60).Select(static i => $"{i}"), seen.Select(static s => s.Payload));
        Assert.DoesNotContain(first, seen.Skip(30).Select(static s => s.Process));
        foreach (var process in processes)
        {
            await process.DisposeAsync();
        }
    }

    [PostgresFact]
    public async Task Living_instances_are_listed_and_files_that_differ_are_told()
    {
        await using var cluster = await TestCluster.StartAsync();
        var registry = cluster[0].Get<InstanceRegistry>();
        Assert.Equal(2, (await registry.ListAsync(default)).Count(static i => i is { Role: "serve", Url: not null }));
        var other = await cluster.AddAsync(static o => o.ConfigFiles["prompts/_preamble.md"] = "Other rules.");
        await TestCluster.UntilAsync(() => Task.FromResult(other.Get<InstanceRegistry>().State.Status == HealthState.Weak), "the new instance sees that its files differ");
        var health = await other.GetJsonAsync("/health");
        Assert.Equal("degraded", health.GetProperty("services").GetProperty("instances").GetString());
        Assert.Contains("agents", health.GetProperty("details").GetProperty("instances").GetString(), StringComparison.Ordinal);
        await cluster.RemoveAsync(other);
        Assert.Equal(2, (await registry.ListAsync(default)).Count);
    }

    private static object Helper(string instructions) => new { name = "helper", role = "helper", description = "Helps.", instructions, tier = "standard" };

    private static Task<Reservation> ReserveAsync(TestDatabase test, IdempotencyStore store) => test.Database.WriteAsync(session => store.ReserveAsync(session, Key), default);

    private sealed class Dispatching : IAsyncDisposable
    {
        private readonly OutboxDispatcher _dispatcher;
        private readonly PostgresPresence _presence;

        private Dispatching(TestDatabase test, int number, System.Collections.Concurrent.ConcurrentQueue<(int Process, string Payload)> seen)
        {
            Number = number;
            var services = new ServiceCollection().AddSingleton(new Listener(number, seen)).AddSingleton(new OutboxSubscription("t", typeof(Listener))).BuildServiceProvider();
            var subscriptions = services.GetServices<OutboxSubscription>().ToList();
            _presence = new PostgresPresence(test.Database, test.Options);
            Box = new Box(subscriptions, null, _presence);
            _dispatcher = new OutboxDispatcher(test.Database, Box, subscriptions, services, TimeProvider.System, NullLogger<OutboxDispatcher>.Instance);
        }

        public int Number { get; }

        public Box Box { get; }

        public static async Task<Dispatching> StartAsync(TestDatabase test, int number, System.Collections.Concurrent.ConcurrentQueue<(int Process, string Payload)> seen)
        {
            var process = new Dispatching(test, number, seen);
            await process._dispatcher.StartAsync(default);
            return process;
        }

        public async ValueTask DisposeAsync()
        {
            await _dispatcher.StopAsync(default);
            _dispatcher.Dispose();
            await _presence.DisposeAsync();
        }
    }

    private sealed class Listener(int number, System.Collections.Concurrent.ConcurrentQueue<(int Process, string Payload)> seen) : IOutboxHandler
    {
        public Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
        {
            seen.Enqueue((number, message.Payload));
            return Task.CompletedTask;
        }
    }
}
