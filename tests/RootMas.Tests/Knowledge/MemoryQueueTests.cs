using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class MemoryQueueOnSqliteTests() : MemoryQueueTests(DatabaseKind.Sqlite);

public sealed class MemoryQueueOnPostgresTests() : MemoryQueueTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>When whoever reads exchanges for memory looks again.</summary>
public abstract class MemoryQueueTests(DatabaseKind kind) : OnDatabase(kind)
{
    /// <summary>What somebody has, and what waits for that, is due for nobody else: an idle reader that was told otherwise would look twenty times a second.</summary>
    [DatabaseFact]
    public async Task What_somebody_reads_now_wakes_nobody_else()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Memory:Extract"] = "Never");
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var database = app.Get<IDatabase>();
        var queue = new MemoryQueue(database, new MemoryOptions { ExtractDelay = TimeSpan.Zero }, new MemorySignals());
        Task OfferAsync(string run, string owner, string conversation) => database.WriteAsync(async session => await queue.OfferAsync(session, run, owner, conversation, "m-" + run), default);
        await OfferAsync("run-1", ann.Id, "one");
        await OfferAsync("run-2", ann.Id, "two"); // is read when the first is
        Assert.NotNull(await queue.NextDueAsync(default));
        var batch = (await queue.TakeAsync(default))!;
        Assert.Null(await queue.TakeAsync(default));
        Assert.Null(await queue.NextDueAsync(default));

        await OfferAsync("run-3", bob.Id, "three");
        Assert.NotNull(await queue.NextDueAsync(default));
        var other = (await queue.TakeAsync(default))!;
        Assert.Equal((bob.Id, null), (other.OwnerId, await queue.NextDueAsync(default)));
        await queue.GiveBackAsync(other, TimeSpan.FromHours(1), counts: false, default);
        Assert.True(await queue.NextDueAsync(default) > TimeProvider.System.GetUtcNow());

        await database.WriteAsync(session => MemoryQueue.FinishAsync(session, batch), default);
        Assert.Equal("run-2", Assert.Single((await queue.TakeAsync(default))!.Jobs).RunId);
    }
}
