using System.Net;
using System.Net.Sockets;

namespace RootMas.Tests.Support;

/// <summary>An address whose queue of connections is full: whoever wants one more hears nothing, as of a host that is gone.</summary>
internal sealed class DeafAddress : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket _only = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public static async Task<DeafAddress> StartAsync(IPAddress address, int port)
    {
        var deaf = new DeafAddress();
        deaf._listener.Bind(new IPEndPoint(address, port));
        deaf._listener.Listen(0);
        await deaf._only.ConnectAsync(deaf._listener.LocalEndPoint!);
        return deaf;
    }

    public void Dispose()
    {
        _only.Dispose();
        _listener.Dispose();
    }
}
