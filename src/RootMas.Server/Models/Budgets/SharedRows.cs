using System.Data.Common;
using System.Globalization;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Models.Budgets;

/// <summary>What a visit found, and left, of one count.</summary>
/// <param name="Row">What this instance's row says now, as far as that is relied on.</param>
/// <param name="Shown">Ids of its rows that the ledger shows.</param>
internal sealed record SharedVisit(long Row, HashSet<string> Shown);

/// <summary>The rows of <see cref="SharedSpend"/>, on PostgreSQL.</summary>
/// <param name="me">This instance's name.</param>
internal sealed class SharedRows(IPresence presence, string me)
{
    private const string Turn = "SELECT pg_advisory_xact_lock(hashtextextended('budgets', 0))";
    private const string DeleteOld = "DELETE FROM budget_holds WHERE until <= @now";
    private const string SumOfOthers = "SELECT CAST(coalesce(sum(micro_usd), 0) AS BIGINT) FROM budget_holds WHERE day = @day AND name = @name AND instance <> @instance";

    private const string Put = """
        INSERT INTO budget_holds (day, name, instance, micro_usd, until) VALUES (@day, @name, @instance, @held, @until)
        ON CONFLICT (day, name, instance) DO UPDATE SET micro_usd = excluded.micro_usd, until = greatest(budget_holds.until, excluded.until)
        """;

    private const string Lower = "UPDATE budget_holds SET micro_usd = @held WHERE day = @day AND name = @name AND instance = @instance AND micro_usd > @held";
    private const string Delete = "DELETE FROM budget_holds WHERE day = @day AND name = @name AND instance = @instance";
    private const string SelectShown = "SELECT id FROM usage_ledger WHERE id = ANY(string_to_array(@rows, ','))";

    /// <summary>Instances that have not shown themselves for so long; whether they live is asked then.</summary>
    private const string SelectSilent = """
        SELECT DISTINCT h.instance FROM budget_holds h LEFT JOIN instances i ON i.name = h.instance
        WHERE h.instance <> @instance AND (i.seen_at IS NULL OR i.seen_at < @longAgo)
        """;

    private const string DeleteSilent = "DELETE FROM budget_holds WHERE instance = @instance AND NOT EXISTS (SELECT 1 FROM instances WHERE name = @instance AND seen_at >= @longAgo)";

    private const string OfUser = " AND (owner_id = @of OR (owner_id >= @of || '/' AND owner_id < @of || '0'))"; // with the user's external subjects: '0' follows '/' in ASCII
    private const string OfAgent = " AND agent = @of";

    /// <summary>Others count an instance as gone after this; it relies on its rows for less (<see cref="Platform.Cluster.InstanceRegistry.Lapse"/>).</summary>
    private static readonly TimeSpan Gone = TimeSpan.FromSeconds(20);

    /// <summary>Deletes rows that have ended and that nobody looked for: no limit is set any more, or Redis counts.</summary>
    public static ValueTask<int> CleanAsync(DbSession session) => session.Prepared(DeleteOld).Set("now", session.Now).RunAsync();

    /// <summary>Looks how each count stands, while no other instance can take anything, and takes what the request needs, of all of them or of none.</summary>
    public async ValueTask<(List<SharedLook> Looks, List<SharedVisit> Visits)> TakeAsync(DbSession session, SpendRequest request, List<SpendLimit> limits, List<SharedCount> counts)
    {
        await session.Prepared(Turn).RunAsync();
        await CleanAsync(session);
        List<SharedLook> looks = [];
        List<HashSet<string>> shown = [];
        for (var i = 0; i < limits.Count; i++)
        {
            var others = await At(session, SumOfOthers, request.Day, limits[i].Key).Int64Async() ?? 0;
            var (spent, seen) = await SpentAsync(session, request.Day, limits[i], counts[i].Unseen); // after the others' rows: what left one of them is in the ledger
            looks.Add(SharedLook.At(limits[i].Most.MicroUsd, spent, others, counts[i].NeededWithout(seen), request));
            shown.Add(seen);
        }

        var isGranted = looks.TrueForAll(static l => l.Offer is not null);
        var visits = looks.Select((look, i) => new SharedVisit(counts[i].NeededWithout(shown[i]) + (isGranted ? look.Taken : 0), shown[i])).ToList();
        for (var i = 0; i < limits.Count; i++)
        {
            await session.SendAsync(visits[i].Row == 0
                ? At(session, Delete, request.Day, limits[i].Key)
                : At(session, Put, request.Day, limits[i].Key).Set("held", visits[i].Row).Set("until", session.Now + (2 * request.Life)));
        }

        return (looks, visits);
    }

