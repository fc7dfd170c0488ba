using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Chat;

namespace RootMas.Tests.Identity.Limits;

/// <summary>Which limit a request counts against, in which order.</summary>
public sealed class RequestLimiterTests
{
    private static readonly Endpoint Chat = AccessPipeline.Route("POST", "/api/v1/chat/");
    private static readonly Endpoint Other = AccessPipeline.Route("POST", "/api/v1/conversations");
    private static readonly Endpoint List = AccessPipeline.Route("GET", "/api/v1/runs");
    private static readonly Endpoint Models = AccessPipeline.Route("GET", "/api/v1/models");
    private static readonly Endpoint Login = AccessPipeline.Route("POST", "/api/v1/auth/login", null);
    private static readonly Endpoint Health = AccessPipeline.Route("GET", "/health", null);
    private static readonly Endpoint Page = AccessPipeline.Route("GET", "/docs", null);
    private static readonly Endpoint Events = AccessPipeline.Route("GET", "/api/v1/runs/{id}/events", "chat:read", new StreamAttach(StreamKind.Events));

    [Fact]
    public async Task A_user_has_a_hundred_requests_a_minute_to_each_route_and_twelve_hundred_reads_in_all()
    {
        var pipeline = new AccessPipeline(new LimitOptions());
        var (alice, bob) = (AccessPipeline.User("alice"), AccessPipeline.User("bob"));
        Assert.Equal(100, await PassedAsync(pipeline, Chat, alice, 150));
        Assert.Equal(100, await PassedAsync(pipeline, Other, alice, 150));
        Assert.Equal(100, await PassedAsync(pipeline, Chat, bob, 150));
        Assert.Equal(700, await PassedAsync(pipeline, List, alice, 700));
        Assert.Equal(500, await PassedAsync(pipeline, Models, alice, 700));
        var refused = await pipeline.SendAsync(Chat, alice);
        Assert.Equal((429, LimitNames.Route, "1"), (refused.Status, refused.Limit, refused.RetryAfter));
        Assert.Equal(new RateLimitState(100, 0, 60), refused.Limits);
        Assert.Equal("100 in 60 s", refused.Body.GetProperty("allowed").GetString());
        Assert.Equal(LimitNames.Reads, (await pipeline.SendAsync(List, alice)).Limit);
        pipeline.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(new RateLimitState(100, 99, 1), (await pipeline.SendAsync(Chat, alice)).Limits);
    }

    [Fact]
    public async Task An_address_has_a_thousand_requests_a_minute_and_those_of_users_do_not_count()
    {
        var pipeline = new AccessPipeline(new LimitOptions());
        var alice = AccessPipeline.User("alice");
        Assert.Equal(1_000, await PassedAsync(pipeline, List, alice, 1_000));
        Assert.Equal(1_000, await PassedAsync(pipeline, Chat, null, 1_500, 401));
        var refused = await pipeline.SendAsync(null, null);
        Assert.Equal((429, LimitNames.Address), (refused.Status, refused.Limit));

        // Whoever has a credential is not locked out by strangers behind the same address, and other addresses have their own count.
        Assert.Equal(200, (await pipeline.SendAsync(Chat, alice)).Status);
        Assert.Equal(401, (await pipeline.SendAsync(Chat, null, "198.51.100.2")).Status);
        Assert.Equal(401, (await pipeline.SendAsync(Chat, null, "2001:db8::1")).Status);
    }

    [Fact]
    public async Task Wrong_credentials_count_ten_times_wherever_they_are_refused()
    {
        var pipeline = new AccessPipeline(new LimitOptions());
        var wrong = Problems.Unauthorized("token_invalid", "No.");
        Assert.Equal(100, await PassedAsync(pipeline, Chat, wrong, 200, 401));

        pipeline.Handle = static context =>
        {
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        };
        pipeline.Clock.Advance(TimeSpan.FromMinutes(1));
        var logout = AccessPipeline.Route("POST", "/api/v1/auth/logout", null);
        Assert.Equal(100, await PassedAsync(pipeline, logout, null, 200, 401));
    }

