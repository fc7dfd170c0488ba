using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Models.Pipeline;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>A provider's key is entered while the server runs, and one tiny real call shows whether it works.</summary>
public sealed class ModelTestTests
{
    [Fact]
    public async Task A_test_call_goes_to_the_model_and_tells_what_came_of_it()
    {
        await using var provider = await FakeModelServer.StartAsync();
        provider.On("good", Answer("OK")).On("refused", Status(401));
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { fake: { base_url: "{{provider.BaseUrl.OriginalString}}", attempts: 1 } }
            models: { good: { provider: fake, price: { input: 1, output: 2 } }, refused: { provider: fake, free: true } }
            tiers: { standard: [good] }
            """);

        var good = await app.PostJsonAsync("/api/v1/models/good/test", new { });
        Assert.True(good.GetProperty("ok").GetBoolean());
        Assert.Equal(1, provider.CountOf("good"));
        Assert.NotEqual("0.00", good.GetProperty("cost_usd").GetString());

        var refused = await app.PostJsonAsync("/api/v1/models/refused/test", new { });
        Assert.False(refused.GetProperty("ok").GetBoolean());
        Assert.Equal("auth", refused.GetProperty("error_class").GetString());
        Assert.Equal(["refused", "good"], (await app.AuditAsync("&action=model.test")).Select(static r => r.Text("target_id")));

        using var absent = await app.PostAsync("/api/v1/models/absent/test", "{}");
        await ProblemAssert.IsProblemAsync(absent, 404, "model_not_found");
        using var reader = await app.AsAsync("reader", "user");
        using var denied = await reader.Client.PostAsync("/api/v1/models/good/test", null);
        Assert.Equal(HttpStatusCode.Forbidden, denied.StatusCode);
    }

    [Fact]
    public async Task A_test_call_to_a_host_that_hears_nothing_says_that_it_is_unreachable()
    {
        using var deaf = await DeafAddress.StartAsync(IPAddress.Loopback, 0);
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Services = static s => s.AddSingleton(static _ => new ProviderTransport(TimeProvider.System, connectTimeout: TimeSpan.FromMilliseconds(100)));
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { deaf: { base_url: "http://127.0.0.1:{{deaf.Port}}/v1", attempts: 1 } }
                models: { far: { provider: deaf, free: true } }
                tiers: { standard: [far] }
                """;
        });
        var answer = await app.PostJsonAsync("/api/v1/models/far/test", new { });
        Assert.False(answer.GetProperty("ok").GetBoolean());
        Assert.Equal("unreachable", answer.Text("error_class"));
    }

    [Fact]
    public async Task A_repeat_with_its_key_gets_the_kept_answer_also_if_whoever_asked_first_has_left()
    {
        var (asked, left, answers) = (NewSource(), NewSource(), NewSource());
        await using var provider = await FakeModelServer.StartAsync();
        provider.On("slow", async http =>
        {
            asked.TrySetResult();
            await answers.Task;
            await Answer("OK")(http);
        });
        await using var app = await SlowAsync(provider, o => o.Services = s => s.AddSingleton<IStartupFilter>(new Leaving(left)));
        using (var leaving = new CancellationTokenSource())
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/models/slow/test"))
        {
            request.Headers.Add("Idempotency-Key", "k");
            var first = app.Client.SendAsync(request, leaving.Token);
            await asked.Task.WaitAsync(TimeSpan.FromMinutes(2));
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
            await left.Task.WaitAsync(TimeSpan.FromMinutes(2));
        }

        answers.SetResult();
        await Wait.UntilAsync(static async a => (await a.AuditAsync("&action=model.test")).Count == 1, app, "The test call was not recorded");
        using var again = await app.SendAsync(HttpMethod.Post, "/api/v1/models/slow/test", null, ("Idempotency-Key", "k"));
        Assert.Equal((HttpStatusCode.OK, "application/json"), (again.StatusCode, again.Content.Headers.ContentType?.MediaType));
        Assert.True(JsonElement.Parse(await again.Content.ReadAsStringAsync()).GetProperty("ok").GetBoolean());
        Assert.Equal(1, provider.CountOf("slow"));
        Assert.Single(await app.AuditAsync("&action=model.test"));
    }

    [Fact]
    public async Task A_test_call_that_the_end_of_the_process_cuts_off_is_recorded_as_cancelled()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var asked = NewSource();
        await using var provider = await FakeModelServer.StartAsync();
        var hang = provider.Hang();
        provider.On("slow", http =>
        {
            asked.TrySetResult();
            return hang(http);
        });
        await using (var app = await SlowAsync(provider, o => o.Data = data))
        {
            var call = app.PostAsync("/api/v1/models/slow/test", "{}");
            await asked.Task.WaitAsync(TimeSpan.FromMinutes(2));
            await app.StopAsync();
            _ = await Record.ExceptionAsync(async () => (await call).Dispose());
        }

        await using var again = await SlowAsync(provider, o => o.Data = data);
        var row = Assert.Single(await again.AuditAsync("&action=model.test")).GetProperty("after");
        Assert.Equal((false, "cancelled"), (row.GetProperty("ok").GetBoolean(), row.Text("error_class")));
    }

    [Fact]
    public async Task With_a_variable_and_a_secret_the_secret_serves_until_the_variable_is_set()
    {
        await using var app = await StartAsync(variable: null);
        Assert.False(Own(await app.GetJsonAsync("/api/v1/models")).GetProperty("has_key").GetBoolean());
        using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"from-secret"}""");
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        await Wait.UntilAsync(() => app.Get<ModelRouter>().Current.Catalog.Models.Any(static m => m.Value.Provider.Key == "from-secret"));
        var own = Own(await app.GetJsonAsync("/api/v1/models"));
        Assert.True(own.GetProperty("has_key").GetBoolean());
        Assert.Equal(("own-key", "OWN_KEY"), (own.Text("key_secret"), own.Text("key_variable")));

        await using var other = await StartAsync("from-variable");
        using var again = await other.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"from-secret"}""");
        Assert.Equal("from-variable", other.Get<ModelRouter>().Current.Catalog.Models["big"].Provider.Key);

        static Task<TestApp> StartAsync(string? variable) => TestApp.StartAsync(o =>
        {
            o.Settings["Models:ReloadInterval"] = "20ms";
            o.ConfigFiles["models.yaml"] = """
                providers: { own: { base_url: "http://127.0.0.1:1/v1", api_key_env: OWN_KEY, key_secret: own-key } }
                models: { big: { provider: own, free: true } }
                tiers: { standard: [big] }
                """;
            if (variable is not null)
            {
                o.Environment["OWN_KEY"] = variable;
            }
        });

        static System.Text.Json.JsonElement Own(System.Text.Json.JsonElement models) => models.GetProperty("providers").EnumerateArray().Single(static p => p.Text("name") == "own");
    }

    [Fact]
    public async Task Settings_are_listed_with_their_source_and_without_secrets()
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Models:ReloadInterval"] = "7s";
            o.Settings["Backups:S3:Secret"] = "sk-canary";
        });
        List<JsonElement> items = [];
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await app.GetJsonAsync("/api/v1/settings?limit=200" + cursor);
            items.AddRange(page.GetProperty("items").EnumerateArray());
            cursor = page.GetProperty("next_cursor").GetString() is { } next ? "&cursor=" + next : null;
        }

        Assert.Equal(items.Count, items.DistinctBy(static s => s.Text("key"), StringComparer.Ordinal).Count());
        Assert.True(items.Count > 200, "so many that they come on several pages");
        var reload = items.Single(static s => s.Text("key") == "Models:ReloadInterval");
        Assert.Equal(("7s", "2s"), (reload.Text("value"), reload.Text("default")));
        Assert.Equal("***", items.Single(static s => s.Text("key") == "Backups:S3:Secret").Text("value"));
        Assert.DoesNotContain(items, static s => s.GetRawText().Contains("sk-canary", StringComparison.Ordinal));
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static Task<TestApp> SlowAsync(FakeModelServer provider, Action<TestAppOptions> configure) => TestApp.StartAsync(o =>
    {
        o.ConfigFiles["models.yaml"] = $$"""
            providers: { fake: { base_url: "{{provider.BaseUrl.OriginalString}}", attempts: 1 } }
            models: { slow: { provider: fake, free: true } }
            tiers: { standard: [slow] }
            """;
        configure(o);
    });

    /// <summary>Tells when the server knows that a client has left.</summary>
    private sealed class Leaving(TaskCompletionSource left) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (HttpContext context, RequestDelegate rest) =>
            {
                using var watch = context.RequestAborted.Register(() => left.TrySetResult());
                await rest(context);
            });
            next(app);
        };
    }
}
