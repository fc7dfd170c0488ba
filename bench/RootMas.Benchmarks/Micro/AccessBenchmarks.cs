using System.Diagnostics;
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
using RootMas.Benchmarks.Load;
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
    private static Prepared? _server;
    private readonly MemoryLimitStore _store = new(200_000, TimeProvider.System);
    private readonly LimitKey _key = LimitKey.OfUser("POST /api/v1/chat", "0192f0c4-0000-7000-8000-000000000001");
    private readonly LimitRule _rule = LimitRule.Parse(Many);
    private long _address;

    /// <summary>The limiter alone: one compare-and-set.</summary>
    [Benchmark]
    public ValueTask<LimitResult> TakeAsync() => _store.TakeAsync(_key, _rule, 1);

    /// <summary>A key that nobody has seen: the table grows and is swept.</summary>
    [Benchmark]
    public ValueTask<LimitResult> TakeFromNewKeyAsync() => _store.TakeAsync(LimitKey.OfAddress("requests_per_address", (UInt128)_address++ << 64), _rule, 1);

    /// <summary>Authentication, limit, permission, form of the body.</summary>
    [Benchmark]
    public Task AccessTokenAsync() => _server!.Middleware.InvokeAsync(_server.AccessToken);

    [Benchmark]
    public Task ApiKeyAsync() => _server!.Middleware.InvokeAsync(_server.ApiKey);

    [Benchmark]
    public Task StrangerAsync() => _server!.Middleware.InvokeAsync(_server.Stranger);

    /// <summary>A real server with a real user, so that the credentials are checked as always. Before the benchmarks: a setup of theirs that is asynchronous would not be waited for.</summary>
    /// <param name="within">A folder that is deleted however the bench ends; null: one of its own.</param>
    internal static async Task<IAsyncDisposable> StartAsync(string? within = null)
    {
        var folder = within is null ? Directory.CreateTempSubdirectory("rootmas-micro-").FullName : Directory.CreateDirectory(Path.Combine(within, "access")).FullName;
        var app = ServerHost.Build(new ServerArguments
        {
            Urls = "http://127.0.0.1:0",
            Data = Path.Combine(folder, "data"),
            Config = Path.Combine(BenchOptions.FindRepository(), "config"),
            WorkingDirectory = folder,
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["ROOTMAS_ADMIN_USERNAME"] = "bench", ["ROOTMAS_ADMIN_PASSWORD"] = Password },
            Settings = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["Limits:Requests"] = Many, ["Limits:Reads"] = Many, ["Limits:Address"] = Many, ["Limits:Health"] = Many, ["Telemetry:LogLevel"] = "Error",
            },
        });
        await app.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
        var token = await MakeAsync(http, "/api/v1/auth/login", new { username = "bench", password = Password }, "access_token");
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        var key = await MakeAsync(http, "/api/v1/api-keys", new { name = "bench", scopes = new[] { "chat:read", "chat:write" } }, "secret");
        _server = new Prepared(
            app, folder,
            ActivatorUtilities.CreateInstance<AccessMiddleware>(app.Services, (RequestDelegate)(static _ => Task.CompletedTask)),
            Request(app, "POST", "/api/v1/chat", "chat:write", token), Request(app, "POST", "/api/v1/chat", "chat:write", key), Request(app, "GET", "/health/live", null, null));
        return _server;
    }

    /// <summary>Microseconds of one request by access token, with what stands before its handler and without: the median of batches, once the code is compiled.</summary>
    internal static async Task<(double With, double Without)> MeasureAsync(int batches)
    {
        RequestDelegate handler = static _ => Task.CompletedTask;
        var server = _server!;
        return (await MedianAsync(batches, server.Middleware.InvokeAsync, server.AccessToken), await MedianAsync(batches, context => handler(context), server.AccessToken));
    }

    private static async Task<double> MedianAsync(int batches, Func<HttpContext, Task> call, HttpContext context)
    {
        const int size = 1_000;
        var took = new List<double>(batches);
        for (var batch = 0; batch < batches; batch++)
        {
            var began = Stopwatch.GetTimestamp();
            for (var i = 0; i < size; i++)
            {
                await call(context);
            }

            took.Add(Stopwatch.GetElapsedTime(began).TotalMicroseconds / size);
        }

        return Samples.Median(took.Skip(batches / 2)); // the first half is for the compiler
    }

    private static async Task<string> MakeAsync(HttpClient http, string path, object body, string member)
    {
        using var response = await http.PostAsJsonAsync(path, body);
        var answer = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonElement.Parse(answer).GetProperty(member).GetString()! : throw new InvalidOperationException($"{path}: {(int)response.StatusCode} {answer}");
    }

    private static DefaultHttpContext Request(WebApplication app, string method, string path, string? permission, string? token)
    {
        var context = new DefaultHttpContext { RequestServices = app.Services };
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

    private sealed record Prepared(WebApplication App, string Folder, AccessMiddleware Middleware, DefaultHttpContext AccessToken, DefaultHttpContext ApiKey, DefaultHttpContext Stranger)
        : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await App.DisposeAsync();
            Directory.Delete(Folder, recursive: true);
        }
    }
}
