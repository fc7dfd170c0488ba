using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Answers that were kept for an owner whose facts are forgotten. Whoever forgot them removes these at once; this is for when that died, or the database was away.</summary>
internal sealed class ForgottenFacts(MemoryStore store) : IOutboxHandler
{
    /// <summary>Facts are forgotten; the payload is their owner.</summary>
    public const string Topic = "memory.forgotten";

    public async Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        await store.ForgetAnswersAsync(message.Payload);
    }
}
