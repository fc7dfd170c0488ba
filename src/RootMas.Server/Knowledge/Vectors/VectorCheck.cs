using System.Runtime.ExceptionServices;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// Sees to it that every text has a vector of the model that is used now, and that nothing else has one: after a change of model, and after a crash between a text and its vector. One instance does it for a space, page by page; searches find meanwhile what is done already.
/// </summary>
internal sealed class VectorCheck(IEnumerable<IVectorTexts> sources, VectorWriter vectors, OldVectors old, IEmbedder embedder, IDatabase database, Instance instance)
{
    private const int Page = 128;

    /// <summary>A text may come after its vector.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(5);

    private const string Enter = "INSERT INTO vector_spaces (space, model, instance, lease_until, checked_at) VALUES (@space, @model, @me, 0, NULL) ON CONFLICT (space, model) DO NOTHING";

    private const string Claim = """
        UPDATE vector_spaces SET instance = @me, lease_until = @until
        WHERE space = @space AND model = @model AND (lease_until < @now OR instance = @me) AND (checked_at IS NULL OR checked_at <= @due)
        """;

    private const string Done = """
        UPDATE vector_spaces SET lease_until = 0, checked_at = @now, complete_at = COALESCE(complete_at, @now)
        WHERE space = @space AND model = @model AND instance = @me
        """;

    /// <summary>Whose vectors a check sees to now.</summary>
    public string Model => VectorTable.ModelOf(embedder.Identity);

    /// <summary>All spaces once. Those that were checked within <paramref name="every"/>, or that another instance is at, are left out.</summary>
    /// <returns>Texts that got a new vector.</returns>
    /// <exception cref="RootMas.Runtime.Agents.ModelException">The model gives no vectors at the moment.</exception>
    public async Task<int> RunAsync(TimeSpan every, CancellationToken cancellationToken)
    {
        var made = 0;
        foreach (var source in sources)
        {
            var model = Model;
            if (!await ClaimAsync(source.Space, model, every, cancellationToken))
            {
                continue;
            }

            var (some, isComplete) = await CheckAsync(source, model, cancellationToken);
            made += some;
            if (isComplete && model == Model && await DoneAsync(source.Space, model, cancellationToken))
            {
                await old.DropAsync(source.Space, model, cancellationToken);
            }
        }

        return made;
    }

    private async Task<(int Made, bool IsComplete)> CheckAsync(IVectorTexts source, string model, CancellationToken cancellationToken)
    {
        var (made, after) = (0, Guid.Empty);
        for (var full = true; full;)
        {
            var page = await source.ReadAsync(after, Page, cancellationToken);
            full = page.Count == Page;
            Guid? last = full ? page[^1].Id : null;
            made += await CheckAsync(source.Space, model, page, (after, last), cancellationToken);
            after = last ?? after;
            if (full && !await ClaimAsync(source.Space, model, TimeSpan.Zero, cancellationToken))
            {
                return (made, false); // we stood still for so long that another instance took over
            }
        }

        return (made, true);
    }

    /// <summary>One page of texts against the vectors between the same ids.</summary>
    private async Task<int> CheckAsync(string space, string model, IReadOnlyList<VectorEntry> page, (Guid After, Guid? Last) range, CancellationToken cancellationToken)
    {
        var (now, rows) = await database.ReadAsync(async session => (session.Now, await VectorTable.RangeAsync(session, space, model, range.After, range.Last)), cancellationToken);
        var there = rows.ToDictionary(static r => r.Id);
        var missing = page.Where(e => !there.TryGetValue(e.Id, out var row) || row.Partition != e.Partition).ToList();
        var texts = page.Select(static e => e.Id).ToHashSet();
        var orphans = rows.Where(r => !texts.Contains(r.Id) && r.CreatedAt < now - Grace).Select(static r => r.Id).ToList();
        var put = await vectors.PutAsync(space, missing, "system", cancellationToken);
        await vectors.RemoveAsync(space, orphans, cancellationToken);
        if (put.Failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        return put.Done.Count;
    }

    private Task<bool> DoneAsync(string space, string model, CancellationToken cancellationToken) => database.WriteAsync(
        async session => await session.Prepared(Done).Set("now", session.Now).Set("space", space).Set("model", model).Set("me", instance.Name).RunAsync() > 0, cancellationToken);

    private Task<bool> ClaimAsync(string space, string model, TimeSpan every, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            await session.Prepared(Enter).Set("space", space).Set("model", model).Set("me", instance.Name).RunAsync();
            return await session.Prepared(Claim).Set("me", instance.Name).Set("until", session.Now + Lease).Set("space", space).Set("model", model)
                .Set("now", session.Now).Set("due", session.Now - every).RunAsync() > 0;
        },
        cancellationToken);
}