    /// <summary>Leaves in each row what is needed.</summary>
    public async ValueTask<List<SharedVisit>> LowerAsync(DbSession session, DateOnly day, List<(string Key, SharedCount Count)> unused)
    {
        var shown = await ShownAsync(session, [.. unused.SelectMany(static u => u.Count.Unseen).Distinct(StringComparer.Ordinal)]);
        List<SharedVisit> visits = [];
        foreach (var (key, count) in unused)
        {
            var needed = count.NeededWithout(shown);
            await session.SendAsync(needed == 0 ? At(session, Delete, day, key) : At(session, Lower, day, key).Set("held", needed));
            visits.Add(new SharedVisit(Math.Min(count.Row, needed), shown));
        }

        return visits;
    }

    /// <summary>Which of these rows the ledger has.</summary>
    public static async ValueTask<HashSet<string>> ShownAsync(DbSession session, IReadOnlyCollection<string> rows) =>
        rows.Count == 0 ? [] : [.. await session.Prepared(SelectShown).Set("rows", string.Join(',', rows)).ListAsync(static r => r.GetString(0))];

    /// <summary>Lets go of what killed instances had taken. False: there is nothing of such.</summary>
    public async Task<bool> FreeGoneAsync(IDatabase database)
    {
        var silent = await database.ReadAsync(
            session => session.Prepared(SelectSilent).Set("instance", me).Set("longAgo", session.Now - Gone).ListAsync(static r => r.GetString(0)), CancellationToken.None);
        var gone = await presence.GoneAsync(silent, CancellationToken.None);
        return gone.Count > 0 && await database.WriteAsync(
            async session =>
            {
                await session.Prepared(Turn).RunAsync();
                var freed = 0;
                foreach (var name in gone)
                {
                    freed += await session.Prepared(DeleteSilent).Set("instance", name).Set("longAgo", session.Now - Gone).RunAsync();
                }

                return freed > 0;
            },
            CancellationToken.None);
    }

    /// <summary>What a count has cost, and which of these rows of the ledger are in that: one statement, so that a row is in the sum if it is shown, and only then.</summary>
    private static async ValueTask<(long Spent, HashSet<string> Shown)> SpentAsync(DbSession session, DateOnly day, SpendLimit limit, IEnumerable<string> rows)
    {
        var at = limit.Key.IndexOf(':', StringComparison.Ordinal);
        var counted = "created_at >= @from AND created_at < @to AND cost_micro_usd > 0" + limit.Scope switch { "user" => OfUser, "agent" => OfAgent, _ => "" };
        var sql = $"""
            SELECT CAST(coalesce(sum(cost_micro_usd), 0) AS BIGINT), (SELECT string_agg(id, ',') FROM usage_ledger WHERE id = ANY(string_to_array(@rows, ',')) AND {counted}) FROM usage_ledger
            WHERE id >= @first AND id < @last AND {counted}
            """;
        var from = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
        var command = session.Prepared(sql).Set("rows", string.Join(',', rows))
            .Set("first", RetentionKind.IdAt(from - LedgerStore.IdMargin)).Set("last", RetentionKind.IdAt(from.AddDays(1) + LedgerStore.IdMargin)).Set("from", from).Set("to", from.AddDays(1));
        var (spent, shown) = (await (at < 0 ? command : command.Set("of", limit.Key[(at + 1)..])).ListAsync(static r => (r.GetInt64(0), r.StringOrNull(1))))[0];
        return (spent, [.. shown?.Split(',') ?? []]);
    }

    private DbCommand At(DbSession session, string sql, DateOnly day, string name) =>
        session.Prepared(sql).Set("day", day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)).Set("name", name).Set("instance", me);
}
