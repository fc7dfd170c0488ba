using System.Diagnostics;
using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class LoginFloodTests
{
    private const int Attempts = 5_000;

    [Fact]
    public async Task Five_thousand_logins_are_refused_or_answered_while_others_go_on_working()
    {
        await using var app = await TestApp.StartAsync(o => o.PasswordCost = 10);
        using var alice = await app.AsAsync("alice");
        using var flood = app.NewClient(null);
        using var places = new SemaphoreSlim(200);
        var statuses = new System.Collections.Concurrent.ConcurrentBag<HttpStatusCode>();
        var attempts = Task.WhenAll(Enumerable.Range(0, Attempts).Select(async i =>
        {
            await places.WaitAsync();
            try
            {
                using var content = new StringContent($$"""{"username":"alice{{i % 7}}","password":"a wrong password"}""", System.Text.Encoding.UTF8, "application/json");
                using var answer = await flood.PostAsync("/api/v1/auth/login", content);
                statuses.Add(answer.StatusCode);
                Assert.True(answer.StatusCode != HttpStatusCode.TooManyRequests || answer.Headers.RetryAfter is not null);
            }
            finally
            {
                places.Release();
            }
        }));

        var slowest = TimeSpan.Zero;
        var calls = 0;
        while (!attempts.IsCompleted)
        {
            var began = Stopwatch.GetTimestamp();
            await alice.GetAsync("/api/v1/auth/me");
            await alice.PostAsync("/api/v1/conversations", new { title = "still here" }, HttpStatusCode.Created);
            var took = Stopwatch.GetElapsedTime(began);
            slowest = took > slowest ? took : slowest;
            calls++;
        }

        await attempts;
        Assert.Equal(Attempts, statuses.Count);
        Assert.All(statuses, s => Assert.Contains(s, (HttpStatusCode[])[HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests]));
        Assert.Contains(HttpStatusCode.TooManyRequests, statuses);
        Assert.True(calls > 2, $"only {calls} calls got through"); // one at a time, while a machine may stand still
        Assert.InRange(slowest, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(app, "alice", TestUsers.Password)).Status);
        Assert.Equal(statuses.Count(s => s == HttpStatusCode.Unauthorized), (await app.AuditAsync()).Count(r => r.Action == "auth.login_failed"));
    }
}
