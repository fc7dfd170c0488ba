using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Platform.Data;

/// <summary>The statements that PostgreSQL remembers of a program's one connection, and how it would run them.</summary>
internal static class PreparedPlans
{
    /// <summary>Not on anybody's way, and a walk by their nature: beginnings of statements, each with its reason.</summary>
    private static readonly string[] Walks =
    [
        "select count(*) from messages where role = 'user'", // by the dashboard, once a minute at most: a count of everything
        "DELETE FROM cached_answers WHERE documents LIKE", // when a document changes: of the answers that are kept, whose number is bounded, those that cite it
    ];

    /// <summary>Tables of which a statement counts every row. They hold what waits to be sent or looked at, and are nearly always empty.</summary>
    private static readonly string[] Counted = ["run_wakeups", "dead_letters"];

    /// <summary>Everything from a point on, which is always near the end: PostgreSQL plans these anew for the parameter, since not knowing it looks dearer.</summary>
    private static readonly (string Statement, string Parameter)[] FromAPointOn =
    [
        ("SELECT id, origin, topic, subject FROM shared_changes WHERE writer >=", "9000000000000000"),
    ];

    public static Task<List<string>> NamesAsync(IDatabase database) => database.ReadAsync(
        static async session => await session.Prepared("SELECT statement FROM pg_prepared_statements").ListAsync(static r => r.GetString(0)), default);

    /// <summary>How many there are, and those that read one of the <paramref name="large"/> tables from end to end, in the plan that is made without knowing the parameters.</summary>
    public static Task<(int Statements, List<string> Offences)> ExplainAsync(IDatabase database, string[] large) => database.ReadAsync(
        async session =>
        {
            var prepared = await session.Prepared("SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements").ListAsync(static r => (Name: r.GetString(0), Sql: r.GetString(1), Parameters: r.GetInt32(2)));
            List<string> offences = [];
            foreach (var (name, sql, parameters) in prepared.Where(static p => !Walks.Any(w => p.Sql.StartsWith(w, StringComparison.Ordinal)) && Explainable(p.Sql)))
            {
                var known = FromAPointOn.FirstOrDefault(p => sql.StartsWith(p.Statement, StringComparison.Ordinal)).Parameter;
                await session.Prepared($"SET LOCAL plan_cache_mode = {(known is null ? "force_generic_plan" : "force_custom_plan")}").RunAsync();
                var values = parameters == 0 ? "" : $"({string.Join(", ", Enumerable.Repeat(known ?? "NULL", parameters))})";
                var plan = await session.Prepared($"EXPLAIN EXECUTE \"{name}\"{values}").ListAsync(static r => r.GetString(0));
                var asked = large.Where(table => !(Counted.Contains(table) && sql.Contains($"(SELECT COUNT(*) FROM {table})", StringComparison.Ordinal))).ToList();
                offences.AddRange(plan.Where(line => asked.Exists(table => line.Contains($"Seq Scan on {table} ", StringComparison.Ordinal)))
                    .Take(1).Select(_ => $"{sql}\n{string.Join('\n', plan)}"));
            }

            return (prepared.Count, offences);
        },
        default);

    private static bool Explainable(string sql) =>
        (string[])["select", "insert", "update", "delete", "with"] is var verbs && verbs.Any(verb => sql.TrimStart().StartsWith(verb, StringComparison.OrdinalIgnoreCase));
}
