using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using RootMas.LlmSimulator;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Canary;

/// <summary>A server in which every secret and every user's words carry a mark that can be searched for.</summary>
internal sealed class CanaryWorld : IAsyncDisposable
{
    public const string ProviderKey = "sk-canary-provider-5f1c";
    public const string SearchKey = "canary-search-key-77a1";
    public const string HttpSecret = "canary-http-credential-0b3d";
    public const string Stored = "canary-stored-secret-c4e9";
    public const string AlicePassword = "canary password of alice 31";
    public const string BobPassword = "canary password of bob 84";

    private readonly List<string> _secrets = [ProviderKey, SearchKey, HttpSecret, Stored, AlicePassword, BobPassword];

    private CanaryWorld(TestApp app, LoopbackServer models) => (App, Models) = (app, models);

    public TestApp App { get; }

    public LoopbackServer Models { get; }

    /// <summary>Everything that nobody may ever see again.</summary>
    public IReadOnlyList<string> Secrets => _secrets;

    public string AliceToken { get; private set; } = "";

    public string BobToken { get; private set; } = "";

    /// <summary>Ids of what alice owns, and of what everybody knows the name of: whatever stands in braces in a route is tried with each.</summary>
    public List<string> Ids { get; } = ["researcher", "root-mas", "stored", "swagger-ui.css"];

    public static string AliceWord => "alices-canary-word-91";

    public static string BobWord => "bobs-canary-word-17";

    public static async Task<CanaryWorld> StartAsync(string logLevel, string environment)
    {
        // A provider that quotes the key in its refusal, as some do.
        var models = await LoopbackServer.StartAsync(static async context =>
        {
            context.Response.StatusCode = 401;
            context.Response.ContentType = "application/json";
            var key = context.Request.Headers.Authorization.ToString();
            await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new { error = new { message = "Incorrect API key provided: " + key, type = "invalid_request_error", code = "invalid_api_key", param = key } }));
        });
        var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Server:Environment"] = environment;
            o.Settings["Telemetry:LogLevel"] = logLevel;
            o.Settings["Telemetry:LogRing"] = "100000";
            o.Settings["Tools:Search:ApiKey"] = SearchKey;
            o.Settings["Tools:Search:Kind"] = "brave";
            o.Settings["Tools:Http:Credentials:shop"] = $"https://shop.example.org/v1 Authorization: Bearer {HttpSecret}";
            o.Environment["CANARY_KEY"] = ProviderKey;
            o.ConfigFiles["models.yaml"] = $$"""
                providers:
                  quoting: { base_url: "{{models.Url}}v1", api_key_env: CANARY_KEY, attempts: 1 }
                models:
                  big: { provider: quoting, free: true }
                tiers:
                  cheap: [big]
                  standard: [big]
                  premium: [big]
                """;
        });
        var world = new CanaryWorld(app, models);
        await world.PlantAsync();
        return world;
    }

    /// <summary>Every route that is read, with the parts of its address.</summary>
    public IReadOnlyList<string> ReadRoutes() =>
    [
        .. ((IEndpointRouteBuilder)App.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(static e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains("GET") is not false)
            .Select(static e => "/" + e.RoutePattern.RawText!.TrimStart('/')).Distinct(StringComparer.Ordinal),
    ];

    /// <summary>The text of an answer with its headers; null token: nobody, empty: the local administrator.</summary>
    public async Task<string> ReadAsync(string path, string? token, string accept)
    {
        using var client = App.NewClient(null);
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd(accept);
        request.Headers.Authorization = token switch { null => null, "" => App.Client.DefaultRequestHeaders.Authorization, _ => new("Bearer", token) };
        using var response = await client.SendAsync(request);
        return $"{response.Headers}{response.Content.Headers}{await response.Content.ReadAsStringAsync()}";
    }

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await Models.DisposeAsync();
    }

    private async Task PlantAsync()
    {
        _secrets.Add((await File.ReadAllTextAsync(Path.Combine(App.Data, "setup-token"))).Trim());
        _secrets.Add(App.Client.DefaultRequestHeaders.Authorization!.Parameter!);
        await App.PostJsonAsync("/api/v1/users", new { username = "alice", role = "user", password = AlicePassword }, HttpStatusCode.Created);
        await App.PostJsonAsync("/api/v1/users", new { username = "bob", role = "user", password = BobPassword }, HttpStatusCode.Created);
        using var put = await App.SendAsync(HttpMethod.Put, "/api/v1/secrets/stored", JsonSerializer.Serialize(new { value = Stored }));
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        AliceToken = await LogInAsync("alice", AlicePassword);
        BobToken = await LogInAsync("bob", BobPassword);
        await SpeakAsync(AliceToken, AliceWord, Ids);
        await SpeakAsync(BobToken, BobWord, []);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(App.Data, "keys")))
        {
            _secrets.Add((await File.ReadAllTextAsync(file)).Trim());
        }

        using var wrong = await App.SendAsync(HttpMethod.Post, "/api/v1/auth/login", """{"username":"alice","password":"canary wrong password 5"}""");
        _secrets.Add("canary wrong password 5");
    }

    private async Task<string> LogInAsync(string name, string password)
    {
        var tokens = await App.PostJsonAsync("/api/v1/auth/login", new { username = name, password });
        _secrets.Add(tokens.Text("access_token"));
        _secrets.Add(tokens.Text("refresh_token"));
        return tokens.Text("access_token");
    }

    private async Task SpeakAsync(string token, string word, List<string> ids)
    {
        var conversation = await PostAsync(token, "/api/v1/conversations", new { title = "About " + word });
        ids.Add(conversation.Text("id"));
        var run = await PostAsync(token, $"/api/v1/conversations/{conversation.Text("id")}/runs", new { message = "Say " + word, metadata = new { note = word } });
        ids.Add(run.Text("run_id"));
        using var client = App.NewClient(null);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/runs/{run.Text("run_id")}/cancel");
        request.Headers.Authorization = new("Bearer", token);
        using var cancelled = await client.SendAsync(request);
        await ReadAsync($"/api/v1/runs/{run.Text("run_id")}/events?after=0", token, "text/event-stream");
        var key = await PostAsync(token, "/api/v1/api-keys", new { name = "a key" });
        ids.Add(key.Text("id"));
        _secrets.Add(key.Text("secret"));
    }

    private async Task<JsonElement> PostAsync(string token, string path, object body)
    {
        using var response = await App.SendAsync(HttpMethod.Post, path, JsonSerializer.Serialize(body), ("Authorization", "Bearer " + token));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{path}: {(int)response.StatusCode} {text}");
        return JsonElement.Parse(text);
    }
}
