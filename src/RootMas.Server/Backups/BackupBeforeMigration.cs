using RootMas.Server.Platform;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Server.Backups;

/// <summary>A new version changes the schema of a database with data only after it was copied.</summary>
internal sealed partial class BackupBeforeMigration(BackupSetup setup, ILogger<BackupBeforeMigration> logger) : IBeforeMigration
{
    public async Task RunAsync(MigrationPlan plan, CancellationToken cancellationToken)
    {
        if (setup.Options.BeforeMigration == BeforeMigration.Never)
        {
            return;
        }

        try
        {
            var desk = new BackupDesk(setup);
            if (await desk.JustMadeBeforeMigrationAsync(plan.Applied.Select(static m => m.Number).DefaultIfEmpty().Max(), cancellationToken) is { } before)
            {
                LogThere(before, plan.Pending.Count);
                return;
            }

            var made = await desk.CreateAsync(BackupDesk.Migration, verify: false, cancellationToken);
            LogMade(made.Record.Id, plan.Pending.Count);
            foreach (var warning in made.Warnings)
            {
                LogWarning(warning);
            }
        }
        catch (BackupException e) when (setup.Options.BeforeMigration == BeforeMigration.WhenPossible)
        {
            LogNotMade(e);
        }
        catch (BackupException e)
        {
            throw new StartupRefusedException(
                $"Before {plan.Pending.Count} change(s) of the schema a backup is made, and it could not be made. The database was not changed. {e.Message} " +
                "If you have a backup of your own, start with ROOTMAS__Backups__BeforeMigration=WhenPossible.");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Made the backup {Backup} before {Count} migration(s)")]
    private partial void LogMade(string backup, int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "The backup {Backup} was made moments ago before the same {Count} migration(s), and is whole: no other one is made")]
    private partial void LogThere(string backup, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The backup before the migration was made, but: {Warning}")]
    private partial void LogWarning(string warning);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No backup could be made before the migration; it goes on, as Backups:BeforeMigration says")]
    private partial void LogNotMade(Exception exception);
}
