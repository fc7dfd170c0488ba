using System.Net;
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

    /// <summary>How a test makes one change by each route. A route that audits and stands neither here nor in <see cref="ProvedElsewhere"/> fails the test.</summary>
    private static readonly Dictionary<string, Func<ChatWorld, Task>> Acts = new(StringComparer.Ordinal)
    {
        ["POST /api/v1/agents"] = static w => ChangeAsync(w, HttpMethod.Post, "/api/v1/agents", Agent),
        ["PUT /api/v1/agents/{name}"] = static w => ChangeAsync(w, HttpMethod.Put, "/api/v1/agents/translator", Agent.Replace("cheap", "premium", StringComparison.Ordinal)),
        ["DELETE /api/v1/agents/{name}"] = static w => ChangeAsync(w, HttpMethod.Delete, "/api/v1/agents/translator", null),
        ["POST /api/v1/teams"] = static w => ChangeAsync(w, HttpMethod.Post, "/api/v1/teams", Team),
        ["PUT /api/v1/teams/{name}"] = static w => ChangeAsync(w, HttpMethod.Put, "/api/v1/teams/pair", Team.Replace("Two.", "Three.", StringComparison.Ordinal)),
        ["DELETE /api/v1/teams/{name}"] = static w => ChangeAsync(w, HttpMethod.Delete, "/api/v1/teams/pair", null),
        ["PUT /api/v1/secrets/{name}"] = static w => ChangeAsync(w, HttpMethod.Put, "/api/v1/secrets/mine", """{"value":"x"}"""),
        ["DELETE /api/v1/secrets/{name}"] = static w => ChangeAsync(w, HttpMethod.Delete, "/api/v1/secrets/mine", null),
        ["DELETE /api/v1/conversations/{id}"] = static async w => await ChangeAsync(w, HttpMethod.Delete, $"/api/v1/conversations/{await w.NewConversationAsync()}", null),
        ["POST /api/v1/approvals/{id}"] = DecideAsync,
        ["GET /api/v1/logs"] = static w => w.App.GetJsonAsync("/api/v1/logs"),
    };

    /// <summary>Acts that need a state which another test makes.</summary>
    private static readonly Dictionary<string, string> ProvedElsewhere = new(StringComparer.Ordinal)
    {
        ["POST /api/v1/runs/{id}/resolve"] = "LostRunTests.A_resolved_review_is_a_row",
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
        foreach (var (route, act) in Acts)
        {
            var before = await world.App.LastRowAsync();
            await act(world);
            var row = Assert.Single(await world.App.NewRowsAsync(before));
            Assert.Equal((route, audited[route], "done"), (route, row.Text("action"), row.Text("outcome")));
            Assert.NotEqual("", row.Text("actor_id"));
        }
    }

    private static async Task ChangeAsync(ChatWorld world, HttpMethod method, string path, string? body)
    {
        using var read = await world.App.Client.GetAsync(path);
        (string, string)[] headers = read.Headers.ETag is { } tag ? [("If-Match", tag.ToString())] : [];
        using var response = await world.App.SendAsync(method, path, body, headers);
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
    }

    private static async Task DecideAsync(ChatWorld world)
    {
        var (status, _) = await world.TryAskAsync(new { message = "order", agent = "multi_tool" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        await world.App.PostJsonAsync($"/api/v1/approvals/{approval.Text("id")}", new { decision = "deny", arguments_hash = approval.Text("arguments_hash") });
    }

    private static IEnumerable<(string Name, bool IsChange, RouteAudit? Audit)> Routes(TestApp app) =>
        from endpoint in ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["ANY"]
        select ($"{method} {endpoint.RoutePattern.RawText}", method is not ("GET" or "HEAD" or "ANY"), endpoint.Metadata.GetMetadata<RouteAudit>());

    private static bool Exists(string test) =>
        test.Split('.') is [var type, var method] && typeof(AuditedRoutesTests).Assembly.GetTypes().Any(t => t.Name == type && t.GetMethod(method) is not null);
}
