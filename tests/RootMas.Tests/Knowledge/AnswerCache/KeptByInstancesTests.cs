using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>Several instances on one PostgreSQL, with and without a Redis for the texts.</summary>
public sealed class KeptByInstancesTests() : OnDatabase(DatabaseKind.Postgres), IOnPostgres
{
    [PostgresFact]
    public Task What_one_instance_keeps_learns_and_forgets_the_others_know_within_seconds() => ProveAsync(null, null, "stored");

    [RedisAndPostgresFact]
    public async Task They_do_with_texts_in_Redis_too_and_nothing_that_was_purged_is_left_there()
    {
        var server = await RedisServer.SharedAsync();
        var prefix = RedisServer.NewPrefix();
        await using var first = await server.PoolAsync(prefix);
        await using var second = await server.PoolAsync(prefix);
        await ProveAsync(first, second, "redis");
    }

    private static async Task ProveAsync(RedisPool? first, RedisPool? second, string kind)
    {
        const string Question = "How do I reset the password of my account?";
        await using var database = new TestDatabase();
        await database.Database.OpenAsync();
        await using var one = await CacheWorld.StartAsync(database, redis: first);
        await using var two = await CacheWorld.StartAsync(database, redis: second);
        await one.AskAsync(Question);
        await one.AskAsync("How do I reset the password of an account?");
        await Wait.UntilAsync(() => two.Levels.Index.Count == one.Levels.Index.Count && two.Policy.Observations == 1);
        Assert.Equal(kind, (await two.AskAsync(Question)).Call.CacheHit!.Kind);
        Assert.Equal(1, two.Metrics.Outcomes.GetValueOrDefault(kind));
        one.Model.Answer = static _ => "made anew";
        await one.AskAsync(Question, fresh: true);
        await Wait.UntilAsync(() => two.Levels.Memory.Count == 0);
        Assert.Equal("made anew ", (await two.AskAsync(Question)).Text);
        var kept = one.Levels.Index.Answers.Select(static a => a.Id).ToList();
        Assert.NotEmpty(kept);
        await one.Purge.PurgeAsync(new PurgeScope("user", "alice"), default);
        await Wait.UntilAsync(() => two.Levels is { Index.Count: 0, Memory.Count: 0 });
        Assert.Null((await two.AskAsync(Question)).Call.CacheHit);
        foreach (var id in first is null ? [] : kept)
        {
            Assert.Null(await one.Levels.Redis!.FindAsync(id, default));
        }
    }
}
