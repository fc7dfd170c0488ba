using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Chat;

/// <summary>What this slice counts.</summary>
public sealed class ChatMetrics(ConversationStore store) : IDashboardSource
{
    private readonly Counter<long> _messages =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.chat.messages", "{message}", "Messages of users that were accepted, by channel (chat, api).");

    private static readonly UpDownCounter<long> Sockets = RootMasTelemetry.Meter.CreateUpDownCounter<long>("rootmas.sockets", "{socket}", "Open WebSockets.");

    /// <summary>The instruments are there, and listed, before the first socket.</summary>
    internal static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(ChatMetrics).TypeHandle);

    /// <summary>Counts a socket until it is disposed.</summary>
    internal static OpenSocket SocketOpened()
    {
        Sockets.Add(1);
        return new OpenSocket();
    }

    public void MessageAccepted(bool isApiCall) => _messages.Add(1, KeyValuePair.Create("channel", (object?)(isApiCall ? "api" : "chat")));

    public async ValueTask AddAsync(IDictionary<string, double> values, CancellationToken cancellationToken) =>
        values["total_messages"] = await store.CountAsync(cancellationToken);

    internal readonly struct OpenSocket : IDisposable
    {
        public void Dispose() => Sockets.Add(-1);
    }
}
