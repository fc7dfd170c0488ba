using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Audit;

/// <summary>Every route that changes something says what it leaves in the audit log, and leaves exactly that (I6).</summary>
public sealed class AuditedRoutesTests
{
    private const string Script = """
        default: { text: "Hello." }
        rules:
          - match: { last_role: user, last_user: "order" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "http://127.0.0.1:9/x", json: { n: 1 } } } ] }
          - match: { last_role: tool }
            answer: { text: "Understood." }
        """;

    private const string Agent = """{"name":"translator","role":"Translator","description":"Translates.","instructions":"You translate.","tier":"cheap","tools":["calculator"]}""";
    private const string Team = """{"name":"pair","description":"Two.","pattern":"direct","entry":"communicator"}""";

    /// <summary>How a test makes one change by each route, in an order in which each finds what it needs. A route that audits and stands neither here nor in <see cref="ProvedElsewhere"/> fails the test.</summary>
    private static readonly Dictionary<string, Func<Acting, Task>> Acts = new(StringComparer.Ordinal)
    {
        ["POST /api/v1/agents"] = static a => a.ChangeAsync(HttpMethod.Post, "agents", Agent),
        ["PUT /api/v1/agents/{name}"] = static a => a.ChangeAsync(HttpMethod.Put, "agents/translator", Agent.Replace("cheap", "premium", StringComparison.Ordinal)),
        ["DELETE /api/v1/agents/{name}"] = static a => a.ChangeAsync(HttpMethod.Delete, "agents/translator", null),
        ["POST /api/v1/teams"] = static a => a.ChangeAsync(HttpMethod.Post, "teams", Team),
        ["PUT /api/v1/teams/{name}"] = static a => a.ChangeAsync(HttpMethod.Put, "teams/pair", Team.Replace("Two.", "Three.", StringComparison.Ordinal)),
        ["DELETE /api/v1/teams/{name}"] = static a => a.ChangeAsync(HttpMethod.Delete, "teams/pair", null),
        ["PUT /api/v1/secrets/{name}"] = static a => a.ChangeAsync(HttpMethod.Put, "secrets/mine", """{"value":"x"}"""),
        ["DELETE /api/v1/secrets/{name}"] = static a => a.ChangeAsync(HttpMethod.Delete, "secrets/mine", null),
        ["POST /api/v1/models/{id}/test"] = static async a =>
        {
            var models = await a.World.App.GetJsonAsync("/api/v1/models");
            await a.ChangeAsync(HttpMethod.Post, $"models/{models.GetProperty("items")[0].Text("name")}/test", null);
        },
        ["DELETE /api/v1/conversations/{id}"] = static async a => await a.ChangeAsync(HttpMethod.Delete, $"conversations/{await a.World.NewConversationAsync()}", null),
        ["DELETE /api/v1/memory/{id}"] = static async a => await a.ChangeAsync(HttpMethod.Delete, $"memory/{await a.RememberAsync("memory")}", null),
        ["DELETE /api/v1/memory"] = static async a =>
        {
            await a.RememberAsync("memory");
            await a.ChangeAsync(HttpMethod.Delete, "memory", null);
        },
        ["POST /api/v1/memory/team"] = static async a => a.NoteId = await a.RememberAsync("memory/team"),
        ["DELETE /api/v1/memory/team/notes/{id}"] = static a => a.ChangeAsync(HttpMethod.Delete, $"memory/team/notes/{a.NoteId}", null),
        ["PUT /api/v1/collections/{id}/members/{user_id}"] = static async a =>
        {
            a.CollectionId = (await a.World.App.PostJsonAsync("/api/v1/collections", new { name = "For all" }, HttpStatusCode.Created)).Text("id");
            await a.ChangeAsync(HttpMethod.Put, $"collections/{a.CollectionId}/members/*", """{"may_write":false}""");
        },
        ["DELETE /api/v1/collections/{id}/members/{user_id}"] = static a => a.ChangeAsync(HttpMethod.Delete, $"collections/{a.CollectionId}/members/*", null),
        ["DELETE /api/v1/collections/{id}"] = static a => a.ChangeAsync(HttpMethod.Delete, $"collections/{a.CollectionId}", null),
        ["POST /api/v1/approvals/{id}"] = static a => a.DecideAsync(),
        ["POST /api/v1/runs/{id}/share"] = static async a =>
        {
            a.RunId = (await a.World.AskAsync(new { message = "hi", team = "solo" })).Text("run_id");
            await a.ChangeAsync(HttpMethod.Post, $"runs/{a.RunId}/share", null);
        },
        ["DELETE /api/v1/runs/{id}/share"] = static a => a.ChangeAsync(HttpMethod.Delete, $"runs/{a.RunId}/share", null),
        ["POST /api/v1/backups"] = static async a => a.BackupId = (await a.ChangeAsync(HttpMethod.Post, "backups", """{"verify":false}""")).Text("id"),
        ["POST /api/v1/backups/{id}/verify"] = static a => a.ChangeAsync(HttpMethod.Post, $"backups/{a.BackupId}/verify", "{}"),
        ["POST /api/v1/cache/clear"] = static a => a.ChangeAsync(HttpMethod.Post, "cache/clear", null),
        ["GET /api/v1/logs"] = static a => a.World.App.GetJsonAsync("/api/v1/logs"),
        ["POST /api/v1/auth/keys/rotate"] = static a => a.ChangeAsync(HttpMethod.Post, "auth/keys/rotate", null),
        ["POST /api/v1/auth/setup"] = static async a => a.Take(await a.ChangeAsync(HttpMethod.Post, "auth/setup",
            $$"""{"setup_token":"{{(await File.ReadAllTextAsync(Path.Combine(a.World.App.Data, "setup-token"))).Trim()}}","username":"root","password":"{{Password}}"}""")),
        ["POST /api/v1/users"] = static async a => a.UserId = (await a.ChangeAsync(HttpMethod.Post, "users", $$"""{"username":"alice","role":"user","password":"{{Password}}"}""")).Text("id"),
        ["POST /api/v1/auth/token"] = static a => a.ChangeAsync(HttpMethod.Post, "auth/token", $$"""{"user_id":"{{a.UserId}}"}"""),
        ["DELETE /api/v1/users/{id}/sessions/{session}"] = static async a =>
        {
            var sessions = await a.ChangeAsync(HttpMethod.Get, $"users/{a.UserId}/sessions", null);
            await a.ChangeAsync(HttpMethod.Delete, $"users/{a.UserId}/sessions/{sessions.GetProperty("items")[0].Text("id")}", null);
        },
        ["DELETE /api/v1/users/{id}/sessions"] = static a => a.ChangeAsync(HttpMethod.Delete, $"users/{a.UserId}/sessions", null),
        ["PATCH /api/v1/users/{id}"] = static a => a.ChangeAsync(HttpMethod.Patch, $"users/{a.UserId}", """{"role":"readonly"}"""),
        ["POST /api/v1/users/{id}/password"] = static a => a.ChangeAsync(HttpMethod.Post, $"users/{a.UserId}/password", $$"""{"password":"{{Password}}2"}"""),
        ["DELETE /api/v1/users/{id}"] = static a => a.ChangeAsync(HttpMethod.Delete, $"users/{a.UserId}", null),
        ["POST /api/v1/auth/login"] = static async a => a.Take(await a.ChangeAsync(HttpMethod.Post, "auth/login", $$"""{"username":"root","password":"{{Password}}"}""")),
        ["POST /api/v1/api-keys"] = static async a => a.KeyId = (await a.ChangeAsync(HttpMethod.Post, "api-keys", """{"name":"mine"}""")).Text("id"),
        ["DELETE /api/v1/api-keys/{id}"] = static a => a.ChangeAsync(HttpMethod.Delete, $"api-keys/{a.KeyId}", null),
        ["DELETE /api/v1/auth/sessions/{id}"] = static async a =>
        {
            var first = a.SessionId;
            a.Take(await a.LogInAgainAsync());
            await a.ChangeAsync(HttpMethod.Delete, $"auth/sessions/{first}", null);
        },
        ["DELETE /api/v1/auth/sessions"] = static async a =>
        {
            await a.LogInAgainAsync();
            await a.ChangeAsync(HttpMethod.Delete, "auth/sessions", null);
        },
        ["POST /api/v1/auth/logout"] = static a => a.ChangeAsync(HttpMethod.Post, "auth/logout", null),
    };

