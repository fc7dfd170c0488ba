using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Limits;

/// <summary>The access middleware with a clock of the test's own and credentials that are what the test says.</summary>
internal sealed class AccessPipeline : ICallers
{
    private static readonly IServiceProvider NoServices = new ServiceCollection().BuildServiceProvider();
    private readonly AccessMiddleware _middleware;

    public AccessPipeline(LimitOptions options, ServerOptions? server = null)
    {
        Limiter = new RequestLimiter(options, new MemoryLimitStore(options.MaxKeys, Clock));
        _middleware = new AccessMiddleware(context => Handle(context), this, Limiter, new OpenStreams(options, server ?? new ServerOptions()));
    }

    public SteppedClock Clock { get; } = new();

    public RequestLimiter Limiter { get; }

    /// <summary>What the handler answers, or waits for.</summary>
    public Func<HttpContext, Task> Handle { get; set; } = static _ => Task.CompletedTask;

    public Problem Nobody => Problems.Unauthorized("authentication_required", "Log in.");

    public ValueTask<Authentication> AuthenticateAsync(HttpContext context, string token) => ResolveAsync(context);

    public static Caller User(string id, string role = "user", IReadOnlyDictionary<string, long>? limits = null) => new()
    {
        UserId = id,
        Username = id,
        Role = role,
        Permissions = new HashSet<string>(StringComparer.Ordinal) { "*" },
        Credential = CredentialKind.AccessToken,
        Limits = limits,
    };

    public static Endpoint Route(string method, string path, string? permission = "chat:write", params object[] metadata) =>
        new RouteEndpointBuilder(static _ => Task.CompletedTask, RoutePatternFactory.Parse(path), 0)
        {
            Metadata = { new HttpMethodMetadata([method]), new RoutePermission(permission) },
            DisplayName = $"{method} {path}",
        }.With(metadata).Build();

    /// <summary>One request; <paramref name="who"/> null: without credentials.</summary>
    public async Task<Answer> SendAsync(Endpoint? route, object? who = null, string address = "198.51.100.1", string? accept = null)
    {
        var context = new DefaultHttpContext { Response = { Body = new MemoryStream() }, RequestServices = NoServices };
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        context.Request.Path = (route as RouteEndpoint)?.RoutePattern.RawText ?? "/nothing";
        context.Request.Method = route?.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods[0] ?? "GET";
        context.Request.Headers.Accept = accept;
        context.SetEndpoint(route);
        context.Items["who"] = who;
        var edge = RequestEdge.Begin(context, new ClientOrigins([]).Apply(context));
        await _middleware.InvokeAsync(context);
        var body = ((MemoryStream)context.Response.Body).ToArray();
        return new Answer(context.Response.StatusCode, edge.RateLimit, context.Response.Headers.RetryAfter, body.Length == 0 ? default : JsonElement.Parse(body));
    }

    public ValueTask<Authentication> ResolveAsync(HttpContext context) => ValueTask.FromResult(context.Items["who"] switch
    {
        Caller caller => (Authentication)caller,
        Problem refusal => refusal,
        _ => default,
    });

    /// <param name="Limits">What the headers say; null: nothing, which must not be.</param>
    public sealed record Answer(int Status, RateLimitState? Limits, string? RetryAfter, JsonElement Body)
    {
        public string? Limit => Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("limit", out var limit) ? limit.GetString() : null;
    }
}

internal static class EndpointBuilders
{
    public static RouteEndpointBuilder With(this RouteEndpointBuilder builder, object[] metadata)
    {
        foreach (var one in metadata)
        {
            builder.Metadata.Add(one);
        }

        return builder;
    }
}
