using System.Diagnostics.Metrics;
using System.Text;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Health;

/// <summary>
/// What goes on in the background for as long as the process lives. The host's own rule is that an exception in one such service ends the whole server; here it is told, counted and shown in <c>/health</c>, and the service begins again
/// after a pause that grows. No promise hangs on one of them being without a pause: ownership, leases and limits are compared in the database at the moment of use (decision 34).
/// </summary>
public abstract partial class SupervisedService : BackgroundService
{
    /// <summary>A service that has gone on for so long without a failure is well again.</summary>
    internal static readonly TimeSpan Calm = TimeSpan.FromMinutes(5);

    private const int LongestPauseSeconds = 60;

    private static readonly Counter<long> Failures = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.background.failures", "{failure}", "Unexpected failures of services in the background, by service; each began again.");

    private readonly Lock _lock = new();
    private (string Class, DateTimeOffset At)? _failure;

    /// <summary>As log, metrics and health show it: <c>graph-reader</c>.</summary>
    internal string Name => Kebab(GetType().Name);

    /// <summary>Class and time of the newest failure, while it is recent; null: all is well.</summary>
    internal (string Class, DateTimeOffset At)? RecentFailure
    {
        get
        {
            lock (_lock)
            {
                return _failure is { } failure && Means.Clock.GetUtcNow() - failure.At < Calm ? failure : null;
            }
        }
    }

    /// <summary>What pauses are measured with, and where failures are told.</summary>
    protected abstract (TimeProvider Clock, ILogger Logger) Means { get; }

    internal static void CreateMetrics() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(SupervisedService).TypeHandle);

    /// <summary>The work: until it is told to stop, or there is nothing to do in this process. It may throw; then it is called again.</summary>
    protected abstract Task RunAsync(CancellationToken stoppingToken);

    protected sealed override Task ExecuteAsync(CancellationToken stoppingToken) => KeepAsync(RunAsync, stoppingToken);

    /// <summary>For a service of several loops, each of which must go on when another fails: waiting for all of them would not notice that one has ended.</summary>
    protected Task KeepAllAsync(CancellationToken stoppingToken, params IEnumerable<Func<CancellationToken, Task>> loops) => Task.WhenAll(loops.Select(loop => KeepAsync(loop, stoppingToken)));

    private async Task KeepAsync(Func<CancellationToken, Task> loop, CancellationToken stoppingToken)
    {
        for (var failures = 1; !stoppingToken.IsCancellationRequested; failures++)
        {
            var began = Means.Clock.GetTimestamp();
            try
            {
                await loop(stoppingToken);
                return;
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return; // what is thrown at the end of the process, most often that it was cancelled, changes nothing
            }
#pragma warning disable CA1031 // that is what it is for
            catch (Exception e)
#pragma warning restore CA1031
            {
                failures = Means.Clock.GetElapsedTime(began) > Calm ? 1 : failures;
                var pause = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures - 1), LongestPauseSeconds));
                Note(e);
                LogFailed(Means.Logger, Name, pause, e);
                await Task.Delay(pause, Means.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Note(Exception failure)
    {
        lock (_lock)
        {
            _failure = (HealthState.ClassOf(failure), Means.Clock.GetUtcNow());
        }

        Failures.Add(1, new KeyValuePair<string, object?>("background_service", Name));
    }

    private static string Kebab(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        foreach (var c in name)
        {
            text.Append(char.IsUpper(c) && text.Length > 0 ? "-" : "").Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Service} failed unexpectedly; it begins again in {Pause}, and everything else goes on")]
    private static partial void LogFailed(ILogger logger, string service, TimeSpan pause, Exception exception);
}
