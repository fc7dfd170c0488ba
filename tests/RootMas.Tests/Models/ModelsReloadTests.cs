using System.Net;
using System.Text.Json;
using RootMas.Server.Models;
using RootMas.Server.Models.Pipeline;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

/// <summary>models.yaml, secrets and servers change while the server runs. Nobody looks but the tests.</summary>
public sealed class ModelsReloadTests
{
    private const string Full = """
        providers:
          own: { base_url: "http://127.0.0.1:1/v1" }
          late: { base_url: "http://127.0.0.1:1/v1", key_secret: own-key }
        models:
          one: { provider: own, free: true }
          two: { provider: own, free: true }
          big: { provider: late, free: true }
          vec: { provider: own, free: true, capabilities: [embeddings] }
        tiers:
          standard: [one, big]
          premium: [one]
        embedding: vec
        """;

    [Fact]
    public async Task While_an_edit_is_refused_keys_count_that_are_entered_and_removed()
    {
        await using var app = await StartAsync();
        var source = app.Get<ModelCatalogSource>();
        var before = source.Fingerprint;
        await WriteAsync(app, "models: {");
        Assert.False(await source.ReloadAsync(CancellationToken.None));
        using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"entered"}""");
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        Assert.Equal("entered", KeyOf(app));
        using var deleted = await app.SendAsync(HttpMethod.Delete, "/api/v1/secrets/own-key", null, ("If-Match", put.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Null(KeyOf(app));
        Assert.Equal(before, source.Fingerprint);
        Assert.Contains("not valid YAML", Assert.Single(source.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_may_be_cut_off_is_refused_and_what_is_said_to_go_goes()
    {
        await using var app = await StartAsync();
        var source = app.Get<ModelCatalogSource>();
        foreach (var (text, says) in ((string?, string)[])
        [
            (null, "is not there any more"),
            ("", "is empty"),
            ("# nothing but this\n", "is empty"),
            (Full + "\n---\nmodels: {}\n", "several documents"),
            (Full[..Full.IndexOf("tiers:", StringComparison.Ordinal)], "tiers: standard: the file in force fills it"),
            (Full.Replace("  premium: [one]\n", "", StringComparison.Ordinal), "write 'premium: []'"),
            (Full.Replace("premium: [one]", "premium:", StringComparison.Ordinal), "write 'premium: []'"),
            (Full.Replace("embedding: vec", "", StringComparison.Ordinal), "write 'embedding: ~'"),
            (Full.Replace("embedding: vec", "embedding:", StringComparison.Ordinal), "write 'embedding: ~'"),
            (Full.Replace("providers:", "providers:\n  off: { kind: offline, base_url: localhost }", StringComparison.Ordinal), "off: base_url"),
        ])
        {
            await WriteAsync(app, text);
            Assert.False(await source.ReloadAsync(CancellationToken.None), says);
            Assert.Contains(source.Problems, p => p.Contains(says, StringComparison.Ordinal));
            Assert.Equal(("one", "vec"), (First(app), Catalog(app).Embedding?.Name));
        }

        foreach (var text in (string[])[Full.Replace("premium: [one]", "premium: []", StringComparison.Ordinal), Full, Full.Replace("embedding: vec", "embedding: ~", StringComparison.Ordinal)])
        {
            await WriteAsync(app, text);
            Assert.True(await source.ReloadAsync(CancellationToken.None), string.Join('\n', source.Problems));
            Assert.Empty(source.Problems);
        }

        Assert.Null(Catalog(app).Embedding);
    }

    [Fact]
    public async Task An_edit_is_taken_once_two_looks_find_the_same_file()
    {
        await using var app = await StartAsync();
        var source = app.Get<ModelCatalogSource>();
        await WriteAsync(app, "models: {");
        await source.LookAsync(CancellationToken.None);
        using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/own-key", """{"value":"meanwhile"}"""); // reads no half of a file
        Assert.Equal("meanwhile", KeyOf(app));
        await WriteAsync(app, Full.Replace("[one, big]", "[two]", StringComparison.Ordinal));
        await source.LookAsync(CancellationToken.None);
        Assert.Equal("one", First(app));
        Assert.Empty(source.Problems);
        await source.LookAsync(CancellationToken.None);
        Assert.Equal("two", First(app));
    }

    /// <summary>As a mounted ConfigMap is: the file is a link, and the folder that it leads through is another link, which is swapped.</summary>
    [Fact]
    public async Task A_file_behind_links_is_taken_when_what_they_lead_to_is_replaced()
    {
        await using var app = await StartAsync();
        var (path, data) = (PathOf(app), Path.Combine(app.Config, "..data"));
        foreach (var (folder, text) in ((string, string)[])[("v1", Full.Replace("[one, big]", "[two]", StringComparison.Ordinal)), ("v2", Full)])
        {
            Directory.CreateDirectory(Path.Combine(app.Config, folder));
            await File.WriteAllTextAsync(Path.Combine(app.Config, folder, "models.yaml"), text);
        }

        File.Delete(path);
        Directory.CreateSymbolicLink(data, "v1");
        File.CreateSymbolicLink(path, Path.Combine("..data", "models.yaml"));
        await LookTwiceAsync(app);
        Assert.Equal("two", First(app));

        File.Delete(data);
        Directory.CreateSymbolicLink(data, "v2");
        await LookTwiceAsync(app);
        Assert.Equal("one", First(app));

        File.Delete(Path.Combine(app.Config, "v2", "models.yaml"));
        await LookTwiceAsync(app);
        Assert.Equal("one", First(app));
        Assert.Contains("is not there any more", Assert.Single(app.Get<ModelCatalogSource>().Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_edit_is_told_to_administrators_and_in_health_until_it_is_repaired()
    {
        await using var app = await TestApp.StartAsync(static o => (o.Settings["Models:ReloadInterval"], o.Settings["Models:ProbeOllama"]) = ("0s", "false"));
        using var reader = await app.AsAsync("reader");
        var source = app.Get<ModelCatalogSource>();
        var good = await File.ReadAllTextAsync(PathOf(app));
        Assert.Empty(ProblemsOf(await app.GetJsonAsync("/api/v1/models")));
        await WriteAsync(app, "models: {");
        Assert.False(await source.ReloadAsync(CancellationToken.None));
        var told = Assert.Single(ProblemsOf(await app.GetJsonAsync("/api/v1/models"))); // kept answers end
        Assert.Contains("not valid YAML", told, StringComparison.Ordinal);
        using var cli = new CliSession(app.Data);
        Assert.Contains($"· models: {told}\n", await cli.DoAsync("doctor"), StringComparison.Ordinal);
        Assert.Empty(ProblemsOf(await reader.GetAsync("/api/v1/models")));
        await HealthAsync(app, "degraded", "is not in force: 1 error; the models stay as they were");

        await WriteAsync(app, good);
        Assert.True(await source.ReloadAsync(CancellationToken.None));
        Assert.Empty(ProblemsOf(await app.GetJsonAsync("/api/v1/models")));
        await HealthAsync(app, "not_configured", "The offline model answers");
    }

    [Fact]
    public async Task Models_that_were_found_stay_while_their_server_does_not_answer()
    {
        var port = ServerProcess.FreePort();
        TestApp app;
        await using (var provider = await FakeModelServer.StartAsync(port))
        {
            app = await TestApp.StartAsync(o => (o.Settings["Models:ReloadInterval"], o.Environment["OPENAI_BASE_URL"]) = ("0s", provider.BaseUrl.OriginalString));
        }

        await using (app)
        {
            Assert.Equal("found-chat", First(app));
            Assert.True(await app.Get<ModelCatalogSource>().ReloadAsync(CancellationToken.None)); // of a secret that has nothing to do with it, say
            Assert.Equal(("found-chat", "found-embed"), (First(app), Catalog(app).Embedding?.Name));

            await using var again = await FakeModelServer.StartAsync(port);
            again.List = """{"data":[{"id":"later"}]}""";
            await Wait.UntilAsync(
                static async a =>
                {
                    await a.Get<ModelCatalogSource>().LookAsync(CancellationToken.None);
                    return First(a) == "later";
                },
                app,
                "The server that is back was not asked");
        }
    }

    private static Task<TestApp> StartAsync() => TestApp.StartAsync(static o =>
    {
        o.Settings["Models:ReloadInterval"] = "0s";
        o.ConfigFiles["models.yaml"] = Full;
    });

    private static string PathOf(TestApp app) => Path.Combine(app.Config, "models.yaml");

    private static async Task WriteAsync(TestApp app, string? text)
    {
        if (text is null)
        {
            File.Delete(PathOf(app));
        }
        else
        {
            await File.WriteAllTextAsync(PathOf(app), text);
        }
    }

    private static async Task LookTwiceAsync(TestApp app)
    {
        await app.Get<ModelCatalogSource>().LookAsync(CancellationToken.None);
        await app.Get<ModelCatalogSource>().LookAsync(CancellationToken.None);
    }

    private static async Task HealthAsync(TestApp app, string status, string detail) => await Wait.UntilAsync(
        async a =>
        {
            var health = await a.GetJsonAsync("/health");
            return health.GetProperty("services").GetProperty("models").GetString() == status
                && health.GetProperty("details").TryGetProperty("models", out var said) && said.GetString()!.Contains(detail, StringComparison.Ordinal);
        },
        app,
        $"Health did not say: {status}, {detail}");

    private static ModelCatalog Catalog(TestApp app) => app.Get<ModelRouter>().Current.Catalog;

    private static string First(TestApp app) => Catalog(app).Tiers["standard"][0].Name;

    private static string? KeyOf(TestApp app) => Catalog(app).Models.GetValueOrDefault("big")?.Provider.Key;

    private static List<string?> ProblemsOf(JsonElement models) => [.. models.GetProperty("problems").EnumerateArray().Select(static p => p.GetString())];
}
