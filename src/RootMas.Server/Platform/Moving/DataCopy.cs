namespace RootMas.Server.Platform.Moving;

/// <summary>Moves everything from one database to the other kind, and proves it: rows and hashes of each table are counted while they are read, and again where they have arrived, before anything is kept.</summary>
internal static class DataCopy
{
    /// <param name="progress">Told after each table.</param>
    /// <exception cref="StartupRefusedException">One of them cannot be used, or what arrived is not what left. The target is as it was.</exception>
    public static async Task<IReadOnlyList<CopiedTable>> RunAsync(ICopySide from, ICopySide to, Action<CopiedTable> progress, CancellationToken cancellationToken)
    {
        await from.BeginAsync(asTarget: false, cancellationToken);
        await to.BeginAsync(asTarget: true, cancellationToken);
        var tables = Match(await from.TablesAsync(cancellationToken), await to.TablesAsync(cancellationToken));
        var copied = new List<CopiedTable>();
        foreach (var table in tables)
        {
            var left = new RowDigest();
            await to.WriteAsync(table, Counted(from.RowsAsync(table, cancellationToken), left), cancellationToken);
            if (table.Sequence is not null)
            {
                await to.SetSequenceAsync(table, await from.SequenceAsync(table, cancellationToken), cancellationToken);
            }

            copied.Add(await VerifiedAsync(to, table, left.Of(table.Name), cancellationToken));
            progress(copied[^1]);
        }

        await from.RefuseLateServersAsync(cancellationToken);
        await to.CommitAsync(cancellationToken);
        return copied;
    }

    private static async Task<CopiedTable> VerifiedAsync(ICopySide to, CopyTable table, CopiedTable left, CancellationToken cancellationToken)
    {
        var arrived = new RowDigest();
        await foreach (var row in to.RowsAsync(table, cancellationToken))
        {
            arrived.Add(row);
        }

        return arrived.Of(table.Name) == left
            ? left
            : throw new StartupRefusedException($"The table {table.Name} did not arrive as it left ({left.Rows} rows, {arrived.Rows} arrived). Nothing was kept; the source is untouched. Please report this.");
    }

    private static async IAsyncEnumerable<object?[]> Counted(IAsyncEnumerable<object?[]> rows, RowDigest digest)
    {
        await foreach (var row in rows)
        {
            digest.Add(row);
            yield return row;
        }
    }

    /// <summary>The target's tables in their order, each with the columns of the source in one order for both.</summary>
    private static List<CopyTable> Match(IReadOnlyList<CopyTable> from, IReadOnlyList<CopyTable> to)
    {
        var missing = from.Select(static t => t.Name).Except(to.Select(static t => t.Name), StringComparer.Ordinal).Concat(to.Select(static t => t.Name).Except(from.Select(static t => t.Name), StringComparer.Ordinal)).ToList();
        if (missing.Count > 0)
        {
            throw new StartupRefusedException($"The two databases do not have the same tables ({string.Join(", ", missing)}). Nothing was changed. Run 'rootmas migrate' of the same version on both.");
        }

        var sources = from.ToDictionary(static t => t.Name, StringComparer.Ordinal);
        foreach (var table in to)
        {
            if (!table.Columns.ToHashSet().SetEquals(sources[table.Name].Columns))
            {
                throw new StartupRefusedException($"The table {table.Name} has other columns in the two databases. Nothing was changed. Run 'rootmas migrate' of the same version on both.");
            }
        }

        return [.. to];
    }
}
