using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models;

/// <summary>
/// Asks each configured endpoint from time to time whether it is there and takes the key (no tokens are spent), so that an endpoint that nobody used yet is known to be unreachable; and remembers what it found, so that asking for health is no traffic to providers.
/// </summary>
internal sealed partial class ModelWatch(ModelDoctor doctor, HealthOptions options, BackgroundJobs jobs, TimeProvider clock, ILogger<ModelWatch> logger) : SupervisedService
{
    private volatile IReadOnlyList<ProviderState> _found = [];

    /// <summary>Empty before the first look.</summary>
    public IReadOnlyList<ProviderState> Found => _found;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        var job = jobs.Add("model-check", options.ModelCheckInterval);
        using var timer = new PeriodicTimer(options.ModelCheckInterval, clock);
        try
        {
            do
            {
                await LookAsync(job, stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // the end of the process
        }
    }

    private async Task LookAsync(BackgroundJob job, CancellationToken cancellationToken)
    {
        try
        {
            await job.RunAsync(async token => _found = await doctor.ExamineAsync(token), cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // What one provider answers, however odd, must not end the watch over all.
            LogFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The model endpoints could not be checked; it is tried again")]
    private partial void LogFailed(Exception exception);
}

/// <summary>Models in <c>/health</c>: what traffic and the last check of each endpoint have shown.</summary>
internal sealed class ModelsProbe(ModelDoctor doctor, ModelWatch watch, ModelCatalogSource source) : IHealthProbe
{
    public string Name => "models";

    /// <summary>Runs wait and go on by themselves when models come back: the server is of use without them.</summary>
    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var refused = source.Problems.Count;
        if (doctor.IsOffline && refused == 0)
        {
            return ValueTask.FromResult(HealthState.NotConfigured("The offline model answers: rules, not a neural network. Configure a provider for real answers."));
        }

        var endpoints = doctor.Endpoints;
        var parts = endpoints.Select(static e => e.Provider).Distinct(StringComparer.Ordinal)
            .ToDictionary(static p => p, p => StateOf(watch.Found.FirstOrDefault(f => f.Provider == p), [.. endpoints.Where(e => e.Provider == p)]), StringComparer.Ordinal);

        // An open circuit alone is no fault of the whole: others of the tier answer, and the next request to it tries.
        var bad = parts.Where(static p => p.Value.Status == HealthState.Bad).Select(static p => p.Key).Order(StringComparer.Ordinal).ToList();
        var state = !doctor.CanServe ? HealthState.Degraded("A tier has no model that answers; its runs wait and go on by themselves. GET /api/v1/models says more.", "circuit_open")
            : bad.Count > 0 ? HealthState.Degraded($"Endpoints that do not answer as they should: {string.Join(", ", bad)}. GET /api/v1/models says more.")
            : HealthState.Healthy();
        return ValueTask.FromResult((refused > 0 ? Refused(refused, state) : state) with { Parts = parts });
    }

    /// <summary>What is wrong beside it is told too.</summary>
    private static HealthState Refused(int problems, HealthState state) => HealthState.Degraded(
        $"The newest edit of models.yaml is not in force: {problems} {(problems == 1 ? "error" : "errors")}; the models stay as they were. GET /api/v1/models and the log name them. {state.Detail}".TrimEnd(), state.LastError);

    internal void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.model.endpoint.reachable", "", "Whether each provider answered the last check and took the key: 1 or 0.",
            () => watch.Found.Select(static f => new Reading(f.Reachable && f.KeyValid != false ? 1 : 0, "provider", f.Provider)));
        meter.Observe("rootmas.model.circuit.open", "", "Whether the circuit breaker of each model refuses requests now: 1 or 0.",
            () => doctor.Endpoints.Select(static e => new Reading(e.Refuses ? 1 : 0, "model", e.Model, "provider", e.Provider)));
    }

    private static HealthState StateOf(ProviderState? found, List<EndpointState> models)
    {
        var open = models.Where(static m => m.Refuses).Select(static m => m.Model).ToList();
        var failure = models.Where(static m => m.LastErrorAt is not null).MaxBy(static m => m.LastErrorAt);
        if (found is { Reachable: false } && models.Exists(m => m.LastAnswerAt > found.CheckedAt))
        {
            found = null; // it has answered a request since: traffic knows more than the check
        }

        var state = found switch
        {
            { Kind: "offline" } => HealthState.Healthy("built in"),
            { Reachable: false } => HealthState.Unhealthy("does not answer", found.ErrorClass ?? "unreachable"),
            { KeyValid: false } => HealthState.Unhealthy("refuses the key", "auth"),
            { ErrorClass: "credit" } => HealthState.Unhealthy("has no credit left", "credit"),
            _ when open.Count > 0 => HealthState.Degraded($"not asked for a while after too many failures: {string.Join(", ", open)}", "circuit_open"),
            null => HealthState.Healthy("not checked yet"),
            _ => HealthState.Healthy("answers"),
        };
        return state with
        {
            Latency = found is null ? null : TimeSpan.FromMilliseconds(found.LatencyMs),
            LastError = state.LastError ?? failure?.LastErrorClass,
            LastErrorAt = state.LastError is null ? failure?.LastErrorAt : found?.CheckedAt,
        };
    }
}
