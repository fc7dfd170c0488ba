using System.Text;
using System.Threading.Channels;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Outbox;

/// <summary>Something that happened, told after the commit that made it true.</summary>
/// <param name="Id">Rises with every message; a handler may see the same one twice and can tell by this.</param>
/// <param name="Payload">JSON, as the topic defines it.</param>
public sealed record OutboxMessage(long Id, string Topic, string Payload, DateTimeOffset CreatedAt);

/// <summary>Hears of a topic. Registered with <see cref="OutboxRegistration.AddOutboxHandler{T}"/>.</summary>
public interface IOutboxHandler
{
    /// <summary>
    /// Messages of one topic come one after the other, in the order of their commits, at least once: again after a crash, and again after this threw.
    /// What throws for ever holds up its topic, so refuse what can never work by logging it.
    /// </summary>
    Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken);
}

/// <summary>Who listens to what. Kept apart from the handlers, so that these may themselves write to the outbox.</summary>
public sealed record OutboxSubscription(string Topic, Type Handler);

/// <summary>How a slice hears of what happens to its right.</summary>
public static class OutboxRegistration
{
    public static IServiceCollection AddOutboxHandler<T>(this IServiceCollection services, string topic)
        where T : class, IOutboxHandler
    {
        services.AddSingleton<T>();
        return services.AddSingleton(new OutboxSubscription(topic, typeof(T)));
    }
}

/// <summary>Messages that become true with the transaction they were written in.</summary>
public sealed class Outbox
{
    private const string BusTopic = "outbox";
    private static readonly string Turn = SqlDialect.Turn("outbox", "@topic").Postgres;
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Channel<bool>> wakeUps;
    private readonly IClusterBus? bus;
    private readonly IPresence? presence;

    /// <param name="presence">Where processes share a database: who of them hands out a topic. Null: this is the only one.</param>
    public Outbox(IEnumerable<OutboxSubscription> subscriptions, IClusterBus? bus = null, IPresence? presence = null)
    {
        (this.bus, this.presence) = (bus, presence);
        wakeUps = subscriptions.Select(subscription => subscription.Topic).Distinct(StringComparer.Ordinal).ToDictionary(
            topic => topic,
            _ => Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }),
            StringComparer.Ordinal);
        bus?.Subscribe(BusTopic, topic => Wake(Encoding.UTF8.GetString(topic.Span)), () => wakeUps.Keys.ToList().ForEach(Wake));
    }

    /// <summary>Topics that somebody listens to.</summary>
    public IReadOnlyCollection<string> Topics => wakeUps.Keys;

    /// <summary>Adds to the session's transaction. Costs nothing when nobody listens to the topic.</summary>
    public async ValueTask AddAsync(DbSession session, string topic, string payload)
    {
        if (!wakeUps.TryGetValue(topic, out var wakeUp))
        {
            return;
        }

        if (session.Kind == DatabaseKind.Postgres)
        {
            // One writer of a topic at a time, until its commit: so ids rise with the commits, and none below a seen one can still appear. Call it late in a transaction.
            await session.Prepared(Turn).Set("topic", topic).RunAsync();
        }

        await session.Prepared("INSERT INTO outbox (topic, payload, created_at) VALUES (@topic, @payload, @now)")
            .Set("topic", topic).Set("payload", payload).Set("now", session.Now).RunAsync();
        session.AfterCommit(() =>
        {
            wakeUp.Writer.TryWrite(true);
            bus?.Publish(BusTopic, Encoding.UTF8.GetBytes(topic));
        });
    }

    /// <summary>Whether this process hands out the topic: one at a time does, so that its order is kept. When that one is gone another takes over.</summary>
    internal Task<bool> IsMineAsync(string topic, CancellationToken cancellationToken) =>
        presence is null ? Task.FromResult(true) : presence.TryTakeAsync("outbox:" + topic, cancellationToken);

    /// <summary>Completes after something was added to the topic, perhaps long ago. Where others may have added it, also after a moment.</summary>
    internal async Task WaitAsync(string topic, TimeProvider time, CancellationToken cancellationToken)
    {
        var reader = wakeUps[topic].Reader;
        if (presence is null)
        {
            await reader.ReadAsync(cancellationToken);
            return;
        }

        using var moment = new CancellationTokenSource(LookInterval, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(moment.Token, cancellationToken);
        try
        {
            await reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Nothing was said; look all the same.
        }
    }

    private void Wake(string topic)
    {
        if (wakeUps.TryGetValue(topic, out var wakeUp))
        {
            wakeUp.Writer.TryWrite(true);
        }
    }
}
