using RootMas.Server.Platform.Migrations;

namespace RootMas.Server.Platform.Moving;

/// <summary>What both kinds of database are asked before anything is copied.</summary>
internal static class CopyChecks
{
    /// <summary>The one row that the schema itself puts somewhere: the head of an empty audit log.</summary>
    private const string Seeded = "audit_head";

    public static void RefuseOtherSchema(MigrationPlan plan, string place)
    {
        if (plan.Refusal is { } refusal)
        {
            throw new StartupRefusedException($"{place}: {refusal}");
        }

        if (plan.Newer.Count > 0)
        {
            throw new StartupRefusedException($"{place} is newer than this program, which would copy only what it knows: it has migration {plan.Newer[0].Number:0000}_{plan.Newer[0].Name}, made by version {plan.Newer[0].ProgramVersion}. Nothing was changed. Copy with that version.");
        }

        if (plan.Pending.Count > 0)
        {
            throw new StartupRefusedException($"{place} has the schema of another version ({plan.Pending.Count} migrations are pending). Nothing was changed. Run 'rootmas migrate' on it first.");
        }
    }

    public static void RefuseContent(string table, long rows, string place)
    {
        if (rows > (table == Seeded ? 1 : 0))
        {
            throw new StartupRefusedException($"{place} is not empty: {table} has {rows} rows. Nothing was changed. Copy to a new database.");
        }
    }

    /// <summary>A row may point to rows that are there already.</summary>
    public static IReadOnlyList<CopyTable> ParentsFirst(IReadOnlyList<CopyTable> tables, IReadOnlyDictionary<string, IReadOnlyList<string>> parents)
    {
        var done = new HashSet<string>(StringComparer.Ordinal);
        var ordered = new List<CopyTable>();
        while (ordered.Count < tables.Count)
        {
            var next = tables.Where(t => !done.Contains(t.Name) && parents[t.Name].All(p => p == t.Name || done.Contains(p))).ToList();
            if (next.Count == 0)
            {
                throw new InvalidOperationException("Tables point to each other in a circle.");
            }

            ordered.AddRange(next);
            done.UnionWith(next.Select(static t => t.Name));
        }

        return ordered;
    }
}