    /// <summary>Acts that need a state which another test makes.</summary>
    private static readonly Dictionary<string, string> ProvedElsewhere = new(StringComparer.Ordinal)
    {
        ["DELETE /api/v1/users/{id}/api-keys/{key}"] = "UserApiKeysTests.An_administrator_sees_a_users_keys_without_secrets_and_revokes_one_with_what_listens_to_it",
        ["POST /api/v1/runs/{id}/resolve"] = "LostRunTests.A_resolved_review_is_a_row",
        ["POST /api/v1/queue/dead/{id}/redrive"] = "QueueApiTests.A_run_that_was_given_up_is_a_dead_letter_and_goes_on_when_it_is_redriven",
        ["DELETE /api/v1/queue/dead/{id}"] = "QueueApiTests.A_purged_dead_letter_is_gone_and_its_run_stays",
    };

    [Fact]
    public async Task Routes_and_what_they_audit_are_approved()
    {
        await using var app = await TestApp.StartAsync();
        var silent = Routes(app).Where(static r => r.IsChange && r.Audit is null).Select(static r => r.Name).ToList();
        Assert.True(silent.Count == 0, $"These routes change something and do not say what they audit: {string.Join(", ", silent)}. Add .Audits(\"area.verb\"), or .AuditsNothing(\"why\").");
        Approved.Matches("tests/RootMas.Tests/Approved/audit.txt", string.Concat(Routes(app).Where(static r => r.Audit is not null)
            .Select(static r => $"{r.Name} | {r.Audit!.Action ?? "nothing: " + r.Audit.Why}\n").Distinct().Order(StringComparer.Ordinal)));
    }

