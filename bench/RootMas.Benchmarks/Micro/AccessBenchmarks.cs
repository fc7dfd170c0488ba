using System.Net;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Benchmarks.Micro;

/// <summary>What every request passes before its handler: who calls, how often, whether it is allowed. The aim is less than 50 µs together.</summary>
[MemoryDiagnoser]
public class AccessBenchmarks : ICallers
{
    private static readonly LimitOptions Options = new() { Requests = "999999999/1s", Reads = "999999999/1s", Address = "999999999/1s" };
    private readonly MemoryLimitStore _store = new(200_000, TimeProvider.System);
    private readonly LimitKey _key = LimitKey.OfUser("POST /api/v1/chat", "0192f0c4-0000-7000-8000-000000000001");
    private readonly LimitRule _rule = LimitRule.PerMinute(999_999_999);
    private readonly DefaultHttpContext _known = new();
    private readonly DefaultHttpContext _stranger = new();
    private Caller? _caller;
    private AccessMiddleware _on = null!;
    private AccessMiddleware _off = null!;
    private long _user;

    [GlobalSetup]
    public void Setup()
    {
        _caller = new Caller
        {
            UserId = "0192f0c4-0000-7000-8000-000000000001",
            Username = "alice",
            Role = "user",
            Permissions = new HashSet<string>(["chat:read", "chat:write", "agents:read"], StringComparer.Ordinal),
            Credential = CredentialKind.AccessToken,
        };
        _on = Middleware(Options);
        _off = Middleware(Options with { Enabled = false });
        Prepare(_known, "POST", "/api/v1/chat", "chat:write");
        Prepare(_stranger, "GET", "/health/live", null);
    }

    /// <summary>The limiter alone: one compare-and-set.</summary>
    [Benchmark]
    public ValueTask<LimitResult> TakeAsync() => _store.TakeAsync(_key, _rule, 1);

    /// <summary>A key that nobody has seen: the table grows and is swept.</summary>
    [Benchmark]
    public ValueTask<LimitResult> TakeFromNewKeyAsync() => _store.TakeAsync(LimitKey.OfAddress("requests_per_address", (UInt128)_user++ << 64), _rule, 1);

    /// <summary>The whole middleware for a user whose credential is known: limit, permission, form of the body.</summary>
    [Benchmark]
    public Task KnownUserAsync() => _on.InvokeAsync(_known);

    [Benchmark]
    public Task KnownUserWithoutLimitsAsync() => _off.InvokeAsync(_known);

    [Benchmark]
    public Task StrangerAsync() => _on.InvokeAsync(_stranger);

    public ValueTask<Authentication> ResolveAsync(HttpContext context) => ValueTask.FromResult(ReferenceEquals(context, _known) ? _caller! : default(Authentication));

    private AccessMiddleware Middleware(LimitOptions options) =>
        new(static _ => Task.CompletedTask, this, new RequestLimiter(options, _store), new OpenStreams(options, new ServerOptions()));

    private static void Prepare(DefaultHttpContext context, string method, string path, string? permission)
    {
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        context.Request.Method = method;
        context.Request.Path = path;
        RequestEdge.Begin(context, new ClientOrigins([]).Apply(context));
        context.SetEndpoint(new RouteEndpointBuilder(static _ => Task.CompletedTask, RoutePatternFactory.Parse(path), 0)
        {
            Metadata = { new HttpMethodMetadata([method]), new RoutePermission(permission) },
        }.Build());
    }
}
