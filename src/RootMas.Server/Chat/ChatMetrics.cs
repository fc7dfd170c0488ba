using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Chat;

/// <summary>What this slice counts.</summary>
public sealed class ChatMetrics(ConversationStore store) : IDashboardSource
{
    private readonly Counter<long> _messages =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.chat.messages", "{message}", "Messages of users that were accepted, by channel (chat, api).");

    public void MessageAccepted(bool isApiCall) => _messages.Add(1, KeyValuePair.Create("channel", (object?)(isApiCall ? "api" : "chat")));

    public async ValueTask AddAsync(IDictionary<string, double> values, CancellationToken cancellationToken) =>
        values["total_messages"] = await store.CountAsync(cancellationToken);
}
