using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Health;

/// <summary>The database answers a read.</summary>
internal sealed class DatabaseProbe(IDatabase database) : IHealthProbe
{
    public string Name => "database";

    public bool IsCritical => true;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        await database.ReadAsync(static async session => await session.Prepared("select 1").ExecuteScalarAsync(), cancellationToken);
        return HealthState.Healthy();
    }
}

/// <summary>Parts that larger installations have; here they are named so that their absence is not mistaken for silence.</summary>
internal sealed class AbsentProbe(string name, string detail) : IHealthProbe
{
    public string Name => name;

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(HealthState.NotConfigured(detail));
}
