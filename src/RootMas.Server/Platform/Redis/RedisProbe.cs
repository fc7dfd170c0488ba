using System.Globalization;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Redis;

/// <summary>How quickly Redis does what it is there for, and what went wrong last: one that answers, and refuses what limits, budgets and caches ask of it, is no better than none. Without Redis requests are served, so it never makes the server unready.</summary>
internal sealed class RedisProbe(RedisPool pool, IClusterBus bus, RedisCircuit circuit, RedisInstances instances, TimeProvider time) : IHealthProbe
{
    /// <summary>As the metrics tell it.</summary>
    public const string Use = "health";

    /// <summary>As its users do: a script, and a write that ends by itself.</summary>
    private const string Script = "redis.call('SET', KEYS[1], '1', 'EX', 60) return 1";

    public string Name => "redis";

    public bool IsCritical => false;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var answer = await pool.TryScriptAsync(Use, Script, [pool.Prefix + "health"], [], cancellationToken);
        var last = pool.LastFailure;
        if (!answer.IsThere)
        {
            var left = circuit.IsClosed ? "" : $", and is left alone for {circuit.Policy.BreakFor.TotalSeconds:0.#} s at a time";
            var what = last is { Class: var kind } && RedisErrors.IsRefusal(kind) ? "refuses what it is there for" : "does not answer";
            return HealthState.Unhealthy($"{what}: {last?.Class ?? "not connected yet"}{left}. Limits are counted here and stricter, caches are cold", last?.Class ?? "unreachable");
        }

        var text = string.Create(CultureInfo.InvariantCulture, $"answers in {time.GetElapsedTime(began).TotalMilliseconds:0.0} ms");
        text = last is null ? text : $"{text}; last failure {last.At.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: {last.Class}";
        var state = instances.Neighbour is { } other ? HealthState.Degraded($"{text}; the installation {other} uses the same Redis:KeyPrefix: limits and budgets of both are counted together. Give each a prefix of its own")
            : !bus.IsConnected ? HealthState.Degraded($"{text}; messages of other instances are not heard, the database is asked instead")
            : pool.Refused is { } refused ? HealthState.Degraded($"{text}; refuses some of what it is there for: {refused}, which is done without it")
            : HealthState.Healthy(text);
        return state with { LastError = last?.Class, LastErrorAt = last?.At };
    }
}
