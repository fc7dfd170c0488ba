using System.Net.WebSockets;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat.Sockets;

/// <summary>The two WebSockets. A foreign <c>Origin</c> never gets this far: it is refused for every route.</summary>
internal static class SocketsApi
{
    private static readonly WebSocketOptions Options = new() { KeepAliveInterval = TimeSpan.FromSeconds(15), KeepAliveTimeout = TimeSpan.FromSeconds(30) };

    public static void Map(IEndpointRouteBuilder routes)
    {
        MapSocket(routes, "/ws", static (server, channel, caller) => server.Chat(channel, caller).RunAsync());
        MapSocket(routes, "/ws/visualization", static (server, channel, caller) => server.Visualization(channel, caller).ServeAsync());
    }

    private static void MapSocket(IEndpointRouteBuilder routes, string path, Func<SocketServer, SocketChannel, Caller, Task> serve)
    {
        var pipeline = routes.CreateApplicationBuilder();
        pipeline.UseWebSockets(Options);
        pipeline.Run(context => AcceptAsync(context, serve));
        routes.MapGet(path, pipeline.Build()).RequirePermission("chat:read").AttachesStream(StreamKind.Socket).ExcludeFromDescription();
    }

    private static async Task AcceptAsync(HttpContext context, Func<SocketServer, SocketChannel, Caller, Task> serve)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.Headers.Upgrade = "websocket";
            await ProblemWriter.WriteAsync(context, Problems.Of(426, "upgrade_required", "This is a WebSocket: connect with an upgrade."));
            return;
        }

        var server = context.RequestServices.GetRequiredService<SocketServer>();
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        await using var channel = new SocketChannel(socket, context.RequestAborted);
        await using var _ = server.Stopping.Register(() => channel.Close(SocketChannel.ServiceRestart, "The server restarts. Connect again and subscribe after the last event you have."));
        await serve(server, channel, context.Caller());
    }
}

/// <summary>What sockets are made of.</summary>
internal sealed class SocketServer(IChatService chat, RequestLimiter limiter, FlowSources sources, IHostApplicationLifetime lifetime, ILogger<SocketServer> logger)
{
    public CancellationToken Stopping => lifetime.ApplicationStopping;

    public ChatSocket Chat(SocketChannel channel, Caller caller) => new(channel, caller, chat, limiter, logger);

    public VisualizationSocket Visualization(SocketChannel channel, Caller caller) => new(channel, caller, chat, limiter, logger, sources);
}
