using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.ExceptionServices;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>
/// Keeps the vectors of facts and entities in step with their rows, behind them: a change marks its row in its own transaction, and this follows. So no user waits for an embedder, a crash loses nothing, and what was forgotten is removed also if the process died right after.
/// </summary>
internal sealed partial class FactVectors(MemoryStore store, BackgroundJobs jobs, TimeProvider clock, Graph.GraphMerging merging, ILogger<FactVectors> logger, VectorWriter? vectors = null) : SupervisedService
{
    private const int Batch = 100;

    private const string FactsToEmbed = "select id, owner_id, text from memory_facts where embedded = 0 and status = 'active' and id > @after order by id limit @limit";

    private const string EntitiesToEmbed = "select id, realm, name, type from graph_entities where embedded = 0 and id > @after order by id limit @limit";

    private const string FactEmbedded = "update memory_facts set embedded = 1 where id = @id and status = 'active'";

    private const string EntityEmbedded = "update graph_entities set embedded = 1 where id = @id";

    private const string Gone = "select id, space from memory_gone order by id limit @limit";

    private const string Forgotten = "delete from memory_gone where id = @id";

    private const string OldCalls = "delete from memory_calls where created_at < @oldest";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(32);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    private static readonly Followed Facts = new(MemorySpaces.Memory, FactsToEmbed, FactEmbedded, static (id, realm, row) => new VectorEntry(id, realm, row.GetString(2)));

    private static readonly Followed Entities = new(
        MemorySpaces.Entities, EntitiesToEmbed, EntityEmbedded, static (id, realm, row) => new VectorEntry(id, realm, $"{row.GetString(2)} ({row.GetString(3)})"));

    /// <summary>Whose budget is used up.</summary>
    private readonly ConcurrentDictionary<string, (DateTimeOffset Until, TimeSpan Pause)> _waiting = new(StringComparer.Ordinal);

    /// <summary>A call is repeated by the next attempt at its run, or after a person's decision, which expires.</summary>
    private static readonly TimeSpan CallsKept = TimeSpan.FromDays(40);

    /// <summary>One pass over all that is due. How many vectors were put or removed.</summary>
    public async Task<int> FollowAsync(CancellationToken cancellationToken)
    {
        if (vectors is null)
        {
            return 0;
        }

        var done = 0;
        for (var some = 1; some > 0; done += some)
        {
            some = await RemoveAsync(cancellationToken) + await PutAsync(Facts, cancellationToken) + await PutAsync(Entities, cancellationToken);
        }

        return done;
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        var job = jobs.Add("memory-vectors", Interval);
        var pause = Interval;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await job.RunAsync(
                    async token =>
                    {
                        await FollowAsync(token);
                        await store.Database.WriteAsync(PruneAsync, token);
                    },
                    stoppingToken);
                pause = Interval;
                await WaitAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is StorageUnavailableException or ModelException)
            {
                // Outages pass soon; what a model refuses altogether it will refuse again, until somebody puts it right.
                LogLater(exception);
                await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = exception is not ModelException { RetryLater: false } ? Interval : pause < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }

    private static async ValueTask PruneAsync(DbSession session)
    {
        await session.Prepared(OldCalls).Set("oldest", session.Now - CallsKept).RunAsync();
        await MemoryQueue.PruneAsync(session, session.Now - CallsKept);
    }

    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        using var moment = new CancellationTokenSource(Interval, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(moment.Token, cancellationToken);
        try
        {
            await store.Signals.Changes.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Nothing was said; look all the same.
        }
    }

    /// <summary>Page by page, so that nobody whose texts have to wait stands before the others.</summary>
    private async Task<int> PutAsync(Followed what, CancellationToken cancellationToken)
    {
        var (done, after) = (0, "");
        for (var full = true; full;)
        {
            var from = after;
            var entries = await store.Database.ReadAsync(
                async session => await session.Prepared(what.Due).Set("after", from).Set("limit", (long)Batch)
                    .ListAsync(row => what.EntryOf(Guid.Parse(row.GetString(0), CultureInfo.InvariantCulture), row.GetString(1), row)),
                cancellationToken);
            full = entries.Count == Batch;
            after = full ? entries[^1].Id.ToString() : after;
            foreach (var ofOne in entries.GroupBy(static e => e.Partition, StringComparer.Ordinal))
            {
                done += await PutOfOneAsync(what, OwnerOf(ofOne.Key), [.. ofOne], cancellationToken);
            }
        }

        return done;
    }

