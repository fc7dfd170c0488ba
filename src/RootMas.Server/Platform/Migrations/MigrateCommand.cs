using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Migrations;

/// <summary>What <c>rootmas migrate [--plan]</c> does. The database's own start does the same; this is for those who want to look first, or to do it apart from the start.</summary>
public static class MigrateCommand
{
    /// <summary>Shows what is pending, and applies it unless <paramref name="planOnly"/>. Data goes to <paramref name="output"/>, notes to <paramref name="notes"/>.</summary>
    /// <returns>The exit code: 0 done or shown, 2 refused, 5 another process owns the directory, 7 PostgreSQL did not answer.</returns>
    public static async Task<int> RunAsync(MigrationTarget target, DataDirectory directory, bool planOnly, bool json, TextWriter output, TextWriter notes, CancellationToken cancellationToken)
    {
        try
        {
            var plan = await target.Plan(cancellationToken);
            if (!planOnly && plan.Refusal is null)
            {
                directory.Acquire();
                var applied = await target.Migrate(cancellationToken);
                await notes.WriteLineAsync(applied.Count == 0 ? "The database was up to date." : $"Applied {applied.Count} migration(s) to {target.Place}.");
                plan = await target.Plan(cancellationToken);
            }

            Show(plan, json, output);
            if (plan.Refusal is { } refusal)
            {
                await notes.WriteLineAsync(refusal);
                return 2;
            }

            return 0;
        }
        catch (StartupRefusedException refused)
        {
            await notes.WriteLineAsync(refused.Message);
            return refused.ExitCode;
        }
        catch (Exception error) when (PostgresErrors.IsOutage(error))
        {
            var kind = PostgresErrors.ClassOf(error);
            await notes.WriteLineAsync($"The PostgreSQL database {target.Place} cannot be used ({kind}). Nothing was changed. {PostgresErrors.StartAdvice(kind)}");
            return StartupRefusedException.CodeOf(kind);
        }
    }

    private static void Show(MigrationPlan plan, bool json, TextWriter output)
    {
        var rows = plan.Applied.Select(row => new Row(row.Number, row.Name, row.AppliedAt, row.ProgramVersion))
            .Concat(plan.Pending.Select(migration => new Row(migration.Number, migration.Name, null, null)))
            .OrderBy(row => row.Number);
        foreach (var row in rows)
        {
            output.WriteLine(json
                ? JsonSerializer.Serialize(row, Format)
                : $"{row.Number:0000}  {row.Name,-20}  {(row.AppliedAt is { } at ? $"applied {at:yyyy-MM-dd HH:mm:ss}Z by {row.ProgramVersion}" : "pending")}");
        }
    }

    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private sealed record Row(int Number, string Name, DateTimeOffset? AppliedAt, string? ProgramVersion);
}
