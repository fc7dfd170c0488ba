using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Redis;

/// <summary>The connections for commands: how many, and what happens when Redis goes and comes.</summary>
public sealed class RedisPoolTests
{
    [RedisTheory]
    [InlineData(3)]
    [InlineData(9)]
    [InlineData(50)]
    public async Task A_server_with_Redis_opens_as_many_connections_as_the_setting_says_and_no_more(int size)
    {
        await using var server = await RedisServer.StartAsync();
        await using var app = await TestApp.StartAsync(o =>
        {
            server.Use(o);
            o.Settings["Redis:PoolSize"] = $"{size}";
        });
        await Wait.UntilAsync(
            async s =>
            {
                var open = await s.ConnectionsAsync();
                Assert.InRange(open, 0, size);
                return open == size;
            },
            server,
            "Not all connections were opened");
        await TestCluster.UntilAsync(async () => (await app.GetJsonAsync("/health")).GetProperty("services").GetProperty("redis").GetString() == "healthy", "Redis is healthy");
        Assert.Contains("answers in", (await app.GetJsonAsync("/health")).GetProperty("details").GetProperty("redis").GetString(), StringComparison.Ordinal);
    }

    [RedisFact]
    public async Task Another_installation_under_the_same_prefix_is_named_and_ones_own_mark_is_left_where_there_is_none()
    {
        var server = await RedisServer.SharedAsync();
        var (alone, shared) = (RedisServer.NewPrefix(), RedisServer.NewPrefix());
        await server.CommandAsync("SET", shared + "installation", "0123456789abcdef");
        await using var one = await TestApp.StartAsync(o => server.Use(o, alone));
        await using var two = await TestApp.StartAsync(o => server.Use(o, shared));
        await Wait.UntilAsync(static async app => (await app.GetJsonAsync("/health")).GetProperty("details").GetProperty("redis").GetString()!.Contains("0123456789abcdef", StringComparison.Ordinal), two, "The other installation was not named");
        Assert.Equal("degraded", (await two.GetJsonAsync("/health")).GetProperty("services").GetProperty("redis").GetString());
        Assert.Equal(["0123456789abcdef"], await server.CommandAsync("GET", shared + "installation"));
        var own = await InstallationId.ReadAsync(one.Get<IDatabase>(), default);
        await Wait.UntilAsync(async s => (await s.CommandAsync("GET", alone + "installation")).FirstOrDefault() == own, server, "The own mark was not left");
        Assert.Equal("healthy", (await one.GetJsonAsync("/health")).GetProperty("services").GetProperty("redis").GetString());
    }

    [RedisFact]
    public async Task A_Redis_that_is_away_at_the_start_stops_nothing_and_is_used_when_it_comes()
    {
        await using var server = await RedisServer.StartAsync();
        await server.KillAsync();
        await using var app = await TestApp.StartAsync(o => (o.Settings["Redis:ConnectionString"], o.Settings["Resilience:Redis:BreakFor"]) = (server.Url, "500ms"));
        var health = await app.GetJsonAsync("/health");
        Assert.Equal(("degraded", "unhealthy"), (health.GetProperty("status").GetString(), health.GetProperty("services").GetProperty("redis").GetString()));
        Assert.StartsWith("does not answer: cannot_connect", health.GetProperty("details").GetProperty("redis").GetString(), StringComparison.Ordinal);
        Assert.Equal("ok", (await app.GetJsonAsync("/health/ready")).GetProperty("status").GetString());
        await server.StartAgainAsync();
        await Wait.UntilAsync(() => app.Get<RedisPool>().IsConnected && app.Get<RedisBus>().IsConnected);
    }

