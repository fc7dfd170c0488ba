using System.Globalization;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Backups;

/// <summary>Whether there is a backup that can be relied on: not older than twice the interval, and verified within it.</summary>
internal sealed class BackupProbe(BackupOptions options, BackupState state, BackupService service, TimeProvider clock) : IHealthProbe
{
    public string Name => "backups";

    public bool IsCritical => false;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        if (!options.Scheduled)
        {
            return HealthState.NotConfigured("Backups:Scheduled is off: somebody else makes backups");
        }

        var read = await state.ReadAsync(cancellationToken);
        var (now, patience) = (clock.GetUtcNow(), 2 * options.Every);
        var times = read.AsOf(now);
        var text = $"last backup {Text(times.Success)}, last verified {Text(times.Verified)}";
        if (read.AnyAhead(now))
        {
            return HealthState.Degraded($"{text}: what came later is from a clock that was ahead, and does not count");
        }

        if (now - times.Since > patience)
        {
            return HealthState.Degraded($"{text}: older than twice the interval");
        }

        return now - (times.Verified ?? times.Installed) > patience ? HealthState.Degraded($"{text}: none was verified within twice the interval")
            : service.LastProblem is not null ? HealthState.Degraded($"{text}; the last attempt had a problem, see the log")
            : HealthState.Healthy(text);
    }

    private static string Text(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture) ?? "never";
}
