using System.Globalization;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>Runs that had not ended when the backup was made. A server goes on with them; where the source does so too, each of their calls would be made twice.</summary>
internal static class RestoredRuns
{
    private const string Unfinished = "SELECT count(*) FROM runs WHERE ended_at IS NULL";

    /// <summary>As everybody but its owner speaks to a run: a word in its inbox, which is read before the next step.</summary>
    private const string Tell = """
        INSERT INTO run_inbox (run_id, key, payload, created_at) SELECT id, 'cancel', @payload, @now FROM runs WHERE ended_at IS NULL
        ON CONFLICT (run_id, key) DO NOTHING
        """;

    private const string Raise = "UPDATE runs SET inbox_seq = (SELECT MAX(i.id) FROM run_inbox i WHERE i.run_id = runs.id) WHERE ended_at IS NULL";

    /// <summary>For these a model would be asked. What was skipped is kept, as the queue of memory keeps it: due at the end of time.</summary>
    private const string Unlearned = "DELETE FROM memory_jobs WHERE due_at <> @never";

    /// <summary>The first migration in which a run says since when it is ready.</summary>
    private const int SaysWhenReady = 73;

    private static readonly CancelRequested Ends = new("Its backup was restored with --end-runs.", By: null, KeepText: false);

    /// <returns>What is to be told; null: there is nothing.</returns>
    /// <param name="anew">The source may live on.</param>
    public static async ValueTask<string?> SettleAsync(DbSession session, BackupManifest manifest, bool end, bool anew)
    {
        if (end && manifest.Database.Tables.ContainsKey("memory_jobs"))
        {
            await session.Prepared(Unlearned).Set("never", DateTimeOffset.MaxValue).RunAsync();
        }

        var count = manifest.Database.Tables.ContainsKey("runs") ? await session.Prepared(Unfinished).Int64Async() ?? 0 : 0;
        if (count == 0)
        {
            return null;
        }

        var runs = string.Create(CultureInfo.InvariantCulture, $"{count} unfinished {(count == 1 ? "run" : "runs")} of the backup");
        if (!end)
        {
            return anew
                ? $"{runs} will go on here when a server starts: models are asked, and calls that were approved are made, also where the source does the same. If the source lives on, restore again with --end-runs, which ends them."
                : null;
        }

        await session.Prepared(Tell).Set("payload", RunJson.Serialize(Ends)).Set("now", session.Now).RunAsync();
        await session.Prepared(Raise).RunAsync();
        await session.Prepared(Unpark(manifest)).Set("now", session.Now).RunAsync();
        return $"{runs} will be cancelled when a server starts, before anything more of them is asked or done.";
    }

    /// <summary>What waits for a person, a part or a time is taken up, so that it reads that word.</summary>
    private static string Unpark(BackupManifest manifest) => $"""
        UPDATE runs SET status = 'queued', wake_at = NULL, parked_at = NULL{(manifest.Database.Migrations.Any(static m => m.Number >= SaysWhenReady) ? ", ready_at = @now" : "")},
            parked_on_humans_ms = parked_on_humans_ms + CASE WHEN status IN ('waiting_approval', 'waiting_input', 'needs_review') AND @now > parked_at THEN (@now - parked_at) / 1000 ELSE 0 END
        WHERE ended_at IS NULL AND status NOT IN ('queued', 'running')
        """;
}