    [Fact]
    public async Task Each_change_by_an_administrator_is_exactly_one_row()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var audited = Routes(world.App).Where(static r => r.Audit?.Action is not null).ToDictionary(static r => r.Name, static r => r.Audit!.Action!, StringComparer.Ordinal);
        var untested = audited.Keys.Where(static n => !Acts.ContainsKey(n) && !ProvedElsewhere.ContainsKey(n)).ToList();
        Assert.True(untested.Count == 0, $"No test makes a change by: {string.Join(", ", untested)}");
        Assert.All(ProvedElsewhere.Values, static test => Assert.True(Exists(test), $"there is no test {test}"));
        var acting = new Acting(world);
        foreach (var (route, act) in Acts)
        {
            Assert.True(audited.ContainsKey(route), $"there is no audited route {route}");
            var before = await world.App.LastRowAsync();
            await act(acting);
            var row = Assert.Single(await world.App.NewRowsAsync(before), r => r.Text("action") is not "auth.login" || audited[route] is "auth.login");
            Assert.Equal((route, audited[route], "done"), (route, row.Text("action"), row.Text("outcome")));
            Assert.NotEqual("", row.Text("actor_id"));
        }
    }

    private const string Password = "correct horse battery 7";

    /// <summary>An administrator: the local one until a login gave a token.</summary>
    private sealed class Acting(ChatWorld world)
    {
        private string? _token;

        public ChatWorld World => world;

        public string UserId { get; set; } = "";

        public string KeyId { get; set; } = "";

        public string BackupId { get; set; } = "";

        public string NoteId { get; set; } = "";

        public string RunId { get; set; } = "";

        public async Task<string> RememberAsync(string path) => (await ChangeAsync(HttpMethod.Post, path, """{"text":"We ship on Mondays"}""")).Text("id");
        public string CollectionId { get; set; } = "";

        public string SessionId { get; private set; } = "";

        public void Take(JsonElement tokens)
        {
            _token = tokens.Text("access_token");
            SessionId = JsonDocument.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(_token.Split('.')[1])).RootElement.Text("sid");
        }

        public Task<JsonElement> LogInAgainAsync() => ChangeAsync(HttpMethod.Post, "auth/login", $$"""{"username":"root","password":"{{Password}}"}""");

        public async Task<JsonElement> ChangeAsync(HttpMethod method, string path, string? body)
        {
            path = "/api/v1/" + path;
            List<(string, string)> headers = _token is null ? [] : [("Authorization", "Bearer " + _token)];
            if (method != HttpMethod.Post)
            {
                using var read = await world.App.SendAsync(HttpMethod.Get, path, null, [.. headers]);
                headers.AddRange(read.Headers.ETag is { } tag ? [("If-Match", tag.ToString())] : Array.Empty<(string, string)>());
            }

            using var response = await world.App.SendAsync(method, path, body, [.. headers]);
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode} {text}");
            return text.Length == 0 ? default : JsonElement.Parse(text);
        }

        public async Task DecideAsync()
        {
            var (status, _) = await world.TryAskAsync(new { message = "order", agent = "multi_tool" });
            Assert.Equal(HttpStatusCode.Accepted, status);
            var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
            await world.App.PostJsonAsync($"/api/v1/approvals/{approval.Text("id")}", new { decision = "deny", arguments_hash = approval.Text("arguments_hash") });
        }
    }

    private static IEnumerable<(string Name, bool IsChange, RouteAudit? Audit)> Routes(TestApp app) =>
        from endpoint in ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["ANY"]
        select ($"{method} /{endpoint.RoutePattern.RawText!.Trim('/')}", method is not ("GET" or "HEAD" or "CONNECT" or "ANY"), endpoint.Metadata.GetMetadata<RouteAudit>());

    private static bool Exists(string test) =>
        test.Split('.') is [var type, var method] && typeof(AuditedRoutesTests).Assembly.GetTypes().Any(t => t.Name == type && t.GetMethod(method) is not null);
}
