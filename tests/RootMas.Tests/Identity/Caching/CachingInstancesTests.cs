using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Models.Pipeline;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Caching;

/// <summary>R41 on several instances: an acknowledged write is in the very next answer of any of them, whatever becomes of Redis.</summary>
public sealed class CachingInstancesTests
{
    [RedisAndPostgresFact]
    public async Task A_write_on_one_instance_is_in_the_very_next_answer_of_another_and_answers_are_given_again_by_all()
    {
        var (redis, prefix) = (await RedisServer.SharedAsync(), RedisServer.NewPrefix());
        await using var cluster = await TestCluster.StartAsync(2, o => redis.Use(o, prefix));
        var (one, other) = (cluster[0], cluster[1]);
        for (var i = 0; i < 10; i++)
        {
            await HitAsync(other, "/api/v1/conversations");
            await one.PostJsonAsync("/api/v1/conversations", new { title = $"number {i}." }, HttpStatusCode.Created);
            Assert.Contains($"number {i}.", await other.Client.GetStringAsync("/api/v1/conversations"), StringComparison.Ordinal);
            (one, other) = (other, one);
        }

        var made = (await one.PostJsonAsync("/api/v1/conversations", new { title = "to be changed" }, HttpStatusCode.Created)).GetProperty("id").GetString();
        await HitAsync(other, "/api/v1/conversations");
        using (var renamed = await one.SendAsync(HttpMethod.Patch, $"/api/v1/conversations/{made}", """{"title":"was changed"}""", ("If-Match", "*")))
        {
            Assert.Equal(HttpStatusCode.OK, renamed.StatusCode);
        }

        Assert.Contains("was changed", await other.Client.GetStringAsync("/api/v1/conversations"), StringComparison.Ordinal);
        await HitAsync(other, "/api/v1/conversations");
        using (var gone = await one.SendAsync(HttpMethod.Delete, $"/api/v1/conversations/{made}", null, ("If-Match", "*")))
        {
            Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        }

        Assert.DoesNotContain("was changed", await other.Client.GetStringAsync("/api/v1/conversations"), StringComparison.Ordinal);
        await Wait.UntilAsync(
            static async at =>
            {
                await at.one.PostJsonAsync("/api/v1/conversations", new { title = "one more" }, HttpStatusCode.Created); // nothing is kept
                await HitAsync(at.one, "/api/v1/conversations");
                using var kept = await at.other.Client.GetAsync("/api/v1/conversations");
                return kept.Headers.GetValues("X-Cache").Single() == "hit"; // one made it, the other gives it, if its time was not over meanwhile
            },
            (one, other),
            "One instance never gave what another had made");

        foreach (var route in (string[])["/api/v1/agents", "/api/v1/teams", "/api/v1/agents/profiles"])
        {
            await HitAsync(other, route);
        }

        for (var i = 0; i < 5; i++)
        {
            await one.PostJsonAsync("/api/v1/agents", new { name = $"newcomer_{i}", role = "Newcomer", description = "Does what is new.", instructions = "Be new.", tier = "cheap" }, HttpStatusCode.Created);
            foreach (var route in (string[])["/api/v1/agents", "/api/v1/teams", "/api/v1/agents/profiles"])
            {
                Assert.Contains($"newcomer_{i}", await other.Client.GetStringAsync(route), StringComparison.Ordinal);
            }

            (one, other) = (other, one);
        }
    }

