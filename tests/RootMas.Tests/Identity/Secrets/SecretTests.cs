using System.Net;
using System.Text;
using System.Text.Json;
using RootMas.Server.Agents;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Secrets;

public sealed class SecretOnSqliteTests() : SecretTests(DatabaseKind.Sqlite);

public sealed class SecretOnPostgresTests() : SecretTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Secrets that administrators enter: encrypted, used, audited, never shown.</summary>
[Covers(typeof(SecretStore))]
public abstract class SecretTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Canary = "sk-canary-0123456789";

    [DatabaseFact]
    public async Task A_value_goes_in_and_never_comes_out()
    {
        await using var app = await TestApp.StartAsync();
        using var put = await PutAsync(app, "openai", Canary);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        using var without = await PutAsync(app, "openai", Canary + "2");
        await ProblemAssert.IsProblemAsync(without, 428, "if_match_required");
        using var replaced = await PutAsync(app, "openai", Canary + "2", ("If-Match", put.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        var shown = string.Concat(
            await put.Content.ReadAsStringAsync(), await replaced.Content.ReadAsStringAsync(), (await app.GetJsonAsync("/api/v1/secrets")).GetRawText(), (await app.GetJsonAsync("/api/v1/secrets/openai")).GetRawText(),
            (await app.GetJsonAsync("/api/v1/audit?limit=200")).GetRawText(), (await app.GetJsonAsync("/api/v1/logs?level=trace&limit=1000")).GetRawText());
        Assert.DoesNotContain("canary", shown, StringComparison.Ordinal);
        Assert.Equal(["secret.set", "secret.set"], (await app.AuditAsync("&target=openai")).Select(r => r.Text("action")));
    }

    [DatabaseFact]
    public async Task On_disk_there_is_no_clear_text_and_a_deleted_secret_is_gone()
    {
        await using var app = await TestApp.StartAsync();
        using var put = await PutAsync(app, "openai", Canary);
        using var deleted = await app.SendAsync(HttpMethod.Delete, "/api/v1/secrets/openai", null, ("If-Match", put.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        using var gone = await app.Client.GetAsync("/api/v1/secrets/openai");
        await ProblemAssert.IsProblemAsync(gone, 404, "secret_not_found");
        Assert.Null(app.Get<SecretVault>().Find("openai"));
        await app.StopAsync();
        Assert.All((string[])["secrets", "audit", "idempotency_keys"], table => Assert.DoesNotContain(Canary, TestDatabaseDump.Of(app, table), StringComparison.Ordinal));
        foreach (var file in Directory.EnumerateFiles(app.Data, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "lock"))
        {
            Assert.Equal(-1, (await File.ReadAllBytesAsync(file)).AsSpan().IndexOf(Encoding.UTF8.GetBytes(Canary)));
        }
    }

    [DatabaseFact]
    public async Task A_providers_key_can_be_a_secret_and_works_as_soon_as_it_is_entered()
    {
        await using var models = await LoopbackServer.StartAsync(async context =>
        {
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync("""{"object":"list","data":[]}"""u8.ToArray());
        });
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Models:ReloadInterval"] = "20ms";
            o.ConfigFiles["models.yaml"] = $$"""
                providers:
                  own: { base_url: "{{models.Url}}v1", key_secret: own-key }
                models:
                  big: { provider: own, free: true }
                tiers:
                  standard: [big]
                """;
        });
        Assert.DoesNotContain(app.Get<ModelRouter>().Current.Catalog.Models, m => m.Value.Provider.Name == "own");
        using var put = await PutAsync(app, "own-key", Canary);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        await Wait.UntilAsync(() => app.Get<ModelRouter>().Current.Catalog.Models.Any(m => m.Value.Provider is { Name: "own", Key: Canary }));
        var listed = Assert.Single((await app.GetJsonAsync("/api/v1/secrets")).GetProperty("items").EnumerateArray());
        Assert.Equal("models.yaml: provider own", Assert.Single(listed.GetProperty("used_by").EnumerateArray()).GetString());
    }

    [DatabaseFact]
    public async Task A_secret_of_the_right_form_is_a_credential_of_http_request()
    {
        await using var app = await TestApp.StartAsync();
        string Told() => app.Get<AgentCatalog>().SnapshotFor(null, null).Snapshot!.Snapshot.Tools["http_request"].Description;
        Assert.Contains("none are configured", Told(), StringComparison.Ordinal);
        using var put = await PutAsync(app, "tickets", $"https://tickets.example.org/v1 Authorization: Bearer {Canary}");
        var listed = Assert.Single((await app.GetJsonAsync("/api/v1/secrets")).GetProperty("items").EnumerateArray());
        Assert.Equal("http_request for https://tickets.example.org/v1", Assert.Single(listed.GetProperty("used_by").EnumerateArray()).GetString());
        var tool = app.Get<RootMas.Runtime.Tools.IToolCatalog>().Find("http_request")!;
        Assert.Contains("tickets (for https://tickets.example.org/v1)", tool.Definition.Description, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", tool.Definition.Description, StringComparison.Ordinal);
        Assert.Equal(tool.Definition.Description, Told()); // the next run's agents know of it
    }

    [DatabaseFact]
    public async Task A_name_that_is_none_is_400()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var name in (string[])
        [
            "../x",
            "1abc",
            "a b",
        ])
        {
            using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/" + Uri.EscapeDataString(name), """{"value":"x"}""");
            ProblemAssert.Names(await ProblemAssert.IsProblemAsync(put, 400), "name");
        }
    }

    /// <summary>Whoever read the first may not overwrite or remove the second, whichever of the two comes back.</summary>
    [DatabaseFact]
    public async Task What_was_removed_and_entered_again_is_another_secret()
    {
        await using var app = await TestApp.StartAsync();
        using var first = await PutAsync(app, "openai", "sk-1");
        var tag = first.Headers.ETag!.ToString();
        using var deleted = await app.SendAsync(HttpMethod.Delete, "/api/v1/secrets/openai", null, ("If-Match", tag));
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        foreach (var sent in (string[])[tag, "*"])
        {
            using var late = await PutAsync(app, "openai", "sk-late", ("If-Match", sent));
            await ProblemAssert.IsProblemAsync(late, 412, "etag_mismatch");
        }

        Assert.Null(app.Get<SecretVault>().Find("openai"));
        using var second = await PutAsync(app, "openai", "sk-2");
        Assert.Equal(HttpStatusCode.Created, second.StatusCode);
        Assert.NotEqual(tag, second.Headers.ETag!.ToString());
        using var overwritten = await PutAsync(app, "openai", "sk-late", ("If-Match", tag));
        await ProblemAssert.IsProblemAsync(overwritten, 412, "etag_mismatch");
        using var removed = await app.SendAsync(HttpMethod.Delete, "/api/v1/secrets/openai", null, ("If-Match", tag));
        await ProblemAssert.IsProblemAsync(removed, 412, "etag_mismatch");
        Assert.Equal("sk-2", app.Get<SecretVault>().Find("openai"));
        using var replaced = await PutAsync(app, "openai", "sk-3", ("If-Match", second.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
    }

    /// <summary>Between the look at it and the change somebody removed it and entered another.</summary>
    [DatabaseFact]
    public async Task A_change_of_what_was_read_does_not_reach_what_took_its_place()
    {
        await using var app = await TestApp.StartAsync();
        var store = app.Get<SecretStore>();
        using var first = await PutAsync(app, "openai", "sk-1");
        var read = await store.FindAsync("openai", default);
        using var deleted = await app.SendAsync(HttpMethod.Delete, "/api/v1/secrets/openai", null, ("If-Match", "*"));
        using var second = await PutAsync(app, "openai", "sk-2");
        Assert.False(await store.ChangeAsync(new SecretChange("openai", "sk-late", read, "somebody", static _ => default), default));
        Assert.False(await store.ChangeAsync(new SecretChange("openai", null, read, "somebody", static _ => default), default));
        var now = await store.FindAsync("openai", default);
        Assert.True(await store.ChangeAsync(new SecretChange("openai", null, now, "somebody", static _ => default), default));
    }

    private static Task<HttpResponseMessage> PutAsync(TestApp app, string name, string value, params (string, string)[] headers) =>
        app.SendAsync(HttpMethod.Put, "/api/v1/secrets/" + name, JsonSerializer.Serialize(new { value }), headers);
}
