using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Redis;

/// <summary>Redis is tried again, given up, left alone and asked again, as <c>Resilience:Redis</c> says.</summary>
public sealed class RedisCircuitTests
{
    private readonly ManualTimeProvider _clock = new();

    [RedisFact]
    public async Task A_Redis_that_is_killed_is_tried_again_given_up_left_alone_and_used_again_when_one_try_succeeded()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = await TestApp.StartAsync(o =>
        {
            redis.Use(o);
            o.Settings["Resilience:Redis:BreakAfter"] = "8";
            o.Settings["Resilience:Redis:BreakFor"] = "1s";
        });
        var pool = app.Get<RedisPool>();
        Assert.True((await SetAsync(pool)).IsThere);
        Assert.Contains("rootmas_outbound_circuit{client=\"redis\"} 0", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);

        await redis.KillAsync();
        await Wait.UntilAsync(() => app.Get<RedisCircuit>().State == "open");
        Assert.False((await SetAsync(pool)).IsThere);
        Assert.False(app.Get<RedisBus>().IsConnected);
        var metrics = await app.Client.GetStringAsync("/metrics");
        Assert.True(Figure(metrics, "rootmas_outbound_retries_total{client=\"redis\"}") > 0);
        Assert.Equal(1, Figure(metrics, "rootmas_outbound_give_ups_total{client=\"redis\"}"));
        Assert.True(Figure(metrics, "rootmas_outbound_rejected_total{client=\"redis\"}") > 0);
        Assert.True(Figure(metrics, "rootmas_outbound_circuit{client=\"redis\"}") > 0); // open, or a try is being made
        await TestCluster.UntilAsync(async () => (await app.GetJsonAsync("/health")).GetProperty("services").GetProperty("outbound").GetString() == "degraded", "health tells of it");
        var details = (await app.GetJsonAsync("/health")).GetProperty("details");
        Assert.Matches("redis is (open|half open), last failure (cannot_connect|timeout)", details.GetProperty("outbound").GetString()!);
        Assert.Contains("is left alone for 1 s at a time", details.GetProperty("redis").GetString(), StringComparison.Ordinal);

        await redis.StartAgainAsync();
        await Wait.UntilAsync(() => pool.IsConnected && app.Get<RedisBus>().IsConnected);
        Assert.True((await SetAsync(pool)).IsThere);
        Assert.Contains("rootmas_outbound_circuit{client=\"redis\"} 0", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [RedisFact]
    public async Task A_Redis_that_is_left_alone_is_not_asked_until_one_command_is_answered_and_a_refusal_is_an_answer()
    {
        await using var redis = await RedisServer.StartAsync();
        var circuit = Circuit(breakAfter: 3, out var policies);
        await using var pool = new RedisPool(new RedisOptions { ConnectionString = redis.Url, KeyPrefix = RedisServer.NewPrefix() }, circuit, TimeProvider.System, NullLogger<RedisPool>.Instance);
        await pool.StartAsync();
        var asked = 0;
        ValueTask<RedisAnswer<bool>> AskAsync() => pool.TryAsync("test", session =>
        {
            asked++;
            return session.Commands.StringSetAsync("key", "value");
        });

        Assert.True((await AskAsync()).IsThere);
        await redis.CommandAsync("CONFIG", "SET", "maxmemory", "1"); // from now on: OOM
        for (var i = 0; i < 10; i++)
        {
            Assert.False((await AskAsync()).IsThere);
        }

        Assert.Equal(("closed", 1 + 10), (circuit.State, asked));
        for (var i = 0; i < 3; i++)
        {
            circuit.Failed(circuit.Enter(), "timeout"); // as others found
        }

        for (var i = 0; i < 1_000; i++)
        {
            Assert.False((await AskAsync()).IsThere); // the clock stands still
        }

        Assert.Equal(1 + 10, asked);
        Assert.Equal(HealthState.Weak, (await new OutboundProbe(policies).CheckAsync(CancellationToken.None)).Status);
        _clock.Advance(TimeSpan.FromSeconds(6));
        Assert.False((await AskAsync()).IsThere);
        Assert.Equal(("closed", 1 + 11), (circuit.State, asked));
        await redis.CommandAsync("CONFIG", "SET", "maxmemory", "0");
        Assert.True((await AskAsync()).IsThere);
    }

    [Fact]
    public async Task One_try_decides_and_all_who_wait_go_on_when_it_succeeded()
    {
        var circuit = Circuit(breakAfter: 2, out _);
        circuit.Failed(circuit.Enter(), "timeout");
        circuit.Succeeded(circuit.Enter()); // not in a row
        circuit.Failed(circuit.Enter(), "timeout");
        Assert.Equal("closed", circuit.State);
        var late = circuit.Enter();
        circuit.Failed(circuit.Enter(), "timeout");
        Assert.Equal("open", circuit.State);
        circuit.Succeeded(late); // asked before it opened
        Assert.Equal(RedisEntry.Refused, circuit.Enter());

        _clock.Advance(TimeSpan.FromSeconds(5));
        var probe = circuit.Enter();
        Assert.Equal((RedisEntry.Probe, "half_open", RedisEntry.Refused), (probe, circuit.State, circuit.Enter()));
        circuit.Failed(probe, "timeout");
        Assert.Equal(("open", RedisEntry.Refused), (circuit.State, circuit.Enter()));

        _clock.Advance(TimeSpan.FromSeconds(5));
        circuit.Abandoned(circuit.Enter());
        probe = circuit.Enter();
        Assert.Equal(RedisEntry.Probe, probe);
        var waiting = Enumerable.Range(0, 3).Select(_ => circuit.EnterAsync(TimeSpan.FromHours(1), CancellationToken.None)).ToArray();
        Assert.DoesNotContain(waiting, static w => w.IsCompleted);
        circuit.Succeeded(probe);
        Assert.All(await Task.WhenAll(waiting), static entry => Assert.Equal(RedisEntry.Free, entry));
        Assert.Equal(("closed", RedisEntry.Free), (circuit.State, circuit.Enter()));
    }

    [Fact]
    public void While_the_circuit_is_closed_an_entry_costs_nothing_worth_mentioning()
    {
        var circuit = Circuit(breakAfter: 5, out _);
        circuit.Succeeded(circuit.Enter());
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            circuit.Succeeded(circuit.Enter());
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000);
    }

    private RedisCircuit Circuit(int breakAfter, out OutboundPolicies policies)
    {
        var shipped = new ResilienceOptions().Redis;
        policies = new OutboundPolicies(new ResilienceOptions { Redis = shipped with { BreakAfter = breakAfter, Timeout = TimeSpan.FromSeconds(20) } }, _clock);
        return new RedisCircuit(policies, _clock, NullLogger<RedisCircuit>.Instance);
    }

    private static ValueTask<RedisAnswer<bool>> SetAsync(RedisPool pool) => pool.TryAsync("test", static s => s.Commands.StringSetAsync("key", "value"));

    private static double Figure(string metrics, string name) => metrics.Split('\n').SingleOrDefault(l => l.StartsWith(name + " ", StringComparison.Ordinal)) is { } line
        ? double.Parse(line[(name.Length + 1)..].Split(' ')[0], CultureInfo.InvariantCulture)
        : 0;
}
