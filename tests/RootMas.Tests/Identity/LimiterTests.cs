using RootMas.Server.Identity.Limits;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class LimiterTests
{
    [Fact]
    public async Task The_request_over_the_limit_is_429_and_names_the_limit()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Limits:RequestsPerMinute"] = "2");

        // The minute may turn amid the test, so up to four may pass.
        HttpResponseMessage refused;
        var passed = 0;
        while ((refused = await app.Client.GetAsync("/api/v1/logs")).IsSuccessStatusCode)
        {
            Assert.InRange(++passed, 1, 4);
            refused.Dispose();
        }

        Assert.InRange(passed, 2, 4);
        var problem = await ProblemAssert.IsProblemAsync(refused, 429, "rate_limited");
        Assert.Equal("requests_per_minute", problem.GetProperty("limit").GetString());
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal("0", refused.Headers.GetValues("RateLimit-Remaining").Single());
        refused.Dispose();
    }

    [Fact]
    public async Task Exactly_the_limit_passes_when_many_ask_at_once_and_the_next_minute_starts_anew()
    {
        var clock = new SteppedClock();
        var limiter = new RequestLimiter(new LimitOptions { RequestsPerMinute = 1_000 }, clock);
        var passed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Enumerable.Range(0, 500).Count(_ => limiter.Take("a").IsWithin))));
        Assert.Equal(1_000, passed.Sum());
        Assert.True(limiter.Take("b").IsWithin);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True(limiter.Take("a").IsWithin);
    }
}
