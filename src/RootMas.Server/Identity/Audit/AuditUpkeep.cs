using System.Text.Json.Nodes;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity.Audit;

/// <summary>Start and stop as rows, the settings that changed in between, and the head of the chain in the log.</summary>
internal sealed partial class AuditUpkeep(AuditServices audit, SettingsTree settings, ServerArguments arguments, BackgroundJobs jobs, TimeProvider clock, ILogger<AuditUpkeep> logger) : SupervisedService, IHostedLifecycleService
{
    private readonly BackgroundJob _job = jobs.Add("audit-upkeep", audit.Options.HeadInterval);
    private AuditHead _told = new(0, "");

    /// <exception cref="StartupRefusedException">The chain was made with another key.</exception>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await audit.Database.WriteAsync(BeginAsync, cancellationToken);
        await TellHeadAsync(cancellationToken);
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Last of all: what was refused while stopping is in it.</summary>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await audit.Denials.FlushAsync(all: true, cancellationToken);
            await audit.Database.WriteAsync(session => audit.Log.AppendAsync(session, Entry("server.stop")), cancellationToken);
            await TellHeadAsync(cancellationToken);
        }
        catch (StorageUnavailableException e)
        {
            LogNotKept(e);
        }
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    private async ValueTask BeginAsync(DbSession session)
    {
        if (await AuditStore.LastKeyAsync(session) is { } old && old != audit.Key.Id)
        {
            await TakeKeyAsync(session, old);
        }

        await audit.Log.AppendAsync(session, Entry("server.start") with
        {
            After = new JsonObject { ["version"] = ProgramVersion.Text, ["environment"] = settings.Take<ServerOptions>("Server").Environment, ["embedded"] = arguments.IsEmbedded, ["role"] = arguments.IsWorker ? "worker" : "serve" },
        });
        if (!arguments.IsEmbedded && !arguments.IsWorker)
        {
            // A command or a worker has settings of its own (an address); they are not the server's.
            await audit.Settings.CompareAsync(session, settings);
        }
    }

    private async ValueTask TakeKeyAsync(DbSession session, string old)
    {
        if (!audit.Options.AcceptNewKey)
        {
            throw new StartupRefusedException(
                $"The audit log was made with the key {old}, and the key in {(audit.Options.Key is { Length: > 0 } ? "Audit:Key" : "keys/" + AuditKey.FileName)} is {audit.Key.Id}. Put the old key back from a backup. " +
                "If it is lost, start once with ROOTMAS__Audit__AcceptNewKey=true: the log goes on with the new key, the change is a row in it, and older rows can no longer be verified.");
        }

        await audit.Log.AppendAsync(session, Entry("audit.key_replaced") with { TargetKind = "setting", TargetId = "Audit:Key", Before = old, After = audit.Key.Id });
    }

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(audit.Options.HeadInterval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TickAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogLoopEnded();
        }
    }

    private async Task TickAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _job.RunAsync(
                async token =>
                {
                    await audit.Denials.FlushAsync(all: false, token);
                    await TellHeadAsync(token);
                },
                cancellationToken);
        }
        catch (StorageUnavailableException e)
        {
            LogNotKept(e);
        }
    }

    private async Task TellHeadAsync(CancellationToken cancellationToken)
    {
        var head = await audit.Store.HeadAsync(cancellationToken);
        if (head != _told)
        {
            _told = head;
            LogHead(head);
        }
    }

    private static AuditEntry Entry(string action) => new() { Action = action, TargetKind = "server", TargetId = Environment.MachineName };

    [LoggerMessage(Level = LogLevel.Information, Message = "Audit head {Head}: 'rootmas audit verify --head' compares the log with it")]
    private partial void LogHead(AuditHead head);

    [LoggerMessage(Level = LogLevel.Error, Message = "The audit log could not be written; it is tried again")]
    private partial void LogNotKept(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The audit log is no longer looked after")]
    private partial void LogLoopEnded();
}

/// <summary>What <see cref="AuditUpkeep"/> works with.</summary>
internal sealed record AuditServices(AuditOptions Options, AuditKey Key, AuditLog Log, AuditStore Store, Denials Denials, SeenSettings Settings, IDatabase Database);