    [Fact]
    public async Task Logins_are_few_per_address_and_per_name_and_leave_others_alone()
    {
        var pipeline = new AccessPipeline(new LimitOptions());
        Assert.Equal(60, await PassedAsync(pipeline, Login, null, 5_000));
        Assert.Equal(LimitNames.Login, (await pipeline.SendAsync(Login, null)).Limit);
        Assert.Equal(LimitNames.Login, (await pipeline.SendAsync(Login, AccessPipeline.User("alice"))).Limit);
        Assert.Equal(200, (await pipeline.SendAsync(Chat, AccessPipeline.User("alice"))).Status);
        Assert.Equal(200, (await pipeline.SendAsync(Login, null, "198.51.100.2")).Status);
        for (var i = 0; i < 60; i++)
        {
            Assert.Null(await pipeline.Limiter.TakeLoginAsync("Alice"));
        }

        var refused = await pipeline.Limiter.TakeLoginAsync("alice ");
        Assert.Equal((429, LimitNames.Username), (refused!.Status, refused.Extra!["limit"]));
        Assert.Null(await pipeline.Limiter.TakeLoginAsync("bob"));
    }

    [Fact]
    public async Task Health_and_pages_have_higher_counts_of_their_own()
    {
        var pipeline = new AccessPipeline(new LimitOptions());
        Assert.Equal(1_000, await PassedAsync(pipeline, Chat, null, 1_001, 401));
        Assert.Equal(6_000, await PassedAsync(pipeline, Health, null, 6_001));
        Assert.Equal(6_000, await PassedAsync(pipeline, Page, AccessPipeline.User("alice"), 6_001));
        Assert.Equal(LimitNames.Health, (await pipeline.SendAsync(Health, null)).Limit);
        Assert.Equal(LimitNames.Static, (await pipeline.SendAsync(Page, null)).Limit);
    }

    [Fact]
    public async Task Settings_change_limits_by_role_and_route_and_a_users_own_come_first()
    {
        var table = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var pipeline = new AccessPipeline(new LimitOptions
        {
            Requests = "5/1m",
            Reads = "8/1m",
            Roles = new Dictionary<string, string>(table) { ["agent"] = "7/1m" },
            RoleReads = new Dictionary<string, string>(table) { ["agent"] = "9/1m" },
            Routes = new Dictionary<string, string>(table) { ["POST /api/v1/chat"] = "2/1m", ["agent POST /api/v1/chat"] = "3/1m" },
            Costs = new Dictionary<string, string>(table) { ["POST /api/v1/chat"] = "2" },
        });
        var (user, agent) = (AccessPipeline.User("u"), AccessPipeline.User("a", "agent"));
        var own = AccessPipeline.User("o", "agent", new Dictionary<string, long>(StringComparer.Ordinal) { [LimitNames.Route] = 11, [LimitNames.Reads] = 12 });
        Assert.Equal((int[])[1, 1, 1], await PassedByAsync(pipeline, Chat, user, agent, own));
        Assert.Equal((int[])[5, 7, 11], await PassedByAsync(pipeline, Other, user, agent, own));
        Assert.Equal((int[])[8, 9, 12], await PassedByAsync(pipeline, List, user, agent, own));
    }

