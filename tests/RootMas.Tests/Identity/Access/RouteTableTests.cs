using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Chat;
using RootMas.Tests.Platform.BadInput;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary>
/// Every route, with every kind of credential, for own, foreign, deleted and malformed ids. The table is made from the routes of the running server: a new route is in it without anybody's doing,
/// and one with an id whose kind nobody described here fails.
/// </summary>
public sealed class RouteTableTests : IAsyncLifetime
{
    /// <summary>What an id in an address names, by the beginning of the address. Shared: the same for everybody.</summary>
    private static readonly Dictionary<string, string> Kinds = new(StringComparer.Ordinal)
    {
        ["/api/v1/runs/{id}"] = "run",
        ["/api/v1/conversations/{id}"] = "conversation",
        ["/api/v1/messages/{id}"] = "message",
        ["/api/v1/approvals/{id}"] = "approval",
        ["/api/v1/api-keys/{id}"] = "key",
        ["/api/v1/documents/{id}"] = "document",
        ["/api/v1/collections/{id}"] = "collection",
        ["/api/v1/memory/{id}"] = "fact",
        ["/api/v1/memory/team/notes/{id}"] = "shared",
        ["/api/v1/auth/sessions/{id}"] = "session",
        ["/api/v1/users/{id}/sessions/{session}"] = "shared", // two ids: UserSessionsTests
        ["/api/v1/users/{id}/api-keys/{key}"] = "shared", // two ids: UserApiKeysTests
        ["/api/v1/users/{id}"] = "user",
        ["/api/v1/agents/{name}"] = "shared",
        ["/api/v1/teams/{name}"] = "shared",
        ["/v1/models/{model}"] = "shared",
        ["/api/v1/keys/{id}"] = "shared",
        ["/api/v1/secrets/{name}"] = "shared",
        ["/api/v1/queue/dead/{id}"] = "shared",
        ["/api/v1/backups/{id}"] = "shared",
        ["/api/v1/models/{id}"] = "shared",
        ["/docs/{file}"] = "shared",

        // Pages of the web app: the same page for everybody; what it shows comes through the API.
        ["/c/{id}"] = "shared",
        ["/runs/{id}"] = "shared",
        ["/team/agents/{name}"] = "shared",
        ["/team/teams/{name}"] = "shared",
        ["/documents/{id}"] = "shared",
        ["/admin/{section}"] = "shared",
        ["/assets/{file}"] = "shared",
    };

    /// <summary>Where a permission is not enough: who is refused all the same, and by which code.</summary>
    private static readonly Dictionary<(string Route, string Who), string> AlsoRefused = new()
    {
        [("POST /api/v1/api-keys", "key")] = "login_required",
        [("POST /api/v1/api-keys", "service")] = "login_required",
        [("POST /api/v1/api-keys", "readonly")] = "scope_not_allowed", // the example asks for chat:write
        [("DELETE /api/v1/api-keys/{id}", "key")] = "login_required",
        [("DELETE /api/v1/api-keys/{id}", "service")] = "login_required",
        [("POST /api/v1/approvals/{id}", "service")] = "people_only",
    };

    /// <summary>Routes whose administrators reach what is somebody else's.</summary>
    private static readonly HashSet<string> AdminsReachOthers =
    [
        "GET /api/v1/runs/{id}", "GET /api/v1/runs/{id}/events", "POST /api/v1/runs/{id}/cancel", "DELETE /api/v1/runs/{id}/share", "POST /api/v1/approvals/{id}",
    ];

    /// <summary>They end the sessions that this table needs.</summary>
    private static readonly HashSet<string> EndsTheSession = ["POST /api/v1/auth/logout", "POST /api/v1/keys/rotate", "DELETE /api/v1/auth/sessions"];

    /// <summary>Public because there is a second way in; who comes by the first is judged as elsewhere.</summary>
    private static readonly HashSet<string> GuardsItself = ["POST /api/v1/auth/token"];

