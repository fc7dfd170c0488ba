using System.Data.Common;
using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <param name="IsTold">Something in its inbox is not in its log yet.</param>
/// <param name="IsRenewed">False: it is this worker's still, as far as anything was committed, and its row is being written just now. Its lease is what it was: ask again.</param>
internal readonly record struct HeldRun(int Attempt, bool IsTold, bool IsRenewed);

/// <summary>Renews what a worker holds.</summary>
internal static class RunLeases
{
    private const string Longer = "UPDATE runs SET lease_until = CASE WHEN lease_until > @lease THEN lease_until ELSE @lease END WHERE";

    private const string Mine = "worker = @worker AND status = 'running'";

    private const string What = "id, attempt, inbox_seq > inbox_done";

    /// <summary>Rows that are being written just now are left out: whoever waited for them would hold up every run of the worker, and let their leases run out.</summary>
    private static readonly SqlText Free = new(
        SqlDialect.InList($"{Longer} {Mine} AND", "id", "ids", $"RETURNING {What}").Sqlite,
        SqlDialect.InList($"{Longer} id IN (SELECT id FROM runs WHERE {Mine} AND", "id", "ids", $"FOR NO KEY UPDATE SKIP LOCKED) RETURNING {What}").Postgres);

    /// <summary>What was left out and what is somebody else's by now, told apart. SQLite has one writer: nothing was being written.</summary>
    private static readonly string StillMine = SqlDialect.InList($"SELECT {What} FROM runs WHERE {Mine} AND", "id", "ids", "").Postgres;

    /// <summary>Waits for none. The answer names those that are still this worker's, with their attempts, whether something is in their inbox, and whether they were renewed; what it does not name is lost.</summary>
    public static Task<Dictionary<string, HeldRun>> RenewAsync(IDatabase database, string worker, IReadOnlyCollection<string> runIds, TimeSpan lease, CancellationToken cancellationToken)
    {
        var ids = JsonSerializer.Serialize(runIds);
        return database.WriteAsync(
            async session =>
            {
                var renewed = await session.Prepared(Free).Set("lease", session.Now + lease).Set("worker", worker).Set("ids", ids).ListAsync(static r => Read(r, isRenewed: true));
                var held = renewed.ToDictionary(static r => r.Id, static r => r.Run, StringComparer.Ordinal);
                if (session.Kind == DatabaseKind.Postgres && held.Count < runIds.Count)
                {
                    foreach (var (id, run) in await session.Prepared(StillMine).Set("worker", worker).Set("ids", ids).ListAsync(static r => Read(r, isRenewed: false)))
                    {
                        held.TryAdd(id, run);
                    }
                }

                return held;
            },
            cancellationToken);
    }

    private static (string Id, HeldRun Run) Read(DbDataReader row, bool isRenewed) => (row.GetString(0), new HeldRun(row.GetInt32(1), row.Flag(2), isRenewed));
}