    /// <summary>What an instance holds in memory, or counts, is brought up to date as well: keys of models, usage, the dashboard.</summary>
    [RedisAndPostgresFact]
    public async Task A_key_and_a_run_of_one_instance_are_in_the_very_next_answers_of_another()
    {
        var (redis, prefix) = (await RedisServer.SharedAsync(), RedisServer.NewPrefix());
        await using var cluster = await TestCluster.StartAsync(2, o =>
        {
            redis.Use(o, prefix);
            AnswerCachingTests.KeylessProvider(o);
        });
        var (one, other) = (cluster[0], cluster[1]);
        for (var i = 0; i < 3; i++)
        {
            var (messages, runs, ended, active) = (await MessagesAsync(other), await RunsAsync(other), await EndedAsync(other), await LastActiveAsync(other));
            await one.PostJsonAsync("/api/v1/chat", new { message = "What is 2 + 2?" });
            Assert.Equal(runs + 1, await RunsAsync(other));
            Assert.Equal(ended + 1, await EndedAsync(other));
            Assert.NotEqual(active, await LastActiveAsync(other));
            Assert.Equal(messages + 1, await MessagesAsync(other));

            Assert.False(await AnswerCachingTests.HasKeyAsync(other));
            using var put = await one.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"from-secret"}""");
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
            Assert.True(await AnswerCachingTests.HasKeyAsync(other));
            using var deleted = await one.SendAsync(HttpMethod.Delete, "/api/v1/secrets/own-key", null, ("If-Match", put.Headers.ETag!.ToString()));
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            Assert.False(await AnswerCachingTests.HasKeyAsync(other));
            (one, other) = (other, one);
        }
    }

    /// <summary>Nothing looks at secrets by itself in time here: a test and a chat must look themselves, on the instance that was told and on the other.</summary>
    [PostgresFact]
    public async Task A_key_that_one_instance_was_given_is_used_by_the_very_next_request_of_any()
    {
        await using var cluster = await TestCluster.StartAsync(2, AnswerCachingTests.KeylessProvider);
        var (one, other) = (cluster[0], cluster[1]);
        for (var i = 0; i < 2; i++)
        {
            foreach (var ask in new Func<TestApp, Task<HttpResponseMessage>>[]
            {
                static app => app.SendAsync(HttpMethod.Post, "/api/v1/models/big/test", "{}"),
                static app => app.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"What is 2 + 2?","model":"big"}""", ("Prefer", "wait=0")),
                static app => CallAsync(app.Get<IChatClient>()), // of a run that another instance accepted
            })
            {
                foreach (var asked in (TestApp[])[other, one])
                {
                    using var put = await one.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"from-secret"}""");
                    Assert.Equal(HttpStatusCode.Created, put.StatusCode);
                    using var answer = await ask(asked);
                    Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
                    using var deleted = await one.SendAsync(HttpMethod.Delete, "/api/v1/secrets/own-key", null, ("If-Match", put.Headers.ETag!.ToString()));
                    Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
                    using var gone = await one.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"What is 2 + 2?","model":"big"}""");
                    await ProblemAssert.IsProblemAsync(gone, 400, "model_not_found");
                }
            }

            (one, other) = (other, one);
        }
    }

    /// <summary>F8: killed, emptied, started again, and cut off from one of the two, while both write and read.</summary>
    [RedisAndPostgresFact]
    public async Task No_acknowledged_write_is_missing_from_an_answer_while_Redis_is_killed_emptied_and_cut_off()
    {
        var prefix = RedisServer.NewPrefix();
        await using var redis = await RedisServer.StartAsync();
        await using var gate = new ClosingGate(redis.Port);
        await using var cluster = await TestCluster.StartAsync(1, o =>
        {
            redis.Use(o, prefix);
            o.Settings["Cache:Longest"] = "1s";
        });
        await cluster.AddAsync(o => o.Settings["Redis:ConnectionString"] = $"redis://127.0.0.1:{gate.Port}");
        using var over = new CancellationTokenSource();
        var acknowledged = 0;
        var writing = Task.Run(async () =>
        {
            for (var i = 1; !over.IsCancellationRequested; i++)
            {
                await cluster[i % 2].PostJsonAsync("/api/v1/conversations", new { title = $"number {i}." }, HttpStatusCode.Created);
                Volatile.Write(ref acknowledged, i);
            }
        });
        var reads = new int[2];
        var reading = Enumerable.Range(0, 4).Select(n => Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                var least = Volatile.Read(ref acknowledged);
                var text = await cluster[n % 2].Client.GetStringAsync("/api/v1/conversations?limit=10"); // the order goes by the instances' clocks, which are not quite the same
                Assert.True(least == 0 || NumberIn(text) >= least, $"{text} after {least} was acknowledged");
                Interlocked.Increment(ref reads[n % 2]);
            }
        })).ToList();
        async Task ForAWhileAsync()
        {
            var (writes, read) = (acknowledged, reads.Sum());
            await Wait.UntilAsync(() => (acknowledged >= writes + 10 && reads.Sum() >= read + 40) || writing.IsCompleted || reading.Exists(static r => r.IsFaulted));
        }

        await ForAWhileAsync();
        gate.Close();
        await ForAWhileAsync();
        gate.Open();
        await ForAWhileAsync();
        await redis.FlushAsync();
        await ForAWhileAsync();
        await redis.KillAsync();
        await ForAWhileAsync();
        await redis.StartAgainAsync();
        await ForAWhileAsync();
        await over.CancelAsync();
        await Task.WhenAll([writing, .. reading]);
        await HitAsync(cluster[0], "/api/v1/conversations"); // and it recovers by itself
        await HitAsync(cluster[1], "/api/v1/conversations");
    }

    /// <summary>That nobody answers is an answer; that there is no such model is none.</summary>
    private static async Task<HttpResponseMessage> CallAsync(IChatClient chat)
    {
        var call = new ModelCall { OwnerId = "somebody", Purpose = "test", Tier = "standard", Model = "big", NoCache = true };
        var refused = await Assert.ThrowsAsync<ModelException>(() => chat.GetResponseAsync("Hello", new ChatOptions { AdditionalProperties = new() { [ModelCall.Key] = call } }));
        return new HttpResponseMessage(refused.ErrorClass == "bad_request" ? HttpStatusCode.NotFound : HttpStatusCode.OK) { Content = new StringContent(refused.Message) };
    }

    private static async Task<long> MessagesAsync(TestApp app) => (await app.GetJsonAsync("/api/v1/metrics/dashboard")).GetProperty("total_messages").GetInt64();

    private static async Task<long> RunsAsync(TestApp app) =>
        (await app.GetJsonAsync("/api/v1/usage")).GetProperty("items").EnumerateArray().Sum(static i => i.GetProperty("figures").GetProperty("runs").GetInt64());

    private static async Task<long> EndedAsync(TestApp app) =>
        (await app.GetJsonAsync("/api/v1/metrics/runs")).GetProperty("series").EnumerateArray().Sum(static i => i.GetProperty("completed").GetInt64());

    private static async Task<string?> LastActiveAsync(TestApp app) =>
        (await app.GetJsonAsync("/api/v1/agents/status")).GetProperty("agents").EnumerateArray().Max(static a => a.GetProperty("last_activity").GetString());

    /// <summary>The highest of them.</summary>
    private static int NumberIn(string text) =>
        System.Text.RegularExpressions.Regex.Matches(text, "\"title\":\"number (?<n>[0-9]+)\\.\"", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10))
            .Max(static match => int.Parse(match.Groups["n"].ValueSpan, System.Globalization.CultureInfo.InvariantCulture));

    private static async Task HitAsync(TestApp app, string route)
    {
        await TestCluster.UntilAsync(
            async () =>
            {
                using var answer = await app.Client.GetAsync(route);
                return answer.Headers.GetValues("X-Cache").Single() == "hit";
            },
            $"GET {route} is answered from what was kept");
    }
}