    [RedisTheory]
    [InlineData("noperm", "ACL SETUSER default -@scripting", "ACL SETUSER default +@all")]
    [InlineData("oom", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")]
    public async Task A_Redis_that_answers_and_refuses_what_it_is_there_for_is_not_healthy_and_the_log_says_so_once(string kind, string begin, string end)
    {
        await using var server = await RedisServer.StartAsync();
        await using var app = await TestApp.StartAsync(o => server.Use(o));
        Task HealthAsync(string status, string words) => Wait.UntilAsync(
            async a => await a.GetJsonAsync("/health") is var health && health.GetProperty("services").GetProperty("redis").GetString() == status
                && health.GetProperty("details").GetProperty("redis").GetString()!.Contains(words, StringComparison.Ordinal),
            app,
            $"Redis was not {status}: {words}");
        string[] Said(string words) => [.. app.Get<LogRing>().Read(LogLevel.Information, "RedisPool", 1_000).Select(static l => l.Message).Where(m => m.Contains(words, StringComparison.Ordinal))];

        await HealthAsync("healthy", "answers in");
        await server.CommandAsync(begin.Split(' '));
        await HealthAsync("unhealthy", $"refuses what it is there for: {kind}");
        Assert.Equal("ok", (await app.GetJsonAsync("/health/ready")).GetProperty("status").GetString());
        await server.CommandAsync(end.Split(' '));
        await HealthAsync("healthy", $": {kind}"); // its last failure
        Assert.Contains($"({kind}; first: ", Assert.Single(Said("refuses what it is there for")), StringComparison.Ordinal);
        await Wait.UntilAsync(() => Said($"does again what it refused ({kind})").Length == 1);
    }

    [RedisFact]
    public async Task What_one_use_is_refused_shuts_no_other_messages_go_on_and_health_and_log_tell_of_it()
    {
        await using var server = await RedisServer.StartAsync();
        var options = new RedisOptions { ConnectionString = server.Url, KeyPrefix = RedisServer.NewPrefix(), ConnectTimeout = TimeSpan.FromMinutes(1) };
        await using var app = await TestApp.StartAsync(o => server.Use(o, options.KeyPrefix));
        await using var other = new RedisBus(options, RedisServer.Circuit(), TimeProvider.System, NullLogger<RedisBus>.Instance);
        await other.StartAsync();
        var (pool, bus, circuit) = (app.Get<RedisPool>(), app.Get<RedisBus>(), app.Get<RedisCircuit>());
        await Wait.UntilAsync(() => pool.IsConnected && bus.IsConnected && other.IsConnected);
        var heard = 0;
        using var listener = other.Subscribe("test", _ => Interlocked.Increment(ref heard));
        await Wait.UntilAsync(async s => (await s.CommandAsync("PUBSUB", "NUMSUB", RedisBus.ChannelPrefix(options) + "test"))[1] == "1", server, "Nobody listened");

        await server.CommandAsync("ACL", "SETUSER", "default", "-pubsub"); // how many listen is not told any more
        for (var i = 0; i < 3 * circuit.Policy.BreakAfter; i++)
        {
            Assert.False((await pool.TryAsync("instances", static s => s.Commands.ExecuteAsync("PUBSUB", "NUMSUB", "any"))).IsThere);
            Assert.Equal(("closed", true, true), (circuit.State, pool.IsConnected, bus.IsConnected));
            Assert.True((await pool.TryAsync("other", static s => s.Commands.StringSetAsync("key", "value"))).IsThere);
        }

        bus.Publish("test", new byte[] { 1 });
        await Wait.UntilAsync(() => Volatile.Read(ref heard) == 1);
        await Wait.UntilAsync(
            static async a => (await a.GetJsonAsync("/health")).GetProperty("details").GetProperty("redis").GetString()!.Contains("refuses some of what it is there for: noperm", StringComparison.Ordinal), app, "Health did not tell");
        Assert.Equal("degraded", (await app.GetJsonAsync("/health")).GetProperty("services").GetProperty("redis").GetString());
        Assert.Single(app.Get<LogRing>().Read(LogLevel.Warning, "RedisPool", 1_000), static l => l.Message.Contains("refuses what it is there for (noperm; first: instances)", StringComparison.Ordinal));
    }

    [RedisFact]
    public async Task Answers_that_are_not_there_come_at_once_while_Redis_stands_still_and_it_comes_back_by_itself()
    {
        await using var server = await RedisServer.StartAsync();
        await using var pool = await server.PoolAsync(patience: TimeSpan.FromSeconds(1));
        await Wait.UntilAsync(static async p => (await p.TryAsync("test", static s => s.Commands.StringSetAsync("key", "value"))).IsThere, pool, "no answer came"); // its patience is short
        await server.PauseAsync(true);
        var asked = 0;
        while (pool.IsConnected)
        {
            Assert.False((await pool.TryAsync("test", static s => s.Commands.StringGetAsync("key"))).IsThere);
            asked++;
        }

        // Each link was found out by one command at most; from then on a thousand answers cost nothing: if each waited for its second, this would not end.
        Assert.InRange(asked, 0, 10);
        for (var i = 0; i < 1_000; i++)
        {
            Assert.False((await pool.TryAsync("test", static s => s.Commands.StringGetAsync("key"))).IsThere);
        }

        Assert.NotNull(pool.LastFailure);
        await server.PauseAsync(false);
        await Wait.UntilAsync(() => pool.IsConnected);
        await Wait.UntilAsync(static async p => (await p.TryAsync("test", static s => s.Commands.StringGetAsync("key"))) is { IsThere: true, Value: var value } && value == "value", pool, "the value did not come");
    }

    [RedisFact]
    public async Task Killed_and_started_again_it_is_used_again_and_scripts_are_sent_again()
    {
        await using var server = await RedisServer.StartAsync();
        await using var pool = await server.PoolAsync();
        for (var outage = 0; outage < 3; outage++)
        {
            Assert.Equal(3, (int)(await pool.TryScriptAsync("test", "return 1 + 2", [], [])).Value);
            await server.CommandAsync("SCRIPT", "FLUSH");
            Assert.Equal(3, (int)(await pool.TryScriptAsync("test", "return 1 + 2", [], [])).Value);
            await server.KillAsync();
            await Wait.UntilAsync(() => !pool.IsConnected);
            await server.StartAgainAsync();
            await Wait.UntilAsync(() => pool.IsConnected);
        }
    }

    [RedisFact]
    public async Task A_wrong_password_is_told_and_a_right_one_works_in_both_forms()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "s3cret");
        var host = $"127.0.0.1:{server.Port}";
        await using (var wrong = await server.PoolAsync(url: $"redis://:wrong@{host}"))
        {
            Assert.False(wrong.IsConnected);
            Assert.NotNull(wrong.LastFailure);
        }

        foreach (var text in (string[])[$"redis://:s3cret@{host}/3", $"redis://default:s3cret@{host}/3", $"{host},password=s3cret,defaultDatabase=3"])
        {
            await using var right = await server.PoolAsync(url: text);
            Assert.True((await right.TryAsync("test", static s => s.Commands.StringSetAsync("in 3", 1))).IsThere, text);
        }

        Assert.Equal(["0"], await server.CommandAsync("EXISTS", "in 3"));
    }
}
