using System.Data.Common;
using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <param name="IsTold">Something in its inbox is not in its log yet.</param>
internal readonly record struct HeldRun(int Attempt, bool IsTold);

/// <summary>Renews what a worker holds.</summary>
internal static class RunLeases
{
    private const string Longer = "UPDATE runs SET lease_until = CASE WHEN lease_until > @lease THEN lease_until ELSE @lease END WHERE";

    private const string Mine = "worker = @worker AND status = 'running'";

    private const string WhatIsHeld = "RETURNING id, attempt, inbox_seq > inbox_done";

    private const string One = $"{Longer} id = @id AND {Mine} {WhatIsHeld}";

    /// <summary>Rows that are being written just now are left out: who holds all others until those are free holds up every run of the worker.</summary>
    private static readonly SqlText Many = new(
        SqlDialect.InList($"{Longer} {Mine} AND", "id", "ids", WhatIsHeld).Sqlite,
        SqlDialect.InList($"{Longer} id IN (SELECT id FROM runs WHERE {Mine} AND", "id", "ids", $"FOR NO KEY UPDATE SKIP LOCKED) {WhatIsHeld}").Postgres);

    /// <summary>
    /// Those that nobody writes to at the moment at once, the others one by one. The answer names those that are still this worker's, with their attempts, and whether something is in their inbox.
    /// </summary>
    public static async Task<Dictionary<string, HeldRun>> RenewAsync(IDatabase database, string worker, IReadOnlyCollection<string> runIds, TimeSpan lease, CancellationToken cancellationToken)
    {
        var held = new Dictionary<string, HeldRun>(StringComparer.Ordinal);
        if (runIds.Count > 1)
        {
            await RenewAsync(Many, "ids", JsonSerializer.Serialize(runIds));
            if (database.Kind == DatabaseKind.Sqlite)
            {
                return held; // one writer: nothing was being written
            }
        }

        foreach (var id in runIds.Where(id => !held.ContainsKey(id)).ToList())
        {
            await RenewAsync(new SqlText(One, One), "id", id);
        }

        return held;

        async Task RenewAsync(SqlText sql, string name, string value)
        {
            var rows = await database.WriteAsync(
                session => session.Prepared(sql).Set("lease", session.Now + lease).Set("worker", worker).Set(name, value).ListAsync(Read), cancellationToken);
            foreach (var (id, run) in rows)
            {
                held[id] = run;
            }
        }
    }

    private static (string Id, HeldRun Run) Read(DbDataReader row) => (row.GetString(0), new HeldRun(row.GetInt32(1), row.Flag(2)));
}
