using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Http;

/// <summary>What one connection may take, before anything of a request is looked at.</summary>
internal static class ConnectionLimits
{
    /// <summary>Every limit is set, so that none of them changes with the framework.</summary>
    public static void Apply(KestrelServerLimits limits, ServerOptions server)
    {
        limits.MaxConcurrentConnections = server.MaxConnections;

        // Sockets are counted, and refused with an answer, before the upgrade. This is the wall behind it: a closed socket's connection may be there a moment longer than the socket.
        limits.MaxConcurrentUpgradedConnections = server.MaxUpgradedConnections + Math.Max(64, server.MaxUpgradedConnections / 10);
        limits.MaxRequestBodySize = server.MaxBodyBytes;
        limits.MaxRequestBufferSize = 256 * 1024;
        limits.MaxResponseBufferSize = server.ResponseBufferBytes;
        limits.MaxRequestHeaderCount = server.MaxHeaders;
        limits.MaxRequestHeadersTotalSize = server.MaxHeaderBytes;
        limits.MaxRequestLineSize = server.MaxRequestLineBytes;
        limits.RequestHeadersTimeout = server.HeaderTimeout;
        limits.KeepAliveTimeout = server.KeepAliveTimeout;
        limits.MinRequestBodyDataRate = RateOf(server.MinRequestRate, server.RateGrace);
        limits.MinResponseDataRate = RateOf(server.MinResponseRate, server.RateGrace);
        limits.Http2.MaxStreamsPerConnection = server.MaxHttp2Streams;
        limits.Http2.MaxRequestHeaderFieldSize = server.MaxRequestLineBytes;
        limits.Http2.HeaderTableSize = 4 * 1024;
        limits.Http2.InitialConnectionWindowSize = 256 * 1024;
        limits.Http2.InitialStreamWindowSize = 128 * 1024;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
    }

    public static void AddClientOrigins(this WebApplicationBuilder builder, ServerOptions server)
    {
        var trusted = new List<IPNetwork>();
        foreach (var text in server.TrustedProxies)
        {
            if (IPNetwork.TryParse(text, out var network))
            {
                trusted.Add(network);
            }
            else if (IPAddress.TryParse(text, out var address))
            {
                trusted.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            }
            else
            {
                builder.Settings().AddProblem($"Server:TrustedProxies: '{text}' is neither an address nor a network; legal: 10.0.0.0/8, 192.0.2.7, fd00::/8, ::1");
            }
        }

        builder.Services.AddSingleton(new ClientOrigins(trusted));
    }

    private static MinDataRate? RateOf(int bytesPerSecond, TimeSpan grace) => bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, grace);
}
