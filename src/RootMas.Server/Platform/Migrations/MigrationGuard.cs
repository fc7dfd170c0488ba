using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Migrations;

/// <summary>Does something before the schema of a database with data is changed, and may refuse it.</summary>
public interface IBeforeMigration
{
    /// <exception cref="StartupRefusedException">The change must not happen.</exception>
    Task RunAsync(MigrationPlan plan, CancellationToken cancellationToken);
}

/// <summary>What stands between a start and a changed schema. Call as owner of the data directory; it takes it otherwise.</summary>
public sealed class MigrationGuard(MigrationTarget target, DataDirectory directory, IEnumerable<IBeforeMigration> before)
{
    /// <exception cref="StartupRefusedException">Somebody else owns the data directory, a restore was interrupted, or what must be done before could not be done.</exception>
    public async Task PassAsync(CancellationToken cancellationToken)
    {
        directory.Acquire();
        HalfRestored.Refuse(directory);
        if (await target.Plan(cancellationToken) is { Refusal: null, Applied.Count: > 0, Pending.Count: > 0 } plan)
        {
            foreach (var guard in before)
            {
                await guard.RunAsync(plan, cancellationToken);
            }
        }
    }
}
