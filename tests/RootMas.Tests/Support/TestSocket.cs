using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace RootMas.Tests.Support;

/// <summary>A WebSocket client that speaks JSON frames.</summary>
public sealed class TestSocket(ClientWebSocket socket) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static async Task<TestSocket> ConnectAsync(TestApp app, string path = "/ws", params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        foreach (var (name, value) in headers)
        {
            socket.Options.SetRequestHeader(name, value);
        }

        try
        {
            await socket.ConnectAsync(new Uri($"ws://{app.Url.Authority}{path}"), default);
            return new TestSocket(socket);
        }
        catch (WebSocketException e)
        {
            var status = (int)socket.HttpStatusCode;
            socket.Dispose();
            throw new SocketRefusedException(status, e);
        }
    }

    public static Task<TestSocket> ConnectAsync(TestApp app, TestUser user, string path = "/ws") => ConnectAsync(app, path, ("Authorization", $"Bearer {user.AccessToken}"));

    public Task SendAsync(object frame) => socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(frame), WebSocketMessageType.Text, true, default);

    public async Task<JsonElement> ReceiveAsync()
    {
        var (frame, status) = await NextAsync();
        Assert.True(status is null, $"The socket was closed with {status}.");
        return frame;
    }

    public async Task<JsonElement> UntilAsync(string type)
    {
        JsonElement frame;
        do
        {
            frame = await ReceiveAsync();
        }
        while (frame.GetProperty("type").GetString() != type);
        return frame;
    }

    /// <summary>The code of the problem in the next frame.</summary>
    public async Task<string?> ProblemAsync() => (await UntilAsync("error")).GetProperty("problem").GetProperty("code").GetString();

    /// <summary>The status that the server closes with, whatever it sends before.</summary>
    public async Task<int> ClosedAsync()
    {
        while (true)
        {
            if ((await NextAsync()).Closed is { } status)
            {
                return status;
            }
        }
    }

    public void Dispose() => socket.Dispose();

    private async Task<(JsonElement Frame, int? Closed)> NextAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        using var text = new MemoryStream();
        var buffer = new byte[16 * 1024];
        ValueWebSocketReceiveResult got;
        do
        {
            got = await socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
            if (got.MessageType == WebSocketMessageType.Close)
            {
                return (default, (int)socket.CloseStatus!.Value);
            }

            text.Write(buffer, 0, got.Count);
        }
        while (!got.EndOfMessage);
        return (JsonElement.Parse(Encoding.UTF8.GetString(text.ToArray())), null);
    }
}

/// <summary>The upgrade was answered with a status.</summary>
public sealed class SocketRefusedException(int status, Exception inner) : Exception($"The upgrade was answered with {status}.", inner)
{
    public int Status { get; } = status;
}
