using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Resilience;

/// <summary>The circuits. An open one is a weakness, never a reason to send requests elsewhere: every instance sees the same service fail.</summary>
internal sealed class OutboundProbe(OutboundPolicies policies) : IHealthProbe
{
    public string Name => "outbound";

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var circuits = policies.Circuits().ToList();
        var broken = circuits.Where(static c => c.State != "closed").GroupBy(static c => (c.Client, c.State)).OrderBy(static g => g.Key.Client, StringComparer.Ordinal)
            .Select(static g => $"{g.Key.Client} is {g.Key.State.Replace('_', ' ')}{(g.Count() > 1 ? $" for {g.Count()} services" : "")}{Last(g)}").ToList();
        return ValueTask.FromResult(broken.Count == 0
            ? HealthState.Healthy($"{circuits.Count} circuits, all closed")
            : HealthState.Degraded($"{string.Join("; ", broken)} (of {circuits.Count} circuits)"));
    }

    private static string Last(IEnumerable<(string Client, string Target, string State, string? LastFailure)> circuits) =>
        circuits.Select(static c => c.LastFailure).FirstOrDefault(static f => f is not null) is { } failure ? $", last failure {failure}" : "";
}
