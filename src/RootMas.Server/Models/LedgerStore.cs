using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Models;

/// <summary>Writes ledger rows that belong to no step's transaction (failed and superseded attempts, calls without a run), and reads the ledger.</summary>
public sealed class LedgerStore(IDatabase database)
{
    /// <summary>Completes when the row is durable, so that a crash afterwards leaves at most the next request in doubt.</summary>
    public async Task AppendAsync(LedgerEntry entry, CancellationToken cancellationToken) =>
        _ = await database.WriteAsync(
            async session =>
            {
                await LedgerSql.InsertAsync(session, entry);
                return true;
            },
            cancellationToken);
}
