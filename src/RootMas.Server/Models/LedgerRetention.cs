using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Models;

/// <summary>Rows of the ledger that no report and no limit asks for any more, oldest first by their ids.</summary>
internal static class LedgerRetention
{
    public static RetentionKind Rows(TimeSpan keep) => new("ledger", keep, CountAsync, PruneAsync);

    private static async ValueTask<long> CountAsync(DbSession session, DateTimeOffset oldest) =>
        await session.Prepared("SELECT count(*) FROM usage_ledger WHERE id < @before").Set("before", RetentionKind.IdAt(oldest)).Int64Async() ?? 0;

    private static async ValueTask<int> PruneAsync(DbSession session, DateTimeOffset oldest, int limit) =>
        await session.Prepared("DELETE FROM usage_ledger WHERE id IN (SELECT id FROM usage_ledger WHERE id < @before ORDER BY id LIMIT @limit)")
            .Set("before", RetentionKind.IdAt(oldest)).Set("limit", (long)limit).RunAsync();
}
