using RootMas.Server.Platform.Redis;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// Texts of kept answers in Redis, by their id. Which answers there are the index says, and the database: an id that neither knows is not asked for here, so whatever Redis still has of an answer that was deleted while it was away is never given.
/// </summary>
internal sealed class RedisAnswers(RedisPool redis, TimeProvider clock)
{
    private const string Use = "answers";

    public async ValueTask<CachedAnswer?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        var found = await redis.TryAsync(Use, session => session.Commands.StringGetAsync(KeyOf(id)), cancellationToken);
        return found is { IsThere: true, Value.IsNull: false } ? CachedAnswer.FromJson((byte[])found.Value) : null;
    }

    public async ValueTask KeepAsync(CachedAnswer answer)
    {
        var left = answer.ExpiresAt - clock.GetUtcNow();
        if (left > TimeSpan.Zero)
        {
            await redis.TryAsync(Use, session => session.Commands.StringSetAsync(KeyOf(answer.Id), answer.ToJson(), left));
        }
    }

    public async ValueTask RemoveAsync(IReadOnlyCollection<Guid> ids)
    {
        if (ids.Count > 0)
        {
            await redis.TryAsync(Use, session => session.Commands.KeyDeleteAsync([.. ids.Select(id => (StackExchange.Redis.RedisKey)KeyOf(id))]));
        }
    }

    private string KeyOf(Guid id) => $"{redis.Prefix}answer:{id:N}";
}
