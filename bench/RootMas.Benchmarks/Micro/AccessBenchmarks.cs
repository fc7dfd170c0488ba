using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Benchmarks.Micro;

/// <summary>What every request passes before its handler: who calls, how often, whether it is allowed. The aim is less than 50 µs together, at the median.</summary>
[MemoryDiagnoser]
public class AccessBenchmarks
{
    private const string Many = "999999999/1s";
    private const string Password = "a long passphrase for one benchmark";
    private readonly string _folder = Directory.CreateTempSubdirectory("rootmas-micro-").FullName;
    private readonly MemoryLimitStore _store = new(200_000, TimeProvider.System);
    private readonly LimitKey _key = LimitKey.OfUser("POST /api/v1/chat", "0192f0c4-0000-7000-8000-000000000001");
    private readonly LimitRule _rule = LimitRule.Parse(Many);
    private WebApplication _app = null!;
    private AccessMiddleware _middleware = null!;
    private DefaultHttpContext _accessToken = null!;
    private DefaultHttpContext _apiKey = null!;
    private DefaultHttpContext _stranger = null!;
    private long _address;

    /// <summary>A real server with a real user, so that the credentials are checked as always.</summary>
    [GlobalSetup]
    public async Task SetupAsync()
    {
        _app = ServerHost.Build(new ServerArguments
        {
            Urls = "http://127.0.0.1:0",
            Data = Path.Combine(_folder, "data"),
            Config = Path.Combine(BenchOptions.FindRepository(), "config"),
            WorkingDirectory = _folder,
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["ROOTMAS_ADMIN_USERNAME"] = "bench", ["ROOTMAS_ADMIN_PASSWORD"] = Password },
            Settings = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["Limits:Requests"] = Many, ["Limits:Reads"] = Many, ["Limits:Address"] = Many, ["Limits:Health"] = Many, ["Telemetry:LogLevel"] = "Error",
            },
        });
        await _app.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
        using var login = await http.PostAsJsonAsync("/api/v1/auth/login", new { username = "bench", password = Password });
        var token = (await login.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("access_token").GetString()!;
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        using var made = await http.PostAsJsonAsync("/api/v1/api-keys", new { name = "bench", scopes = new[] { "chat:read", "chat:write" } });
        var key = (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("secret").GetString()!;

        _middleware = ActivatorUtilities.CreateInstance<AccessMiddleware>(_app.Services, (RequestDelegate)(static _ => Task.CompletedTask));
        _accessToken = Request("POST", "/api/v1/chat", "chat:write", token);
        _apiKey = Request("POST", "/api/v1/chat", "chat:write", key);
        _stranger = Request("GET", "/health/live", null, null);
    }

    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The limiter alone: one compare-and-set.</summary>
    [Benchmark]
    public ValueTask<LimitResult> TakeAsync() => _store.TakeAsync(_key, _rule, 1);

    /// <summary>A key that nobody has seen: the table grows and is swept.</summary>
    [Benchmark]
    public ValueTask<LimitResult> TakeFromNewKeyAsync() => _store.TakeAsync(LimitKey.OfAddress("requests_per_address", (UInt128)_address++ << 64), _rule, 1);

    /// <summary>Authentication, limit, permission, form of the body.</summary>
    [Benchmark]
    public Task AccessTokenAsync() => _middleware.InvokeAsync(_accessToken);

    [Benchmark]
    public Task ApiKeyAsync() => _middleware.InvokeAsync(_apiKey);

    [Benchmark]
    public Task StrangerAsync() => _middleware.InvokeAsync(_stranger);

    private DefaultHttpContext Request(string method, string path, string? permission, string? token)
    {
        var context = new DefaultHttpContext { RequestServices = _app.Services };
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        context.Request.Method = method;
        context.Request.Path = path;
        context.Request.Headers.Authorization = token is null ? default : $"Bearer {token}";
        RequestEdge.Begin(context, new ClientOrigins([]).Apply(context));
        context.SetEndpoint(new RouteEndpointBuilder(static _ => Task.CompletedTask, RoutePatternFactory.Parse(path), 0)
        {
            Metadata = { new HttpMethodMetadata([method]), new RoutePermission(permission) },
        }.Build());
        return context;
    }
}
