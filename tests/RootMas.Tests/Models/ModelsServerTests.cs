using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Models;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>The slice in the real server.</summary>
public sealed class ModelsServerTests
{
    private const string Llama = """{"data":[{"id":"llama3.2:latest"}]}""";
    private const string Loaded32K = """{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","size_vram":0,"context_length":32768}]}""";

    [Fact]
    public async Task Without_configuration_the_offline_model_serves_and_health_says_so()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Models:ProbeOllama"] = "false");
        var models = await app.Client.GetFromJsonAsync<JsonElement>("/api/v1/models");
        Assert.True(models.GetProperty("offline").GetBoolean());
        Assert.Equal("offline", Assert.Single(models.GetProperty("items").EnumerateArray()).GetProperty("name").GetString());
        Assert.Contains("not_configured", await app.Client.GetStringAsync("/health"), StringComparison.Ordinal);
        var response = await app.Services.GetRequiredService<IChatClient>().GetResponseAsync([new ChatMessage(ChatRole.User, "hi")]);
        Assert.StartsWith("I am the offline model", response.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OPENAI_BASE_URL_alone_is_enough_and_the_list_shows_the_endpoint()
    {
        await using var provider = await FakeModelServer.StartAsync();
        provider.On("found-chat", Answer("from the found model"));
        await using var app = await TestApp.StartAsync(o => o.Environment["OPENAI_BASE_URL"] = provider.BaseUrl.OriginalString);
        await Wait.UntilAsync(() => app.Get<ModelRouter>().Current.Catalog.Models.ContainsKey("found-chat"));
        var response = await app.Services.GetRequiredService<IChatClient>().GetResponseAsync([new ChatMessage(ChatRole.User, "hi")]);
        Assert.Equal("from the found model", response.Text);

        var models = await app.Client.GetFromJsonAsync<JsonElement>("/api/v1/models");
        var found = models.GetProperty("items").EnumerateArray().Single(m => m.GetProperty("name").GetString() == "found-chat");
        Assert.True(found.GetProperty("free").GetBoolean());
        Assert.True(found.GetProperty("endpoint").GetProperty("reachable").GetBoolean());
        Assert.Equal("closed", found.GetProperty("endpoint").GetProperty("circuit").GetString());
        Assert.Equal("found-embed", models.GetProperty("embedding").GetString());
        var metrics = await app.Client.GetStringAsync("/metrics");
        Assert.Contains("rootmas_model_calls", metrics, StringComparison.Ordinal);
        Assert.Contains("gen_ai_client_token_usage", metrics, StringComparison.Ordinal);
        Assert.Contains("gen_ai_client_operation_duration", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_Ollama_that_has_nothing_to_talk_with_leaves_the_offline_model_until_it_has()
    {
        await using var ollama = await FakeModelServer.StartAsync();
        ollama.List = """{"data":[{"id":"nomic-embed-text:latest"},{"id":"bge-m3:latest"},{"id":"all-minilm:33m"}]}""";
        ollama.On("llama3.2:latest", Answer("from the llama"));
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Models:OllamaUrl"] = ollama.BaseUrl.OriginalString[..^3];
            o.Settings["Models:ProbeOllama"] = "true";
            o.Settings["Models:ReloadInterval"] = "00:00:00.1";
        });
        Assert.True(app.Get<ModelRouter>().Current.Catalog.IsOffline);
        var client = app.Services.GetRequiredService<IChatClient>();
        Assert.StartsWith("I am the offline model", (await client.GetResponseAsync([new ChatMessage(ChatRole.User, "hi")])).Text, StringComparison.Ordinal);
        ollama.List = """{"data":[{"id":"nomic-embed-text:latest"},{"id":"llama3.2:latest"}]}""";
        await Wait.UntilAsync(() => !app.Get<ModelRouter>().Current.Catalog.IsOffline);
        Assert.Equal("from the llama", (await client.GetResponseAsync([new ChatMessage(ChatRole.User, "hi")])).Text);
    }

    [Fact]
    public async Task An_Ollama_that_is_started_later_is_found()
    {
        var clock = new SteppedClock();
        var port = ServerProcess.FreePort();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Clock = clock;
            o.Settings["Models:OllamaUrl"] = $"http://127.0.0.1:{port}";
            o.Settings["Models:ProbeOllama"] = "true";
            o.Settings["Models:ReloadInterval"] = "00:00:01";
        });
        Assert.True(app.Get<ModelRouter>().Current.Catalog.IsOffline);
        await using var ollama = await FakeModelServer.StartAsync(port: port);
        ollama.List = """{"data":[{"id":"llama3.2:latest"}]}""";
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return !app.Get<ModelRouter>().Current.Catalog.IsOffline;
        });
    }

    [Theory]
    [InlineData("""{"parameters":"stop                           \"<|eot_id|>\"\nnum_ctx                        8192"}""", Loaded32K, "", 8_192, "Ollama lets llama3.2:latest read 8192 tokens at once. Agents with many tools need 16384")]
    [InlineData("""{"parameters":""}""", Loaded32K, "", 32_768, "Ollama lets llama3.2:latest read 32768 tokens at once.")]
    [InlineData(null, null, "", 4_096, "how many tokens llama3.2:latest reads at once: 4096 are counted on. Agents with many tools need 16384 or more: start Ollama with OLLAMA_CONTEXT_LENGTH=16384")]
    [InlineData("[1", "\"\\ud83d\"", "", 4_096, "4096 are counted on")]
    [InlineData(null, Loaded32K, "20000", 20_000, null)]
    public async Task What_a_found_Ollama_reads_at_once_is_asked_of_it_and_told(string? shown, string? loaded, string setting, int expected, string? note)
    {
        await using var ollama = await FakeModelServer.StartAsync();
        (ollama.List, ollama.Shown, ollama.Loaded) = (Llama, shown, loaded);
        await using var app = await TestApp.StartAsync(o => FindOllama(o, ollama, setting));
        var models = await app.GetJsonAsync("/api/v1/models");
        Assert.Equal(expected, models.GetProperty("items").EnumerateArray().Single(static m => m.GetProperty("name").GetString() == "llama3.2:latest").GetProperty("context_tokens").GetInt32());
        var notes = models.GetProperty("notes").EnumerateArray().Select(static n => n.GetString()!).ToList();
        if (note is null)
        {
            Assert.Empty(notes);
            return;
        }

        Assert.Contains(note, Assert.Single(notes), StringComparison.Ordinal);
        using var cli = new CliSession(app.Data);
        Assert.Contains($"· model notes: {notes[0]}", await cli.DoAsync("doctor"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_Ollama_gave_a_model_when_it_loaded_it_counts_a_moment_later()
    {
        var clock = new SteppedClock();
        await using var ollama = await FakeModelServer.StartAsync();
        ollama.List = Llama;
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Clock = clock;
            FindOllama(o, ollama, "");
        });
        ollama.Loaded = Loaded32K;
        await app.Get<ModelCatalogSource>().LookAsync(CancellationToken.None);
        Assert.Equal(4_096, Context());
        clock.Advance(TimeSpan.FromSeconds(15));
        await app.Get<ModelCatalogSource>().LookAsync(CancellationToken.None);
        Assert.Equal(32_768, Context());

        // It is not forgotten while the model is not loaded.
        ollama.Loaded = """{"models":[]}""";
        Assert.True(await app.Get<ModelCatalogSource>().ReloadAsync(CancellationToken.None));
        Assert.Equal(32_768, Context());

        int Context() => app.Get<ModelRouter>().Current.Catalog.ContextTokens("standard", null);
    }

    [Theory]
    [InlineData("", 128_000)]
    [InlineData("16000", 16_000)]
    public async Task What_models_at_OPENAI_BASE_URL_read_at_once_is_a_setting(string setting, int expected)
    {
        await using var provider = await FakeModelServer.StartAsync();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Environment["OPENAI_BASE_URL"] = provider.BaseUrl.OriginalString;
            SetContext(o, setting);
        });
        await Wait.UntilAsync(() => app.Get<ModelRouter>().Current.Catalog.Models.ContainsKey("found-chat"));
        var models = await app.GetJsonAsync("/api/v1/models");
        Assert.Equal(expected, app.Get<ModelRouter>().Current.Catalog.ContextTokens("cheap", null));
        Assert.Equal(setting.Length == 0, models.GetProperty("notes").GetRawText().Contains("128000 are counted on. If they read fewer, or more, say it in Models:Context.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_list_of_models_that_is_no_text_stops_no_start()
    {
        await using var provider = await FakeModelServer.StartAsync();
        provider.List = """{"data":[{"id":"half \ud83d of a character"}]}""";
        await using var app = await TestApp.StartAsync(o => o.Environment["OPENAI_BASE_URL"] = provider.BaseUrl.OriginalString);
        var models = await app.Client.GetFromJsonAsync<JsonElement>("/api/v1/models");
        Assert.False(models.GetProperty("offline").GetBoolean());
    }

    [Fact]
    public async Task What_a_model_costs_is_counted_from_zero_as_soon_as_it_is_named()
    {
        await using var provider = await FakeModelServer.StartAsync();
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = Config("counted-first"));
        var metrics = await app.Client.GetStringAsync("/metrics");
        Assert.Contains("rootmas_model_cost_total{gen_ai_request_model=\"counted-first\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nrootmas_cache_saved_total ", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("counted-later", metrics, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Path.Combine(app.Config, "models.yaml"), Config("counted-later"));
        Assert.True(await app.Get<ModelCatalogSource>().ReloadAsync(CancellationToken.None));
        Assert.Contains("rootmas_model_cost_total{gen_ai_request_model=\"counted-later\"} 0\n", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);

        string Config(string model) => $$"""
            providers: { fake: { base_url: "{{provider.BaseUrl.OriginalString}}" } }
            models: { {{model}}: { provider: fake, price: { input: 1, output: 2 } } }
            tiers: { standard: [{{model}}] }
            """;
    }

    [Fact]
    public async Task A_changed_file_is_taken_over_and_a_broken_one_changes_nothing()
    {
        await using var provider = await FakeModelServer.StartAsync();
        provider.On("one", Answer("one")).On("two", Answer("two"));
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = Config("one"));
        var client = app.Services.GetRequiredService<IChatClient>();
        var source = app.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<ModelCatalogSource>().Single();
        await File.WriteAllTextAsync(Path.Combine(app.Config, "models.yaml"), "models: {");
        Assert.False(await source.ReloadAsync(CancellationToken.None));
        Assert.Equal("one", (await client.GetResponseAsync([new ChatMessage(ChatRole.User, "hi")])).Text);

        await File.WriteAllTextAsync(Path.Combine(app.Config, "models.yaml"), Config("two"));
        Assert.True(await source.ReloadAsync(CancellationToken.None));
        Assert.Equal("two", (await client.GetResponseAsync([new ChatMessage(ChatRole.User, "hi")])).Text);

        string Config(string model) => $$"""
            providers: { fake: { base_url: "{{provider.BaseUrl.OriginalString}}" } }
            models: { {{model}}: { provider: fake, price: { input: 1, output: 2 } } }
            tiers: { standard: [{{model}}] }
            """;
    }

    [Fact]
    public async Task The_reports_read_only_the_owners_rows()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Models:ProbeOllama"] = "false");
        var ledger = app.Services.GetRequiredService<LedgerStore>();
        foreach (var (owner, agent, cost, outcome) in new[] { ("alice", "meta", 1500, "ok"), ("alice", "meta", 500, "timeout"), ("bob", "secret_agent", 9_000_000, "ok") })
        {
            await ledger.AppendAsync(
                new LedgerEntry
                {
                    Id = Guid.CreateVersion7().ToString(), OwnerId = owner, Agent = agent, Purpose = "answer", Provider = "p", Model = "m", Tier = "cheap", Outcome = outcome,
                    Usage = new TokenUsage(1000, 200, 50), Cost = new Money(cost), LatencyMs = 120, TtftMs = 30, CreatedAt = DateTimeOffset.UtcNow,
                },
                CancellationToken.None);
        }

        var usage = await CallAsync("usage_report");
        Assert.Contains("2 requests, 0.002 USD", usage, StringComparison.Ordinal);
        Assert.DoesNotContain("secret_agent", usage, StringComparison.Ordinal);
        Assert.StartsWith("Last 30 days", await CallAsync("usage_report", """{"days":30.0}"""), StringComparison.Ordinal);
        Assert.Contains("m | cheap | 2 | 50 % | 0.001 | 120 | 30", await CallAsync("model_stats"), StringComparison.Ordinal);

        async Task<string> CallAsync(string name, string arguments = "{}")
        {
            var tool = app.Services.GetServices<Tool>().Single(t => t.Name == name);
            var context = new ToolContext
            {
                RunId = "r", RootRunId = "r", OwnerId = "alice", Agent = "budget_manager", Call = 1, IdempotencyKey = "k", Clock = TimeProvider.System, Progress = _ => { },
            };
            return (await tool.InvokeAsync(context, JsonElement.Parse(arguments), CancellationToken.None)).Text;
        }
    }

    [Fact]
    public async Task The_doctor_tells_a_refused_key_from_an_unreachable_provider()
    {
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = """
            providers: { gone: { base_url: "http://127.0.0.1:1/v1" } }
            models: { m: { provider: gone, free: true } }
            tiers: { cheap: [m] }
            """);
        var state = (await app.Services.GetRequiredService<ModelDoctor>().ExamineAsync(CancellationToken.None)).Single(p => p.Provider == "gone");
        Assert.Equal((false, (bool?)null, "unreachable"), (state.Reachable, state.KeyValid, state.ErrorClass));
        Assert.Contains("the provider gone", state.Advice, StringComparison.Ordinal);

        // Addresses of one's own network are not for every user.
        using var reader = await app.AsAsync("reader");
        var models = (await reader.GetAsync("/api/v1/models")).GetRawText();
        Assert.Contains("the provider gone", models, StringComparison.Ordinal);
        Assert.DoesNotContain("127.0.0.1", models, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("foo")]
    [InlineData("127.0.0.1:11434")]
    [InlineData("http://user:sesame@127.0.0.1:11434")]
    public async Task An_address_of_Ollama_that_is_none_stops_the_start_by_name(string url)
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.Settings["Models:OllamaUrl"] = url));
        Assert.Contains("Models:OllamaUrl: is not an absolute address", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("providers: { off: { kind: offline, base_url: localhost } }")]
    public async Task A_file_that_is_empty_or_has_a_base_url_that_is_none_stops_the_start_by_name(string text)
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = text));
        Assert.Contains(text.Length == 0 ? "models.yaml: is empty" : "off: base_url (line 1)", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Nobody looks but the tests, and a slow machine has time to answer.</summary>
    private static void FindOllama(TestAppOptions options, FakeModelServer ollama, string context)
    {
        options.Settings["Models:OllamaUrl"] = ollama.BaseUrl.OriginalString[..^3];
        options.Settings["Models:ProbeOllama"] = "true";
        options.Settings["Models:ProbeTimeout"] = "00:00:05";
        options.Settings["Models:ReloadInterval"] = "0s";
        SetContext(options, context);
    }

    private static void SetContext(TestAppOptions options, string context)
    {
        if (context.Length > 0)
        {
            options.Settings["Models:Context"] = context;
        }
    }
}
