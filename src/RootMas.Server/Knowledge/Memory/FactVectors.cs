using System.Globalization;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>
/// Keeps the vectors of facts and entities in step with their rows, behind them: a change marks its row in its own transaction, and this follows. So no user waits for an embedder, a crash loses nothing, and what was forgotten is removed also if the process died right after.
/// </summary>
internal sealed partial class FactVectors(MemoryStore store, BackgroundJobs jobs, TimeProvider clock, Graph.GraphMerging merging, ILogger<FactVectors> logger, IVectorStore? vectors = null) : SupervisedService
{
    private const int Batch = 100;

    private const string FactsToEmbed = "select id, owner_id, text from memory_facts where embedded = 0 and status = 'active' order by id limit @limit";

    private const string EntitiesToEmbed = "select id, realm, name, type from graph_entities where embedded = 0 order by id limit @limit";

    private const string FactEmbedded = "update memory_facts set embedded = 1 where id = @id and status = 'active'";

    private const string EntityEmbedded = "update graph_entities set embedded = 1 where id = @id";

    private const string Gone = "select id, space from memory_gone order by id limit @limit";

    private const string Forgotten = "delete from memory_gone where id = @id";

    private const string OldCalls = "delete from memory_calls where created_at < @oldest";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

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
            some = await RemoveAsync(cancellationToken)
                + await PutAsync(MemorySpaces.Memory, FactsToEmbed, FactEmbedded, static (id, realm, row) => new VectorEntry(id, realm, row.GetString(2)), cancellationToken)
                + await PutAsync(MemorySpaces.Entities, EntitiesToEmbed, EntityEmbedded, static (id, realm, row) => new VectorEntry(id, realm, $"{row.GetString(2)} ({row.GetString(3)})"), cancellationToken);
        }

        return done;
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        var job = jobs.Add("memory-vectors", Interval);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await job.RunAsync(
                    async token =>
                    {
                        await FollowAsync(token);
                        await store.Database.WriteAsync(static session => session.Prepared(OldCalls).Set("oldest", session.Now - CallsKept).RunAsync(), token);
                    },
                    stoppingToken);
                await WaitAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is StorageUnavailableException or ModelException)
            {
                LogLater(exception);
                await Task.Delay(Interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
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

    private async Task<int> PutAsync(
        string space, string due, string embedded, Func<Guid, string, System.Data.Common.DbDataReader, VectorEntry> entryOf, CancellationToken cancellationToken)
    {
        var entries = await store.Database.ReadAsync(
            async session => await session.Prepared(due).Set("limit", (long)Batch).ListAsync(row => entryOf(Guid.Parse(row.GetString(0), CultureInfo.InvariantCulture), row.GetString(1), row)),
            cancellationToken);
        foreach (var ofOne in entries.GroupBy(static e => e.Partition, StringComparer.Ordinal))
        {
            var some = ofOne.ToList();
            await vectors!.PutAsync(space, some, OwnerOf(ofOne.Key), cancellationToken);
            await store.Database.WriteAsync(
                async session =>
                {
                    foreach (var entry in some)
                    {
                        // Forgotten while it was embedded: the vector that came too late goes again.
                        if (await session.Prepared(embedded).Set("id", entry.Id.ToString()).RunAsync() == 0)
                        {
                            await FactWrites.BuryAsync(session, space, entry.Id.ToString());
                        }
                    }
                },
                cancellationToken);
            if (space == MemorySpaces.Entities)
            {
                await merging.MergeAsync(some, cancellationToken);
            }
        }

        return entries.Count;
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
