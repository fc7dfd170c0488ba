using RootMas.Server.Platform.Migrations;

namespace RootMas.Server.Platform.Moving;

/// <summary>What both kinds of database are asked before anything is copied.</summary>
internal static class CopyChecks
{
    /// <summary>The one row that the schema itself puts somewhere: the head of an empty audit log.</summary>
    private const string Seeded = "audit_head";

    /// <summary>What is a database's own, and no part of what moves: keys that only its master key opens (they go as files), and when its backups were made, which are another installation's.</summary>
    private static readonly string[] Own = ["shared_keys", "backup_state"];

    public static bool Moves(string table) => !Own.Contains(table, StringComparer.Ordinal);

    /// <summary>Whether a target may get this program's schema before it is copied to. What has any other one has to be empty: it has no backup.</summary>
    public static bool IsBehind(MigrationPlan plan) => plan is { Refusal: null, Newer.Count: 0, Pending.Count: > 0 };

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