    /// <summary>A budget that is used up is its owner's alone: theirs waits, that of others goes on.</summary>
    private async Task<int> PutOfOneAsync(Followed what, string payer, List<VectorEntry> some, CancellationToken cancellationToken)
    {
        if (_waiting.TryGetValue(payer, out var wait) && wait.Until > clock.GetUtcNow())
        {
            return 0;
        }

        var put = await vectors!.PutAsync(what.Space, some, payer, cancellationToken);
        if (put.Done.Count > 0)
        {
            await NoteAsync(what, put.Done, cancellationToken);
        }

        switch (put.Failure)
        {
            case null:
                _waiting.TryRemove(payer, out _);
                break;
            case { ErrorClass: "budget" }:
                var pause = wait.Pause == default ? FirstWait : wait.Pause * 2 < LongestWait ? wait.Pause * 2 : LongestWait;
                _waiting[payer] = (clock.GetUtcNow() + pause, pause);
                var user = payer.Split('/')[0]; // not the name that an agent gave an end user of its own
                LogPayerWaits(user, pause);
                break;
            case var failure:
                ExceptionDispatchInfo.Throw(failure);
                break;
        }

        return put.Done.Count;
    }

    private async Task NoteAsync(Followed what, IReadOnlyList<VectorEntry> put, CancellationToken cancellationToken)
    {
        await store.Database.WriteAsync(
            async session =>
            {
                foreach (var entry in put)
                {
                    // Forgotten while it was embedded: the vector that came too late goes again.
                    if (await session.Prepared(what.Embedded).Set("id", entry.Id.ToString()).RunAsync() == 0)
                    {
                        await FactWrites.BuryAsync(session, what.Space, entry.Id.ToString());
                    }
                }
            },
            cancellationToken);
        if (what.Space == MemorySpaces.Entities)
        {
            await merging.MergeAsync(put, cancellationToken);
        }
    }

    private async Task<int> RemoveAsync(CancellationToken cancellationToken)
    {
        var gone = await store.Database.ReadAsync(
            async session => await session.Prepared(Gone).Set("limit", (long)Batch).ListAsync(static r => (Id: r.GetString(0), Space: r.GetString(1))), cancellationToken);
        foreach (var space in gone.GroupBy(static g => g.Space, StringComparer.Ordinal))
        {
            await vectors!.RemoveAsync(space.Key, [.. space.Select(static g => Guid.Parse(g.Id, CultureInfo.InvariantCulture))], cancellationToken);
        }

        await store.Database.WriteAsync(
            async session =>
            {
                foreach (var (id, _) in gone)
                {
                    await session.Prepared(Forgotten).Set("id", id).RunAsync();
                }
            },
            cancellationToken);
        return gone.Count;
    }

    /// <summary>Whose row of the ledger it is; what belongs to nobody alone is the system's.</summary>
    private static string OwnerOf(string realm) => realm == FactWords.Team || realm.StartsWith(Graph.GraphWords.Collection, StringComparison.Ordinal) ? "system" : realm;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Vectors of the memory could not follow; it goes on with the next look, and until then words find what is new")]
    private partial void LogLater(Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "Vectors of what is remembered for {OwnerId} wait {Pause}: the budget that pays for them is used up. Words find it meanwhile, and those of others go on")]
    private partial void LogPayerWaits(string ownerId, TimeSpan pause);

    /// <summary>Rows that get vectors.</summary>
    private sealed record Followed(string Space, string Due, string Embedded, Func<Guid, string, System.Data.Common.DbDataReader, VectorEntry> EntryOf);
}

/// <summary>The texts again, when the embedder changed.</summary>
internal sealed class MemoryTexts(IDatabase database) : IVectorTexts
{
    private const string Next = "select id, owner_id, text from memory_facts where status = 'active' and id > @after order by id limit @limit";

    public string Space => MemorySpaces.Memory;

    public async ValueTask<IReadOnlyList<VectorEntry>> ReadAsync(Guid after, int count, CancellationToken cancellationToken) => await database.LookAsync(
        async session => await session.Prepared(Next).Set("after", after.ToString()).Set("limit", (long)count)
            .ListAsync(static r => new VectorEntry(Guid.Parse(r.GetString(0), CultureInfo.InvariantCulture), r.GetString(1), r.GetString(2))),
        cancellationToken);
}

/// <inheritdoc cref="MemoryTexts"/>
internal sealed class EntityTexts(IDatabase database) : IVectorTexts
{
    private const string Next = "select id, realm, name, type from graph_entities where id > @after order by id limit @limit";

    public string Space => MemorySpaces.Entities;

    public async ValueTask<IReadOnlyList<VectorEntry>> ReadAsync(Guid after, int count, CancellationToken cancellationToken) => await database.LookAsync(
        async session => await session.Prepared(Next).Set("after", after.ToString()).Set("limit", (long)count)
            .ListAsync(static r => new VectorEntry(Guid.Parse(r.GetString(0), CultureInfo.InvariantCulture), r.GetString(1), $"{r.GetString(2)} ({r.GetString(3)})")),
        cancellationToken);
}