    /// <summary>Routes whose answers somebody between could keep and give to others.</summary>
    private readonly SortedSet<string> _kept = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HttpClient> _clients = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Caller?> _who = new(StringComparer.Ordinal);
    private ChatWorld _world = null!;
    private IReadOnlyList<ApiOperation> _described = [];
    private Dictionary<string, string> _bobs = [];
    private Dictionary<string, string> _gone = [];

    public async Task InitializeAsync()
    {
        _world = await ChatWorld.StartAsync("""
            default: { text: "Hello." }
            rules:
              - match: { last_role: user, last_user: "order" }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "http://127.0.0.1:9/x", json: { n: 1 } } } ] }
            """);
        var app = _world.App;
        _described = ApiOperation.Read((await app.GetJsonAsync("/openapi/v1.json")).Clone());
        using var bob = await app.AsAsync("bob");
        _bobs = await OwnAsync(bob);
        _gone = await GoneAsync(bob);
        foreach (var role in Permissions.Roles)
        {
            var user = await app.AsAsync($"{role}-1", role);
            Add(role, user.Client, new Caller { UserId = user.Id, Username = user.Username, Role = role, Permissions = Permissions.OfRole(role), Credential = CredentialKind.AccessToken });
        }

        var ann = await app.AsAsync("ann");
        var key = await ann.PostAsync("/api/v1/api-keys", new { name = "k", scopes = new[] { "chat:read" } }, HttpStatusCode.Created);
        Add("key", app.NewClient(key.GetProperty("secret").GetString()), Caller(ann, Permissions.Of("user", ["chat:read"]), CredentialKind.ApiKey));
        var token = await app.PostJsonAsync("/api/v1/auth/token", new { user_id = "ann" });
        Add("service", app.NewClient(token.GetProperty("access_token").GetString()), Caller(ann, Permissions.OfRole("user"), CredentialKind.ServiceToken));
        Add("nobody", app.NewClient(null), null);
    }

    public async Task DisposeAsync() => await _world.DisposeAsync();

