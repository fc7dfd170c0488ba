using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Resilience;

/// <summary>Tries, waits, time-outs and circuits, in virtual time.</summary>
public sealed class OutboundPolicyTests
{
    private readonly ManualTimeProvider _clock = new();

    [Theory]
    [InlineData("model", 3, 2, 30)]
    [InlineData("redis", 5, 0.5, 10)]
    [InlineData("http", 3, 1, 20)]
    [InlineData("voice", 2, 1, 10)]
    [InlineData("rabbitmq", 3, 1, 60)]
    [InlineData("s3", 3, 1, 60)]
    [InlineData("webhook", 3, 1, 60)]
    [InlineData("search", 3, 1, 20)]
    [InlineData("otlp", 3, 1, 60)]
    [InlineData("other", 3, 1, 60)]
    [InlineData("discovery", 2, 0.05, 1)]
    [InlineData("postgres", 3, 0.1, 1)]
    [InlineData("cli", 3, 0.25, 2)]
    public void The_defaults_are_the_promised_ones(string client, int tries, double first, double longest)
    {
        var policy = Policies().Get(client);
        Assert.Equal((tries, first, longest), (policy.Tries, policy.Base.TotalSeconds, policy.Longest.TotalSeconds));
    }

    [Fact]
    public async Task A_failing_service_is_asked_as_often_as_declared_with_growing_waits_and_then_given_up()
    {
        var at = new List<TimeSpan>();
        var began = _clock.GetUtcNow();
        var policy = Policies().Get("redis");
        var call = await RunAsync(() => policy.ExecuteAsync<int>(_ =>
        {
            at.Add(_clock.GetUtcNow() - began);
            throw new IOException("gone");
        }, CancellationToken.None));
        await Assert.ThrowsAsync<IOException>(() => call);
        Assert.Equal(5, at.Count);
        Assert.Equal(TimeSpan.Zero, at[0]);
        Assert.All(at.Zip(at.Skip(1), static (a, b) => b - a), static wait => Assert.InRange(wait.TotalSeconds, 0, 10.1));
        Assert.InRange(at[^1].TotalSeconds, 0.5, 40.5);
    }

    [Fact]
    public async Task A_service_that_says_when_is_asked_then_and_one_that_asks_for_too_much_is_left_alone()
    {
        var policy = Policies().Get("http");
        var at = new List<TimeSpan>();
        var began = _clock.GetUtcNow();
        var wait = TimeSpan.FromSeconds(7);
        OutboundVerdict Judge(int status, Exception? error) => status == 200 ? OutboundVerdict.Answered : OutboundVerdict.Again(wait);
        ValueTask<int> Work(CancellationToken token)
        {
            at.Add(_clock.GetUtcNow() - began);
            return ValueTask.FromResult(at.Count < 3 ? 503 : 200);
        }

        var call = await RunAsync(() => policy.ExecuteAsync(Work, Judge, CancellationToken.None));
        Assert.Equal(200, await call);
        Assert.All(at.Zip(at.Skip(1), static (a, b) => b - a), static w => Assert.InRange(w.TotalSeconds, 7, 7.2));

        at.Clear();
        wait = TimeSpan.FromSeconds(21);
        Assert.Equal(503, await policy.ExecuteAsync(Work, Judge, CancellationToken.None));
        Assert.Single(at);
    }

    [Fact]
    public async Task What_must_not_happen_twice_is_sent_once()
    {
        var count = 0;
        ValueTask<int> Work(CancellationToken token)
        {
            count++;
            throw new IOException("broken off");
        }

        await Assert.ThrowsAsync<IOException>(() => Policies().Get("http").ExecuteOnceAsync<int>(Work, static (_, _) => OutboundVerdict.Again(), CancellationToken.None).AsTask());
        await Assert.ThrowsAsync<IOException>(() => Policies().Get("http").ExecuteAsync<int>(Work, static (_, _) => OutboundVerdict.Failed, CancellationToken.None).AsTask());
        Assert.Equal(2, count);
    }

