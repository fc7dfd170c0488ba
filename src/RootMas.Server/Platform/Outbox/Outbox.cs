using System.Threading.Channels;
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
    private const string Turn = "SELECT pg_advisory_xact_lock(hashtextextended('outbox:' || @topic, 0))";

    private readonly Dictionary<string, Channel<bool>> wakeUps;

    public Outbox(IEnumerable<OutboxSubscription> subscriptions) =>
        wakeUps = subscriptions.Select(subscription => subscription.Topic).Distinct(StringComparer.Ordinal).ToDictionary(
            topic => topic,
            _ => Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }),
            StringComparer.Ordinal);

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
        session.AfterCommit(() => wakeUp.Writer.TryWrite(true));
    }

    /// <summary>Completes after something was added to the topic, perhaps long ago.</summary>
    internal async Task WaitAsync(string topic, CancellationToken cancellationToken) => await wakeUps[topic].Reader.ReadAsync(cancellationToken);
}