    [Fact]
    public async Task Every_route_answers_each_kind_of_credential_as_its_permission_says()
    {
        var wrong = new List<string>();
        foreach (var route in Routes())
        {
            Assert.True(!route.HasId || route.Kind is not null, $"{route.Name}: say in {nameof(Kinds)} what its id names.");
            foreach (var (who, client) in _clients)
            {
                foreach (var (name, id) in IdsFor(route))
                {
                    var (status, code) = await AskAsync(client, route, id);
                    if (Complaint(route, who, name, status, code) is { } complaint)
                    {
                        wrong.Add(string.Create(CultureInfo.InvariantCulture, $"{route.Name} as {who} ({name} id): {status} {code}; {complaint}"));
                    }
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.Empty(_kept);
    }

    [Fact]
    public async Task What_is_ones_own_is_found()
    {
        using var ann = await _world.App.AsAsync("own");
        var own = await OwnAsync(ann);

        // What others hang on goes last: with a conversation go its runs, a few seconds later.
        var missing = new List<string>();
        foreach (var route in Routes().Where(r => r.Kind is not (null or "shared" or "user") && Permissions.Allows(Permissions.OfRole("user"), r.Permission ?? "signed-in")).OrderBy(r => r.Method == HttpMethod.Delete).ThenBy(static r => r.Kind switch { "conversation" => 1, "session" => 2, _ => 0 }))
        {
            var (status, code) = await AskAsync(ann.Client, route, own[route.Kind!]);
            if (status is 401 or 403 or 404 or >= 500)
            {
                missing.Add(string.Create(CultureInfo.InvariantCulture, $"{route.Name}: {status} {code}"));
            }
        }

        Assert.True(missing.Count == 0, string.Join('\n', missing));
        Assert.Empty(_kept);
    }

    [Fact]
    public void Every_permission_of_a_route_is_one_that_scopes_can_name() =>
        Assert.DoesNotContain(Routes().Select(r => r.Permission).OfType<string>(), p => p != Permissions.SignedIn && !Permissions.All.Contains(p));

    private string? Complaint(Route route, string who, string idName, int status, string? code)
    {
        if (status >= 500 || status == 0)
        {
            return "never the server's fault";
        }

        if (route.Permission is null)
        {
            return status == 403 && !GuardsItself.Contains(route.Name) ? "a public route forbids nothing by role" : null;
        }

        if (_who[who] is not { } caller)
        {
            return status == (route.IsSocket ? 426 : 401) ? null : "nobody gets in";
        }

        if (!caller.May(route.Permission))
        {
            return (status, code) == (403, "permission_missing") ? null : "the permission is missing";
        }

        if (AlsoRefused.TryGetValue((route.Name, who), out var expected))
        {
            return (status, code) == (403, expected) ? null : $"expected 403 {expected}";
        }

        if (status is 401 or 403)
        {
            return "the permission is there";
        }

        return route.Kind is null or "shared" ? null : Reach(route, caller, idName, status);
    }

    private static string? Reach(Route route, Caller caller, string idName, int status)
    {
        var reaches = caller.IsAdmin && idName == "foreign" && (route.Kind == "user" || AdminsReachOthers.Contains(route.Name));
        return reaches
            ? status == 404 ? "administrators reach this" : null
            : status is 404 or 400 ? null : "what is not one's own is 404";
    }

    private IEnumerable<(string Name, string Id)> IdsFor(Route route)
    {
        if (!route.HasId)
        {
            return [("no", "")];
        }

        if (route.Kind == "shared")
        {
            return [("unknown", "no-such-thing"), ("malformed", "%22%3E..%5C")];
        }

        return [("foreign", _bobs[route.Kind!]), ("deleted", _gone.GetValueOrDefault(route.Kind!, Guid.CreateVersion7().ToString())), ("malformed", "%22%3E..%5C"), ("long", new string('a', 2000))];
    }

    private async Task<(int Status, string? Code)> AskAsync(HttpClient client, Route route, string id)
    {
        using var request = new HttpRequestMessage(route.Method, route.PathWith(id));
        request.Headers.TryAddWithoutValidation("If-Match", "\"0\"");
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        var body = _described.FirstOrDefault(o => o.Method == route.Method && o.Template.TrimEnd('/') == route.Template.TrimEnd('/'))?.Body;
        body = (System.Text.Json.Nodes.JsonObject?)body?.DeepClone();
        body?.Remove("user_id"); // whom one may name is a table of its own: SubjectsTests
        if (route.Method != HttpMethod.Get && route.Method != HttpMethod.Delete)
        {
            request.Content = new StringContent(body?.ToJsonString() ?? "{}", Encoding.UTF8, "application/json");
        }

        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (answer.IsSuccessStatusCode && (route.Permission is not null || route.Template.StartsWith("/api/", StringComparison.Ordinal)) && answer.Headers.CacheControl is not ({ NoStore: true } or { Private: true }))
        {
            _kept.Add(route.Name);
        }

        if (request.Method == HttpMethod.Head || answer.Content.Headers.ContentType?.MediaType is not ("application/problem+json" or "application/json"))
        {
            return ((int)answer.StatusCode, null);
        }

        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        var problem = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object ? error : json;
        return ((int)answer.StatusCode, problem.ValueKind == JsonValueKind.Object && problem.TryGetProperty("code", out var code) ? code.ToString() : null);
    }

    private List<Route> Routes()
    {
        var routes = from endpoint in ((IEndpointRouteBuilder)_world.App.App).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
                     from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]
                     where method != "CONNECT" // sockets over HTTP/2 (TlsTests); by GET they are here
                     let template = "/" + endpoint.RoutePattern.RawText!.Trim('/')
                     select new Route(HttpMethod.Parse(method), template, endpoint.Metadata.GetMetadata<RoutePermission>()!.Name,
                         Kinds.FirstOrDefault(k => template == k.Key || template.StartsWith(k.Key + "/", StringComparison.Ordinal)).Value,
                         endpoint.Metadata.GetMetadata<LateAuthentication>() is not null);
        return [.. routes.Where(r => !EndsTheSession.Contains(r.Name))];
    }

    private static async Task<Dictionary<string, string>> OwnAsync(TestUser user)
    {
        var answer = await user.PostAsync("/api/v1/chat", new { message = "Hi", team = "solo" });
        var conversation = answer.GetProperty("conversation_id").GetString()!;
        var messages = (await user.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items").EnumerateArray();
        await user.PostAsync("/api/v1/chat", new { message = "order", agent = "multi_tool" }, HttpStatusCode.Accepted);
        var key = await user.PostAsync("/api/v1/api-keys", new { name = "k" }, HttpStatusCode.Created);
        var document = await TestUser.JsonAsync(await user.Client.PostAsync("/api/v1/documents?name=a.txt", new StringContent("A text.")), HttpStatusCode.Created);
        var fact = await user.PostAsync("/api/v1/memory", new { text = $"I am {user.Username} and like tea" }, HttpStatusCode.Created);
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["run"] = answer.GetProperty("run_id").GetString()!,
            ["conversation"] = conversation,
            ["message"] = messages.First(m => m.GetProperty("role").GetString() == "assistant").GetProperty("id").GetString()!,
            ["approval"] = (await user.GetAsync("/api/v1/approvals")).GetProperty("items")[0].GetProperty("id").GetString()!,
            ["key"] = key.GetProperty("id").GetString()!,
            ["session"] = (await user.GetAsync("/api/v1/auth/sessions")).GetProperty("items")[0].GetProperty("id").GetString()!,
            ["user"] = user.Id,
            ["fact"] = fact.GetProperty("id").GetString()!,
            ["document"] = document.GetProperty("id").GetString()!,
            ["collection"] = document.GetProperty("collection_id").GetString()!,
        };
    }

    /// <summary>What was there and is not any more.</summary>
    private static async Task<Dictionary<string, string>> GoneAsync(TestUser user)
    {
        var made = await user.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created);
        var conversation = made.GetProperty("id").GetString()!;
        using var read = await user.Client.GetAsync($"/api/v1/conversations/{conversation}");
        using var delete = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/conversations/{conversation}");
        delete.Headers.TryAddWithoutValidation("If-Match", read.Headers.ETag!.ToString());
        Assert.True((await user.Client.SendAsync(delete)).IsSuccessStatusCode);
        var key = (await user.PostAsync("/api/v1/api-keys", new { name = "gone" }, HttpStatusCode.Created)).GetProperty("id").GetString()!;
        Assert.True((await user.Client.DeleteAsync($"/api/v1/api-keys/{key}")).IsSuccessStatusCode);
        return new Dictionary<string, string>(StringComparer.Ordinal) { ["conversation"] = conversation, ["key"] = key };
    }

    private void Add(string who, HttpClient client, Caller? caller) => (_clients[who], _who[who]) = (client, caller);

    private static Caller Caller(TestUser user, IReadOnlySet<string> permissions, CredentialKind credential) =>
        new() { UserId = user.Id, Username = user.Username, Role = "user", Permissions = permissions, Credential = credential };

    /// <param name="Permission">Null: public.</param>
    /// <param name="Kind">What its id names; null: it has none, or nobody said.</param>
    private sealed record Route(HttpMethod Method, string Template, string? Permission, string? Kind, bool IsSocket)
    {
        public string Name => $"{Method} {Template}";

        public bool HasId => Template.Contains('{', StringComparison.Ordinal);

        public string PathWith(string id) => string.Join('/', Template.Split('/').Select(p => p.StartsWith('{') ? id : p.Contains('{', StringComparison.Ordinal) ? "x.svg" : p));
    }
}