    [Fact]
    public async Task A_try_that_takes_too_long_is_ended_and_made_again()
    {
        var count = 0;
        var policy = Policies().Get("redis");
        var call = await RunAsync(() => policy.ExecuteAsync(async token =>
        {
            if (++count == 1)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, _clock, token);
            }

            return count;
        }, CancellationToken.None));
        Assert.Equal(2, await call);
    }

    [Fact]
    public async Task Who_gives_up_waiting_is_not_made_to_wait()
    {
        using var caller = new CancellationTokenSource();
        var call = Policies().Get("other").ExecuteAsync<int>(static _ => throw new IOException("gone"), caller.Token).AsTask();
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task A_circuit_opens_is_seen_in_health_and_closes_again_and_others_stay_closed()
    {
        var policies = Policies();
        var policy = policies.Get("webhook", "https://one.example");
        while (policy.Circuit == "closed")
        {
            await FailAsync(policy);
        }

        var asked = 0;
        var refused = await Assert.ThrowsAsync<OutboundUnavailableException>(() => policy.ExecuteAsync(_ => ValueTask.FromResult(++asked), CancellationToken.None).AsTask());
        Assert.Equal((0, false), (asked, refused.IsTimeout));
        var health = await new OutboundProbe(policies).CheckAsync(CancellationToken.None);
        Assert.Equal(HealthState.Weak, health.Status);
        Assert.Contains("webhook is open, last failure io", health.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("one.example", health.Detail, StringComparison.Ordinal);
        Assert.Equal("closed", policies.Get("webhook", "https://two.example").Circuit);

        _clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(1, await policy.ExecuteAsync(_ => ValueTask.FromResult(++asked), CancellationToken.None));
        Assert.Equal("closed", policy.Circuit);
        Assert.Equal(HealthState.Good, (await new OutboundProbe(policies).CheckAsync(CancellationToken.None)).Status);
    }

    [Fact]
    public async Task A_service_that_nobody_asks_for_any_more_is_not_said_to_be_broken()
    {
        var policies = Policies();
        var policy = policies.Get("webhook", "https://one.example");
        while (policy.Circuit == "closed")
        {
            await FailAsync(policy);
        }

        _clock.Advance(TimeSpan.FromSeconds(50));
        await FailAsync(policy); // it is wanted, and still away
        _clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal("open", policy.Circuit);
        _clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal("closed", policy.Circuit);
        Assert.Equal(HealthState.Good, (await new OutboundProbe(policies).CheckAsync(CancellationToken.None)).Status);
    }

    [Fact]
    public void A_client_without_a_declaration_gets_no_policy()
    {
        var error = Assert.Throws<ArgumentException>(() => Policies().Get("telegraph"));
        Assert.Contains("ResilienceOptions", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_hosts_do_not_fill_the_memory()
    {
        var policies = Policies();
        for (var i = 0; i < 3_000; i++)
        {
            policies.Get("http", $"https://host-{i}.example");
        }

        Assert.InRange(policies.Circuits().Count(), 1, 1_000);
    }

    private OutboundPolicies Policies() => new(new ResilienceOptions(), _clock, TestMeters.Own());

    private static async Task FailAsync(OutboundPolicy policy) =>
        await Assert.ThrowsAsync<IOException>(() => policy.ExecuteOnceAsync<int>(static _ => throw new IOException("gone"), static (_, _) => OutboundVerdict.Failed, CancellationToken.None).AsTask());

    /// <summary>
    /// Makes the call and moves the clock on until it has ended. Outside the test's own context, where whatever a timer wakes goes on before the clock does: else it would be a matter of
    /// the pool's load how late a try is.
    /// </summary>
    private Task<Task<int>> RunAsync(Func<ValueTask<int>> make) => Task.Run(async () =>
    {
        var call = make().AsTask();
        while (!call.IsCompleted)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        return call;
    });
}
