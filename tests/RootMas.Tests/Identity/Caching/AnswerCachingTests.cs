using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Routing;
using RootMas.Server.Platform.Caching;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Caching;

/// <summary>Answers that are given again, as a client sees them: one process.</summary>
public sealed class AnswerCachingTests
{
    public static TheoryData<string> Routes { get; } = ["/api/v1/agents", "/api/v1/agents/status", "/api/v1/agents/profiles", "/api/v1/teams", "/api/v1/models", "/api/v1/metrics/dashboard", "/api/v1/metrics/runs", "/api/v1/usage", "/api/v1/conversations"];

    /// <summary>A route that begins to keep its answers is looked at here, and by <see cref="CachingInstancesTests"/>.</summary>
    [Fact]
    public async Task Every_route_that_keeps_answers_is_among_those_that_are_looked_at()
    {
        await using var app = await TestApp.StartAsync();
        var kept = ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(static e => e.Metadata.GetMetadata<CachedRoute>() is not null).Select(static e => "/" + e.RoutePattern.RawText!.Trim('/'));
        Assert.Equal(((IEnumerable<object[]>)Routes).Select(static r => (string)r[0]).Order(StringComparer.Ordinal), kept.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task The_same_question_of_the_same_caller_is_answered_with_the_same_bytes_again(string route)
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Cache:Longest"] = "1m");
        var last = await AskAsync(app.Client, route);
        Assert.Equal("miss", last.Outcome);
        while (true)
        {
            var again = await AskAsync(app.Client, route);
            if (again.Outcome == "hit")
            {
                Assert.Equal(last.Text, again.Text);
                break;
            }

            last = again; // what lives for a second only had ended
        }

        using var known = await app.Client.GetAsync(route);
        Assert.Equal("application/json; charset=utf-8", known.Content.Headers.ContentType!.ToString());
        Assert.True(known.Headers.CacheControl is { NoStore: true }); // kept here, and nowhere else
        Assert.Equal("miss", (await AskAsync(app.Client, route, ("Cache-Control", "no-cache"))).Outcome);
        Assert.Contains($"rootmas_api_cache_hit_ratio{{route=\"{route}", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_gets_anothers_answer_and_other_rights_are_another_question()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Cache:Longest"] = "1m");
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        await ann.PostAsync("/api/v1/conversations", new { title = "the canary of ann" }, HttpStatusCode.Created);
        for (var i = 0; i < 3; i++)
        {
            Assert.Contains("canary", (await AskAsync(ann.Client, "/api/v1/conversations")).Text, StringComparison.Ordinal);
            Assert.DoesNotContain("canary", (await AskAsync(bob.Client, "/api/v1/conversations")).Text, StringComparison.Ordinal);
        }

        Assert.Equal("hit", (await AskAsync(ann.Client, "/api/v1/conversations")).Outcome);
        await app.ChangeUserAsync(ann.Id, """{"role":"readonly"}""");
        Assert.Equal("miss", (await AskAsync(ann.Client, "/api/v1/conversations")).Outcome);
    }

    [Fact]
    public async Task Refusals_are_not_kept_and_refused_changes_end_nothing()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Cache:Longest"] = "1m");
        for (var i = 0; i < 2; i++)
        {
            using var refused = await app.Client.GetAsync("/api/v1/conversations?limit=0");
            Assert.Equal((HttpStatusCode.BadRequest, "miss"), (refused.StatusCode, refused.Headers.GetValues("X-Cache").Single()));
            Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
        }

        await AskAsync(app.Client, "/api/v1/conversations");
        using (var refused = await app.PostAsync("/api/v1/conversations", """{"team":"no such team"}"""))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        Assert.Equal("hit", (await AskAsync(app.Client, "/api/v1/conversations")).Outcome);
    }

    [Fact]
    public async Task What_somebody_changes_they_see_in_the_very_next_answer()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Cache:Longest"] = "1m");
        for (var i = 0; i < 20; i++)
        {
            await AskAsync(app.Client, "/api/v1/conversations");
            await app.PostJsonAsync("/api/v1/conversations", new { title = $"number {i}." }, HttpStatusCode.Created);
            Assert.Contains($"number {i}.", (await AskAsync(app.Client, "/api/v1/conversations")).Text, StringComparison.Ordinal);
        }

        var before = (await app.GetJsonAsync("/api/v1/metrics/dashboard")).GetProperty("total_messages").GetInt64();
        await app.PostJsonAsync("/api/v1/chat", new { message = "What is 2 + 2?" });
        Assert.NotEqual(before, (await app.GetJsonAsync("/api/v1/metrics/dashboard")).GetProperty("total_messages").GetInt64());
        await AskAsync(app.Client, "/api/v1/agents");
        using (var made = await app.Client.PostAsJsonAsync("/api/v1/agents", new { name = "newcomer", role = "Newcomer", description = "Does what is new.", instructions = "Be new.", tier = "cheap" }))
        {
            Assert.True(made.StatusCode == HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
        }

        foreach (var route in (string[])["/api/v1/agents", "/api/v1/agents/status", "/api/v1/agents/profiles", "/api/v1/teams"])
        {
            Assert.Contains("newcomer", (await AskAsync(app.Client, route)).Text, StringComparison.Ordinal);
        }
    }

    /// <summary>Models follow secrets by themselves every <c>Models:ReloadInterval</c>, which is too late for the very next answer.</summary>
    [Fact]
    public async Task A_key_that_was_entered_or_removed_is_in_the_very_next_list_of_models()
    {
        await using var app = await TestApp.StartAsync(static o =>
        {
            o.Settings["Cache:Longest"] = "1m";
            KeylessProvider(o);
        });
        Assert.False(await HasKeyAsync(app));
        for (var i = 0; i < 3; i++)
        {
            using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"from-secret"}""");
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
            Assert.True(await HasKeyAsync(app));
            using var deleted = await app.SendAsync(HttpMethod.Delete, "/api/v1/secrets/own-key", null, ("If-Match", put.Headers.ETag!.ToString()));
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            Assert.False(await HasKeyAsync(app));
        }
    }

    /// <summary>A provider that gets its key from the secret <c>own-key</c>; no look at secrets but that of the question itself comes in time.</summary>
    internal static void KeylessProvider(TestAppOptions options)
    {
        options.Settings["Models:ReloadInterval"] = "1h";
        options.ConfigFiles["models.yaml"] = """
            providers: { own: { base_url: "http://127.0.0.1:1/v1", key_secret: own-key } }
            models: { big: { provider: own, free: true } }
            tiers: { standard: [big] }
            """;
    }

    /// <summary>The provider has a key, and its model is there.</summary>
    internal static async Task<bool> HasKeyAsync(TestApp app)
    {
        var models = await app.GetJsonAsync("/api/v1/models");
        var hasKey = models.GetProperty("providers").EnumerateArray().Single(static p => p.Text("name") == "own").GetProperty("has_key").GetBoolean();
        Assert.Equal(hasKey, models.GetProperty("items").EnumerateArray().Any(static m => m.Text("name") == "big"));
        return hasKey;
    }

    private static async Task<(string Outcome, string Text)> AskAsync(HttpClient client, string route, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, route);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return (answer.Headers.GetValues("X-Cache").Single(), text);
    }
}
