using System.Diagnostics.Metrics;

namespace RootMas.Server.Chat;

/// <summary>What this slice counts.</summary>
public sealed class ChatMetrics : IDisposable
{
    private readonly Meter _meter = new("RootMas");
    private readonly Counter<long> _messages;

    public ChatMetrics() => _messages = _meter.CreateCounter<long>("rootmas.chat.messages", "{message}", "Messages of users that were accepted, by channel (chat, api).");

    public void MessageAccepted(bool isApiCall) => _messages.Add(1, KeyValuePair.Create("channel", (object?)(isApiCall ? "api" : "chat")));

    public void Dispose() => _meter.Dispose();
}