    [Fact]
    public async Task Attaching_to_streams_is_limited_in_number_and_not_in_rate()
    {
        var pipeline = new AccessPipeline(new LimitOptions { StreamsPerUser = 3, Reads = "2/1m" });
        var (alice, bob) = (AccessPipeline.User("alice"), AccessPipeline.User("bob"));
        Assert.Equal(50, await PassedAsync(pipeline, Events, alice, 50, accept: "text/event-stream"));
        Assert.Equal(2, await PassedAsync(pipeline, Events, alice, 50));

        var end = new TaskCompletionSource();
        pipeline.Handle = _ => end.Task;
        var open = Enumerable.Range(0, 3).Select(_ => pipeline.SendAsync(Events, alice, accept: "text/event-stream")).ToArray();
        var refused = await pipeline.SendAsync(Events, alice, accept: "text/event-stream");
        Assert.Equal((429, LimitNames.Streams, "5"), (refused.Status, refused.Limit, refused.RetryAfter));
        Assert.Contains("3 event streams open", refused.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("3 at once", refused.Body.GetProperty("allowed").GetString());
        Assert.Equal(new RateLimitState(3, 0, 5), refused.Limits);
        var others = pipeline.SendAsync(Events, bob, accept: "text/event-stream");
        end.SetResult();
        Assert.All(await Task.WhenAll([.. open, others]), static answer => Assert.Equal(200, answer.Status));
        Assert.Equal(200, (await pipeline.SendAsync(Events, alice, accept: "text/event-stream")).Status);
    }

    [Fact]
    public async Task What_is_free_as_a_stream_is_answered_with_one()
    {
        await using var world = await ChatWorld.StartAsync(configure: static o => o.Settings["Limits:Reads"] = "100/9d");
        var path = $"/api/v1/runs/{(await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("run_id").GetString()}/events";
        var left = await AskAsync("application/json", isStream: false);
        foreach (var (accept, isStream) in ((string, bool)[])
        [
            ("text/event-stream", true), ("TEXT/EVENT-STREAM", true), ("text/event-stream; charset=utf-8", true), ("text/event-stream, */*", true), ("application/json;q=0.1, text/event-stream;q=0.5, */*", true),
            ("application/json;x=\"text/event-stream\"", false), ("text/event-stream;q=0", false), ("application/json, text/event-stream;q=0.1", false), ("text/event-stream;q=0.1, */*", false), ("*/*", false),
        ])
        {
            var after = await AskAsync(accept, isStream);
            Assert.Equal((accept, isStream ? left : left - 1), (accept, after));
            left = after;
        }

        async Task<int> AskAsync(string accept, bool isStream)
        {
            using var answer = await world.App.SendAsync(HttpMethod.Get, path, null, ("Accept", accept));
            Assert.Equal((accept, HttpStatusCode.OK, isStream ? "text/event-stream" : "application/json"), (accept, answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
            return int.Parse(Assert.Single(answer.Headers.GetValues("RateLimit-Remaining")), CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public async Task Many_requests_at_once_pass_exactly_as_often_as_allowed()
    {
        var pipeline = new AccessPipeline(new LimitOptions { Requests = "250/1m" });
        var alice = AccessPipeline.User("alice");
        var answers = await Task.WhenAll(Enumerable.Range(0, 2_000).Select(_ => Task.Run(() => pipeline.SendAsync(Chat, alice))));
        Assert.Equal(250, answers.Count(static a => a.Status == 200));
        Assert.Equal(1_750, answers.Count(static a => a.Status == 429));
    }

    [Theory]
    [InlineData("Limits:Requests", "none")]
    [InlineData("Limits:Requests", "0/1m")]
    [InlineData("Limits:Requests", "10/0s")]
    [InlineData("Limits:Routes:POST /api/v1/chat", "many")]
    [InlineData("Limits:Routes:chat", "1/1m")]
    [InlineData("Limits:Roles:agent", "-1/1m")]
    [InlineData("Limits:Costs:POST /api/v1/chat", "0")]
    public async Task A_limit_that_is_none_stops_the_start_by_name(string key, string value)
    {
        var error = await Assert.ThrowsAsync<SettingsException>(() => Support.TestApp.StartAsync(o => o.Settings[key] = value));
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
    }

    private static async Task<int[]> PassedByAsync(AccessPipeline pipeline, Endpoint route, params object[] who)
    {
        var passed = new int[who.Length];
        for (var i = 0; i < who.Length; i++)
        {
            passed[i] = await PassedAsync(pipeline, route, who[i], 30);
        }

        return passed;
    }

    /// <summary>How many of so many requests are not refused by a limit; these must answer <paramref name="status"/>.</summary>
    private static async Task<int> PassedAsync(AccessPipeline pipeline, Endpoint? route, object? who, int requests, int status = 200, string? accept = null)
    {
        var passed = 0;
        for (var i = 0; i < requests; i++)
        {
            var answer = await pipeline.SendAsync(route, who, accept: accept);
            Assert.NotNull(answer.Limits);
            if (answer.Status != 429)
            {
                Assert.Equal(status, answer.Status);
                passed++;
            }
            else
            {
                Assert.NotNull(answer.RetryAfter);
                Assert.NotNull(answer.Limit);
            }
        }

        return passed;
    }
}
