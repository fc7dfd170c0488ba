using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Platform.Migrations;

/// <summary>One numbered script.</summary>
/// <param name="Checksum">SHA-256 of the script, lower-case hex, line ends normalised.</param>
public sealed record Migration(int Number, string Name, string Sql, string Checksum)
{
    /// <summary>
    /// The oldest program that can work on the schema after this script, named by the newest migration that it knows; null: none but those that know this script. A script that only adds says it in its first line
    /// (<c>-- usable from 0048</c>): then a program of before starts on the newer schema, which an upgrade that is rolled back, or goes from machine to machine, depends on.
    /// </summary>
    public int? UsableFrom =>
        Sql.StartsWith(Usable, StringComparison.Ordinal) && Sql.Length >= Usable.Length + 4 && int.TryParse(Sql.AsSpan(Usable.Length, 4), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private const string Usable = "-- usable from ";

    public static Migration Of(int number, string name, string sql)
    {
        var text = sql.ReplaceLineEndings("\n");
        return new Migration(number, name, text, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))));
    }

    /// <summary>The scripts of one database (<c>sqlite</c>), embedded in this program, by number.</summary>
    /// <exception cref="InvalidOperationException">A name is not <c>NNNN_name.sql</c>, or a number is there twice.</exception>
    public static IReadOnlyList<Migration> Embedded(string database)
    {
        var assembly = Assembly.GetExecutingAssembly();
        var prefix = $"{typeof(Migration).Namespace}.{database}.";
        var all = assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name => Read(assembly, name, name[prefix.Length..]))
            .OrderBy(migration => migration.Number)
            .ToList();
        return all.DistinctBy(migration => migration.Number).Count() == all.Count
            ? all
            : throw new InvalidOperationException($"Two migrations of {database} have the same number.");
    }

    private static Migration Read(Assembly assembly, string resource, string file)
    {
        var underscore = file.IndexOf('_', StringComparison.Ordinal);
        if (underscore <= 0 || !int.TryParse(file.AsSpan(0, underscore), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            throw new InvalidOperationException($"The migration {file} is not named NNNN_name.sql.");
        }

        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
        return Of(number, System.IO.Path.GetFileNameWithoutExtension(file[(underscore + 1)..]), reader.ReadToEnd());
    }
}

/// <summary>A migration as the database remembers it.</summary>
/// <param name="UsableFrom">See <see cref="Migration.UsableFrom"/>.</param>
public sealed record AppliedMigration(int Number, string Name, string Checksum, DateTimeOffset AppliedAt, string ProgramVersion, int? UsableFrom = null);

/// <summary>What a start would do to a database.</summary>
/// <param name="Refusal">Not null: this program may not open the database, and why.</param>
public sealed record MigrationPlan(IReadOnlyList<AppliedMigration> Applied, IReadOnlyList<Migration> Pending, string? Refusal)
{
    /// <summary>What the database has and the program does not know; empty where they are of one age.</summary>
    public IReadOnlyList<AppliedMigration> Newer { get; private init; } = [];

    /// <summary>Compares what the program has with what the database has.</summary>
    public static MigrationPlan Of(IReadOnlyList<Migration> known, IReadOnlyList<AppliedMigration> applied)
    {
        var done = applied.Select(migration => migration.Number).ToHashSet();
        var numbers = known.Select(migration => migration.Number).ToHashSet();
        return new MigrationPlan(applied, [.. known.Where(migration => !done.Contains(migration.Number))], RefusalOf(known, applied))
        {
            Newer = [.. applied.Where(row => !numbers.Contains(row.Number))],
        };
    }

    private static string? RefusalOf(IReadOnlyList<Migration> known, IReadOnlyList<AppliedMigration> applied)
    {
        var byNumber = known.ToDictionary(migration => migration.Number);
        var newest = known.Count == 0 ? 0 : known.Max(migration => migration.Number);
        foreach (var row in applied)
        {
            if (!byNumber.TryGetValue(row.Number, out var migration))
            {
                if (row.UsableFrom <= newest)
                {
                    continue;
                }

                return $"The database is newer than this program: it has migration {row.Number:0000}_{row.Name}, made by version {row.ProgramVersion}. Nothing was changed. Start version {row.ProgramVersion} or a later one, or restore a backup from before the upgrade.";
            }

            if (migration.Checksum != row.Checksum)
            {
                return $"Migration {row.Number:0000}_{row.Name} was applied in another form (by version {row.ProgramVersion}) than this program has. Nothing was changed. Start the program that made this database, or use another data directory.";
            }
        }

        return null;
    }
}
