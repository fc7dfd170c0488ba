using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Drops what models of before made: rows, entries of indexes, notes. Only once the present model has made all of it anew and nobody has worked with the old one for a while; a page at a time, because others write too.</summary>
internal sealed partial class OldVectors(IDatabase database, VectorIndexes indexes, VectorOptions options, ILogger<OldVectors> logger)
{
    private const int Page = 1_000;
    private static readonly TimeSpan AtLeast = TimeSpan.FromDays(1);

    private const string IsComplete = "SELECT 1 FROM vector_spaces WHERE space = @space AND model = @model AND complete_at <= @before";

    /// <summary>Whoever works with a model says so at its start and with each check.</summary>
    private const string InUse = "SELECT 1 FROM vector_spaces WHERE space IN (@space, '') AND model = @model AND (lease_until > @before OR checked_at > @before)";

    private const string Forget = "DELETE FROM vector_spaces WHERE space IN (@space, '') AND model = @model AND lease_until <= @before AND (checked_at IS NULL OR checked_at <= @before)";
    private const string ForgetRefusals = "DELETE FROM vector_refusals WHERE space = @space AND model = @model";

    /// <summary>So long the old ones stay beside those that replaced them, and after a sign that they are used.</summary>
    private TimeSpan Kept => 2 * options.CheckEvery > AtLeast ? 2 * options.CheckEvery : AtLeast;

    /// <summary>Of one space, in which <paramref name="model"/> has just been seen to be complete. How many went.</summary>
    public async Task<int> DropAsync(string space, string model, CancellationToken cancellationToken)
    {
        var index = await indexes.CurrentAsync();
        var dropped = 0;
        foreach (var old in await database.ReadAsync(session => UnusedAsync(session, space, model), cancellationToken))
        {
            for (var some = 1; some > 0; dropped += some)
            {
                cancellationToken.ThrowIfCancellationRequested();
                some = await database.WriteAsync(session => index.DropAsync(session, space, old, Page), cancellationToken);
            }

            await database.WriteAsync(session => ForgetAsync(session, space, old), cancellationToken);
        }

        if (dropped > 0)
        {
            LogDropped(dropped);
        }

        return dropped;
    }

    private async ValueTask<List<string>> UnusedAsync(DbSession session, string space, string model)
    {
        var (before, unused) = (session.Now - Kept, new List<string>());
        if (!await session.Prepared(IsComplete).Set("space", space).Set("model", model).Set("before", before).AnyAsync())
        {
            return unused;
        }

        foreach (var other in (await VectorTable.ModelsAsync(session, space)).Where(m => m != model))
        {
            if (!await session.Prepared(InUse).Set("space", space).Set("model", other).Set("before", before).AnyAsync())
            {
                unused.Add(other);
            }
        }

        return unused;
    }

    private async ValueTask ForgetAsync(DbSession session, string space, string model)
    {
        await session.Prepared(Forget).Set("space", space).Set("model", model).Set("before", session.Now - Kept).RunAsync();
        await session.Prepared(ForgetRefusals).Set("space", space).Set("model", model).RunAsync();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} vectors of an earlier embedding model were dropped: all texts have had new ones for a day or longer")]
    private partial void LogDropped(int count);
}
