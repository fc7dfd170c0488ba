using System.Globalization;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Redis;

/// <summary>How quickly Redis answers, and what went wrong last. Without Redis requests are served, so it never makes the server unready.</summary>
internal sealed class RedisProbe(RedisPool pool, IClusterBus bus, RedisCircuit circuit, RedisInstances instances, TimeProvider time) : IHealthProbe
{
    public string Name => "redis";

    public bool IsCritical => false;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var answer = await pool.TryAsync("health", static session => session.Commands.PingAsync(), cancellationToken);
        var last = pool.LastFailure;
        if (!answer.IsThere)
        {
            var left = circuit.IsClosed ? "" : $", and is left alone for {circuit.Policy.BreakFor.TotalSeconds:0.#} s at a time";
            return HealthState.Unhealthy($"does not answer: {last?.Class ?? "not connected yet"}{left}. Limits are counted here and stricter, caches are cold", last?.Class ?? "unreachable");
        }

        var text = string.Create(CultureInfo.InvariantCulture, $"answers in {time.GetElapsedTime(began).TotalMilliseconds:0.0} ms");
        text = last is null ? text : $"{text}; last failure {last.At.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: {last.Class}";
        var state = instances.Neighbour is { } other ? HealthState.Degraded($"{text}; the installation {other} uses the same Redis:KeyPrefix: limits and budgets of both are counted together. Give each a prefix of its own")
            : bus.IsConnected ? HealthState.Healthy(text)
            : HealthState.Degraded($"{text}; messages of other instances are not heard, the database is asked instead");
        return state with { LastError = last?.Class, LastErrorAt = last?.At };
    }
}
