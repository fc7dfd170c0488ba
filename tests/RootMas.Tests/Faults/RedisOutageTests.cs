using System.Collections.Concurrent;
using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F8: Redis is killed, emptied, paused and started again under a load of two instances.</summary>
public sealed class RedisOutageTests
{
    private const int Limit = 40;

    [RedisAndPostgresFact]
    public async Task Under_load_nothing_fails_nothing_is_lost_limits_stay_bounded_and_everything_comes_back_by_itself()
    {
        var prefix = RedisServer.NewPrefix();
        await using var redis = await RedisServer.StartAsync();
        await using var cluster = await TestCluster.StartAsync(2, o =>
        {
            redis.Use(o, prefix);
            o.Settings["Resilience:Redis:Timeout"] = "12s"; // no stall of the machine is taken for an outage
            o.Settings["Redis:InstancesAssumed"] = "2";
            o.Settings["Limits:Routes:GET /api/v1/teams"] = $"{Limit}/10h";
        });
        await using var load = new Load(cluster);
        await load.GoOnAsync();
        await Wait.UntilAsync(() => load.Passed >= Limit); // an answer may come later than the refusals of those who asked after it
        Assert.Equal(Limit, load.Passed); // one limit for both of them

        await redis.PauseAsync(true);
        await load.GoOnAsync();
        await redis.PauseAsync(false);
        await load.GoOnAsync();
        await redis.FlushAsync();
        await load.GoOnAsync();
        await redis.KillAsync();
        await load.GoOnAsync();
        await redis.StartAgainAsync();
        foreach (var app in cluster.Apps)
        {
            await TestCluster.UntilAsync(async () => (await app.GetJsonAsync("/health")).GetProperty("services").GetProperty("redis").GetString() == "healthy", "Redis is used again");
        }

        await load.GoOnAsync();
        await load.StopAsync();

        // Begun anew when it was emptied and when it came back empty, and once while each instance counted for itself: a part each.
        Assert.InRange(load.Passed, Limit, (4 * Limit) + 5);
        Assert.Equal(load.Kept.Count, await cluster.ScalarAsync<long>("SELECT count(DISTINCT title) FROM conversations WHERE title LIKE 'kept %'"));
        Assert.Equal(load.Answered, await cluster.ScalarAsync<long>("SELECT count(*) FROM runs WHERE status = 'completed'"));
    }

    [RedisAndPostgresFact]
    public async Task What_was_revoked_is_revoked_on_every_instance_and_stays_so_when_Redis_is_emptied_killed_or_away()
    {
        var prefix = RedisServer.NewPrefix();
        await using var redis = await RedisServer.StartAsync();
        await using var cluster = await TestCluster.StartAsync(2, o => redis.Use(o, prefix));
        using var ann = await cluster[0].AsAsync("ann");
        using var bob = await cluster[0].AsAsync("bob");
        HttpClient[] ofAnn = [cluster[0].NewClient(ann.AccessToken), cluster[1].NewClient(ann.AccessToken)];
        HttpClient[] ofBob = [cluster[0].NewClient(bob.AccessToken), cluster[1].NewClient(bob.AccessToken)];
        foreach (var client in (HttpClient[])[.. ofAnn, .. ofBob])
        {
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(client)); // remembered from here on
        }

        using (var ended = await ofAnn[0].PostAsync("/api/v1/auth/logout", null))
        {
            Assert.True(ended.IsSuccessStatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(ofAnn[0]));
        await TestCluster.UntilAsync(async () => await StatusAsync(ofAnn[1]) == HttpStatusCode.Unauthorized, "the other instance knows");
        Func<Task>[] blows = [redis.FlushAsync, redis.KillAsync, redis.StartAgainAsync, redis.KillAsync];
        foreach (var blow in blows)
        {
            await blow();
            foreach (var client in ofAnn)
            {
                Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client));
            }
        }

        // Without Redis the database tells it.
        await cluster[0].ChangeUserAsync(bob.Id, """{"disabled":true}""");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(ofBob[0]));
        await TestCluster.UntilAsync(async () => await StatusAsync(ofBob[1]) == HttpStatusCode.Unauthorized, "the other instance knows");
        Array.ForEach([.. ofAnn, .. ofBob], static client => client.Dispose());
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client)
    {
        using var answer = await client.GetAsync("/api/v1/auth/me");
        return answer.StatusCode;
    }

    /// <summary>Writers, chatters, and somebody at both instances who goes beyond a limit.</summary>
    private sealed class Load : IAsyncDisposable
    {
        private readonly CancellationTokenSource _over = new();
        private readonly Task[] _work;
        private int _passed;
        private int _refused;
        private int _answered;

        public Load(TestCluster cluster) => _work =
        [
            .. cluster.Apps.SelectMany(app => new[] { RepeatAsync(() => KeepAsync(app)), RepeatAsync(() => ChatAsync(app)), RepeatAsync(() => ReadAsync(app)), RepeatAsync(() => AskForTooMuchAsync(app)) }),
        ];

        public ConcurrentBag<string> Kept { get; } = [];

        public int Passed => Volatile.Read(ref _passed);

        public int Answered => Volatile.Read(ref _answered);

        /// <summary>Until all of it went on for a while; a failure ends the waiting.</summary>
        public async Task GoOnAsync()
        {
            var (kept, answered, refused) = (Kept.Count, Answered, Volatile.Read(ref _refused));
            await Wait.UntilAsync(() => (Kept.Count >= kept + 10 && Answered >= answered + 6 && Volatile.Read(ref _refused) >= refused + 50) || Array.Exists(_work, static w => w.IsFaulted));
            foreach (var failed in _work.Where(static w => w.IsFaulted))
            {
                await failed;
            }
        }

        public async Task StopAsync()
        {
            await _over.CancelAsync();
            await Task.WhenAll(_work);
        }

        public async ValueTask DisposeAsync()
        {
            await _over.CancelAsync();
            await Task.WhenAll(_work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _over.Dispose();
        }

        private Task RepeatAsync(Func<Task> once) => Task.Run(async () =>
        {
            while (!_over.IsCancellationRequested)
            {
                await once();
            }
        });

        private async Task KeepAsync(TestApp app)
        {
            var title = $"kept {Guid.NewGuid()}";
            await app.PostJsonAsync("/api/v1/conversations", new { title }, HttpStatusCode.Created);
            Kept.Add(title);
            Assert.Contains(title, await app.Client.GetStringAsync("/api/v1/conversations?limit=100"), StringComparison.Ordinal);
        }

        private async Task ChatAsync(TestApp app)
        {
            await app.PostJsonAsync("/api/v1/chat", new { message = "What is 2 + 2?" });
            Interlocked.Increment(ref _answered);
        }

        private static async Task ReadAsync(TestApp app)
        {
            await app.GetJsonAsync("/api/v1/agents");
            await app.GetJsonAsync("/api/v1/metrics/dashboard");
        }

        private async Task AskForTooMuchAsync(TestApp app)
        {
            using var answer = await app.Client.GetAsync("/api/v1/teams");
            Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.TooManyRequests, $"{answer.StatusCode}");
            Interlocked.Increment(ref answer.StatusCode == HttpStatusCode.OK ? ref _passed : ref _refused);
        }
    }
}
