using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting.Systemd;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform;

/// <summary>
/// Speaks with the service manager (<c>Type=notify</c>): ready once requests are served, stopping as soon as that begins, and a sign of life as often as the unit asks for.
/// Silent where nobody listens (<c>NOTIFY_SOCKET</c> is not set).
/// </summary>
internal sealed partial class SystemdNotice(ISystemdNotifier manager, ServerArguments arguments, Variables variables, TimeProvider time, ILogger<SystemdNotice> logger) : LifecycleService, IDisposable
{
    private ITimer? _lifeSigns;

    /// <summary>A server inside a command is no service, whoever started the command.</summary>
    private bool IsHeard => manager.IsEnabled && !arguments.IsEmbedded;

    public override Task StartedAsync(CancellationToken cancellationToken)
    {
        Tell("READY=1\nSTATUS=serving");
        if (IsHeard && WatchdogInterval(variables) is { } interval)
        {
            // From a timer, and so from the pool that serves requests: a pool that stands still gives no sign of life.
            _lifeSigns = time.CreateTimer(_ => Tell("WATCHDOG=1"), null, TimeSpan.Zero, interval / 2);
        }

        return Task.CompletedTask;
    }

    /// <summary>Signs of life go on: a stop that hangs is one, and its time-out is the unit's.</summary>
    public override Task StoppingAsync(CancellationToken cancellationToken)
    {
        Tell("STOPPING=1\nSTATUS=finishing what was accepted");
        return Task.CompletedTask;
    }

    public void Dispose() => _lifeSigns?.Dispose();

    /// <summary>What <c>WatchdogSec=</c> asks of this process; null: nothing, or it is meant for another one.</summary>
    internal static TimeSpan? WatchdogInterval(Variables variables) =>
        long.TryParse(variables.Get("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0
        && (variables.Get("WATCHDOG_PID") is not { } pid || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;

    private void Tell(string state)
    {
        if (!IsHeard)
        {
            return;
        }

        try
        {
            manager.Notify(new ServiceState(state));
        }
        catch (SocketException e)
        {
            LogNotHeard(state.Split('\n')[0], e.SocketErrorCode);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The service manager could not be told {State}: {Error}. The server goes on; a unit with WatchdogSec will restart it.")]
    private partial void LogNotHeard(string state, SocketError error);
}
