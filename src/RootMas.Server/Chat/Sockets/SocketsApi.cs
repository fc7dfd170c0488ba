using System.Net.WebSockets;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat.Sockets;

/// <summary>The two WebSockets. A foreign <c>Origin</c> never gets this far: it is refused for every route.</summary>
internal static class SocketsApi
{
    /// <summary>HTTP/2 has no upgrades: there a browser asks by CONNECT (RFC 8441).</summary>
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Connect];

    private static readonly WebSocketOptions Options = new() { KeepAliveInterval = TimeSpan.FromSeconds(15), KeepAliveTimeout = TimeSpan.FromSeconds(30) };

    public static void Map(IEndpointRouteBuilder routes)
    {
        MapSocket(routes, "/ws", static (server, channel, identity, _) => server.Chat(channel, identity));
        MapSocket(routes, "/ws/visualization", static (server, channel, identity, query) => server.Visualization(channel, identity, query["working"] == "true"));
    }

    private static void MapSocket(IEndpointRouteBuilder routes, string path, Func<SocketServer, SocketChannel, SocketIdentity, IQueryCollection, SocketSession> serve)
    {
        var pipeline = routes.CreateApplicationBuilder();
        pipeline.UseWebSockets(Options);
        pipeline.Run(context => AcceptAsync(context, serve));
        routes.MapMethods(path, Methods, pipeline.Build()).RequirePermission("chat:read").AuthenticatesByFrame().AttachesStream(StreamKind.Socket).ExcludeFromDescription();
    }

    private static async Task AcceptAsync(HttpContext context, Func<SocketServer, SocketChannel, SocketIdentity, IQueryCollection, SocketSession> serve)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.Headers.Upgrade = "websocket";
            await ProblemWriter.WriteAsync(context, Problems.Of(426, "upgrade_required", "This is a WebSocket: connect with an upgrade."));
            return;
        }

        if (context.Features.Get<Caller>() is { Credential: CredentialKind.Cookie } && !IsOwnPage(context.Request))
        {
            await ProblemWriter.WriteAsync(context, Problems.Forbidden("foreign_origin", "A session cookie opens a socket only from this server's own pages, which send their Origin."));
            return;
        }

        var services = context.RequestServices;
        var server = services.GetRequiredService<SocketServer>();
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        await using var channel = new SocketChannel(socket, context.RequestAborted);
        await using var _ = server.Stopping.Register(() => channel.Close(SocketChannel.ServiceRestart, "The server restarts. Connect again and subscribe after the last event you have."));
        await using var identity = new SocketIdentity(
            channel, context, services.GetRequiredService<ICallers>(), services.GetRequiredService<Subjects>(), services.GetRequiredService<OpenStreams>(),
            services.GetRequiredService<TimeProvider>());
        await serve(server, channel, identity, context.Request.Query).RunAsync();
    }

    /// <summary>Stricter than for other requests: also an origin that CORS allows, and a missing one, is not ours.</summary>
    private static bool IsOwnPage(HttpRequest request) => request.Headers.Origin is [{ } origin] && WebOrigin.IsOwn(origin, request);
}

/// <summary>What sockets are made of.</summary>
internal sealed class SocketServer(IChatService chat, RequestLimiter limiter, FlowSources sources, IHostApplicationLifetime lifetime, ILogger<SocketServer> logger)
{
    public CancellationToken Stopping => lifetime.ApplicationStopping;

    public ChatSocket Chat(SocketChannel channel, SocketIdentity identity) => new(channel, identity, chat, limiter, logger);

    public VisualizationSocket Visualization(SocketChannel channel, SocketIdentity identity, bool working) => new(channel, identity, chat, limiter, logger, sources) { ShowsWorking = working };
}
