using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RootMas.Server.Identity.Machines;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Machines;

public sealed class ApiKeysOnSqliteTests() : ApiKeysTests(DatabaseKind.Sqlite);

public sealed class ApiKeysOnPostgresTests() : ApiKeysTests(DatabaseKind.Postgres), IOnPostgres;

[Covers(typeof(ApiKeyStore))]
public abstract class ApiKeysTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Keys = "/api/v1/api-keys";

    [DatabaseFact]
    public async Task A_secret_is_shown_once_and_nowhere_kept()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var first = await CreateAsync(ann, """{"name":"nightly"}""", "once");
        var secret = first.GetProperty("secret").GetString()!;
        Assert.StartsWith("rmk_", secret, StringComparison.Ordinal);
        var repeat = await CreateAsync(ann, """{"name":"nightly"}""", "once");
        Assert.Equal((first.GetProperty("id").GetString(), JsonValueKind.Null), (repeat.GetProperty("id").GetString(), repeat.GetProperty("secret").ValueKind));

        using var program = app.NewClient(secret);
        var me = await TestUser.JsonAsync(await program.GetAsync("/api/v1/auth/me"), HttpStatusCode.OK);
        Assert.Equal((ann.Id, "api_key"), (me.GetProperty("user").GetProperty("id").GetString(), me.GetProperty("credential").GetString()));
        var listed = await ann.GetAsync(Keys);
        Assert.DoesNotContain(secret, listed.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(secret[..10], Assert.Single(listed.GetProperty("items").EnumerateArray()).GetProperty("hint").GetString());
        Assert.Contains("api_key.create", (await app.AuditAsync()).Select(r => r.Action));
        await app.StopAsync();
        Assert.All((string[])["api_keys", "audit", "idempotency_keys"], table => Assert.DoesNotContain(secret, TestDatabaseDump.Of(app, table), StringComparison.Ordinal));
        foreach (var file in Directory.EnumerateFiles(app.Data, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "lock"))
        {
            Assert.True((await File.ReadAllBytesAsync(file)).AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret)) < 0, $"{file} holds the secret of an API key.");
        }
    }

    [DatabaseFact]
    public async Task A_key_does_what_its_scopes_say_and_makes_no_other()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var program = app.NewClient((await CreateAsync(ann, """{"name":"reader","scopes":["chat:read"]}""")).GetProperty("secret").GetString());
        Assert.Equal(HttpStatusCode.OK, (await program.GetAsync("/api/v1/runs")).StatusCode);
        await RefusedAsync(await program.PostAsJsonAsync("/api/v1/chat", new { message = "Hi" }), HttpStatusCode.Forbidden, "permission_missing");
        await RefusedAsync(await program.GetAsync("/api/v1/agents"), HttpStatusCode.Forbidden, "permission_missing");
        await RefusedAsync(await program.PostAsJsonAsync(Keys, new { name = "more" }), HttpStatusCode.Forbidden, "login_required");
    }

    [DatabaseFact]
    public async Task A_key_that_would_be_more_than_its_maker_is_not_made()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        foreach (var (body, status, code) in ((string, int, string?)[])
        [
            ("""{"name":"x","scopes":["users:write"]}""", 403, "scope_not_allowed"),
            ("""{"name":"x","scopes":["content:read"]}""", 403, "scope_not_allowed"),
            ("""{"name":"x","scopes":["chat:reed"]}""", 400, "validation_failed"),
            ("""{"name":"x","scopes":["*"]}""", 400, "validation_failed"),
            ("""{"name":"x","scopes":[null]}""", 400, "validation_failed"),
            ("""{"name":""}""", 400, "validation_failed"),
            ("""{"name":"x","expires_at":"2020-01-01T00:00:00Z"}""", 400, "validation_failed"),
            ("""{"name":"x","user_id":"somebody"}""", 400, null),
        ])
        {
            using var answer = await ann.Client.PostAsync(Keys, Json(body));
            await RefusedAsync(answer, (HttpStatusCode)status, code);
        }
        Assert.Empty((await ann.GetAsync(Keys)).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_revoked_key_is_refused_at_once_and_nobody_revokes_others()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var key = await CreateAsync(ann, """{"name":"one"}""");
        var path = $"{Keys}/{key.GetProperty("id").GetString()}";
        using var program = app.NewClient(key.GetProperty("secret").GetString());
        Assert.Equal(HttpStatusCode.OK, (await program.GetAsync("/api/v1/runs")).StatusCode);
        await RefusedAsync(await bob.Client.DeleteAsync(path), HttpStatusCode.NotFound, "api_key_not_found");
        await RefusedAsync(await app.Client.DeleteAsync(path), HttpStatusCode.NotFound, "api_key_not_found");
        Assert.Equal(HttpStatusCode.OK, (await program.GetAsync("/api/v1/runs")).StatusCode);
        using var socket = await TestSocket.ConnectAsync(app, "/ws", ("Authorization", $"Bearer {key.GetProperty("secret").GetString()}"));

        Assert.Equal(HttpStatusCode.NoContent, (await ann.Client.DeleteAsync(path)).StatusCode);
        await RefusedAsync(await program.GetAsync("/api/v1/runs"), HttpStatusCode.Unauthorized, "token_invalid");
        Assert.Equal(1008, await socket.ClosedAsync());
        await RefusedAsync(await ann.Client.DeleteAsync(path), HttpStatusCode.NotFound, "api_key_not_found");
    }

    [DatabaseFact]
    public async Task A_key_ends_with_its_time_and_with_its_users_account()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var ann = await app.AsAsync("ann");
        var until = clock.GetUtcNow().AddMinutes(5).ToString("O", System.Globalization.CultureInfo.InvariantCulture);
        using var shortLived = app.NewClient((await CreateAsync(ann, $$"""{"name":"short","expires_at":"{{until}}"}""")).GetProperty("secret").GetString());
        using var forEver = app.NewClient((await CreateAsync(ann, """{"name":"long"}""")).GetProperty("secret").GetString());
        Assert.Equal(HttpStatusCode.OK, (await shortLived.GetAsync("/api/v1/runs")).StatusCode);
        clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(HttpStatusCode.Unauthorized, (await shortLived.GetAsync("/api/v1/runs")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await forEver.GetAsync("/api/v1/runs")).StatusCode);

        await app.ChangeUserAsync(ann.Id, """{"disabled":true}""");
        Assert.Equal(HttpStatusCode.Unauthorized, (await forEver.GetAsync("/api/v1/runs")).StatusCode);
    }

    internal static async Task<JsonElement> CreateAsync(TestUser user, string body, string? idempotencyKey = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Keys) { Content = Json(body) };
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        return await TestUser.JsonAsync(await user.Client.SendAsync(request), HttpStatusCode.Created);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static async Task RefusedAsync(HttpResponseMessage answer, HttpStatusCode status, string? code)
    {
        var problem = await TestUser.JsonAsync(answer, status);
        Assert.True(code is null || code == problem.GetProperty("code").GetString(), problem.GetRawText());
    }
}
