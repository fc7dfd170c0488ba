using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Health;

/// <summary>The database answers a read, and saved what it was given last. One that cannot save is degraded and not unhealthy: only a write shows that it can again, and without requests there would be none.</summary>
internal sealed class DatabaseProbe(IDatabase database) : IHealthProbe
{
    public string Name => "database";

    public bool IsCritical => true;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        await database.LookAsync(static async session => await session.Prepared("select 1").ExecuteScalarAsync(), cancellationToken);
        var why = database switch { SqliteDatabase embedded => embedded.LastWriteFailure, PostgresDatabase server => server.LastWriteFailure, _ => null };
        return why is null ? HealthState.Healthy()
            : HealthState.Degraded($"the last write could not be saved ({why}): requests that change something are answered 503. {AdviceOf(why)}; saving goes on by itself.", why);
    }

    private static string AdviceOf(string why) =>
        why == PostgresErrors.ReadOnly ? $"{PostgresErrors.TakesNoWrites}: check that Database:ConnectionString names the primary" : "Free some space, or look at the disk";
}

/// <summary>How quickly PostgreSQL answers, and what went wrong last.</summary>
internal sealed class PostgresProbe(PostgresDatabase database, TimeProvider time) : IHealthProbe
{
    public string Name => "postgres";

    public bool IsCritical => true;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        try
        {
            await database.LookAsync(static async session => await session.Prepared("select 1").ExecuteScalarAsync(), cancellationToken);
        }
        catch (StorageUnavailableException error)
        {
            var kind = database.ClassOf(error);
            return HealthState.Unhealthy(kind == PostgresErrors.ReadOnly ? $"takes no writes ({kind}), so nothing is read from it either. {PostgresErrors.StartAdvice(kind)}" : $"does not answer: {kind}", kind);
        }

        var text = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"answers in {time.GetElapsedTime(began).TotalMilliseconds:0.0} ms, {database.Waiting} calls wait");
        return database.LastFailure is { } last
            ? HealthState.Healthy($"{text}; last failure {last.At.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: {last.Class}") with { LastError = last.Class, LastErrorAt = last.At }
            : HealthState.Healthy(text);
    }
}

/// <summary>Parts that larger installations have; here they are named so that their absence is not mistaken for silence.</summary>
internal sealed class AbsentProbe(string name, string detail) : IHealthProbe
{
    public string Name => name;

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(HealthState.NotConfigured(detail));
}
