using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;
using RootMas.Server.Identity.Users;
using RootMas.Server.Models;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Runs.Elsewhere;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <summary>Runs: their log, their worker, their streams, and what people may do with them.</summary>
public static class RunsSlice
{
    public static WebApplicationBuilder AddRuns(this WebApplicationBuilder builder)
    {
        RunMetrics.Create();
        RunEventMetrics.Create();
        RunEngine.CreateMetrics();
        var services = builder.Services;
        builder.AddSettings<RunsOptions>("Runs");
        services.AddSingleton<IRunRights, RunRights>();
        services.AddSingleton<IRunTransactionParticipant, RunAudit>();
        services.AddOutboxHandler<UserRuns>(UserEvents.Ended);
        services.AddSingleton<IUserData, UserRunData>();
        services.AddSingleton<RunAccess>();
        services.AddSingleton<RunSharing>();
        services.AddSingleton<RunOutcomes>();
        services.TryAddSingleton(EngineSetup.Options);
        services.AddSingleton<PendingStarts>();
        // The embedded database: the data directory's lock keeps every other worker away. A server may have others, so there leases count, and who lives.
        services.AddSingleton(static p => p.GetService<IPresence>() is { } presence ? WorkerIdentity.New(ownsData: false, presence) : WorkerIdentity.New(ownsData: true));
        services.AddSingleton(static p => RunRetention.Logs(p.GetRequiredService<RetentionOptions>().RunLogs, p.GetRequiredService<IAnswerCache>()));
        services.AddSingleton(static p => DeadLetterRows.Retention(p.GetRequiredService<RetentionOptions>().DeadLetters));
        AddStore(services);
        AddWorker(services);
        AddDispatch(builder);
        if (services.Any(static s => s.ServiceType == typeof(IPresence)))
        {
            AddElsewhere(services);
        }

        services.AddSingleton(static p => new RunStreams(
            p.GetRequiredService<RunReader>(), p.GetRequiredService<StreamHub>(), p.GetRequiredService<IAnswerCache>(), p.GetService<RunsElsewhere>()));
        services.AddSingleton(static p => new RunWaiters(
            p.GetRequiredService<RunSignals>(), p.GetRequiredService<RunWorker>(), p.GetRequiredService<RunReader>(), p.GetRequiredService<TimeProvider>(), p.GetService<RunsElsewhere>()));
        services.AddSingleton<RunStarter>();
        services.AddSingleton(static p => ActivatorUtilities.CreateInstance<RunVerbs>(p, p.DatabaseTime()));
        services.AddSingleton<IMessageProcessor>(static p => ActivatorUtilities.CreateInstance<MessageProcessor>(p, p.DatabaseTime()));
        services.AddSingleton<PlanFinder>();
        services.AddSingleton<Tool, PlanReadTool>();
        services.AddSingleton<Tool, TaskStatusTool>();
        services.AddSingleton<Tool, TaskUpdateTool>();
        services.Replace(ServiceDescriptor.Singleton<IAgentActivity, RunActivity>());
        services.AddSingleton<IHealthProbe, WorkerProbe>();
        services.AddSingleton<RunSamples>();
        services.AddSingleton<ISampled>(static p => p.GetRequiredService<RunSamples>());
        services.AddSingleton<IDashboardSource>(static p => p.GetRequiredService<RunSamples>());
        return builder;
    }

    public static IEndpointRouteBuilder MapRuns(this IEndpointRouteBuilder routes)
    {
        RunsApi.Map(routes.MapGroup("/api/v1/runs").WithTags("Runs"));
        RunOutcomesApi.Map(routes);
        QueueApi.Map(routes.MapGroup("/api/v1/queue").WithTags("Operations"));
        ApprovalsApi.Map(routes.MapGroup("/api/v1/approvals").WithTags("Approvals"));
        return routes;
    }

    /// <summary>Kept answers end: streams (<see cref="RunStreams"/>) and other instances (<see cref="RunRelay"/>) are told only when that counts everywhere.</summary>
    private static Action<RunIdentity, IReadOnlyList<EventRecord>> Raising(IAnswerCache cache) => (run, _) =>
    {
        cache.Raise(CacheScope.OfUser(run.OwnerId));
        cache.Raise(CacheScope.Runs);
    };

    private static void AddStore(IServiceCollection services)
    {
        services.AddSingleton<IRunTransactionParticipant, ApprovalAudit>();
        services.AddSingleton<RunStore>();
        services.AddSingleton<IRunJournal>(static p => p.GetRequiredService<RunStore>());
        services.AddSingleton<RunRowWrite>(static p =>
        {
            var signals = p.GetRequiredService<RunSignals>();
            return (session, row) => LateRows.WriteAsync(session, signals, row);
        });
        services.AddSingleton<RunReader>();
        services.AddSingleton(static p => new ApprovalStore(p.GetRequiredService<IDatabase>(), p.GetRequiredService<RunSignals>()));
        services.AddSingleton(static p => new RunOwnership(
            p.GetRequiredService<IDatabase>(), p.GetRequiredService<SnapshotStore>(), p.GetRequiredService<RunSignals>(), p.GetRequiredService<WorkerIdentity>(), p.GetService<IRunHistory>(),
            p.GetRequiredService<WorkerIdentity>().OwnsData ? new ClockJumps(p.GetRequiredService<IDatabase>(), p.GetRequiredService<TimeProvider>()) : null));
        services.AddSingleton(static p => new StreamHub(p.GetRequiredService<RunSignals>(), p.GetService<RunRelay>()));
        services.AddSingleton<IRunSink>(static p => p.GetRequiredService<StreamHub>());
    }

    /// <summary>Where other instances may have runs: what is told to them, and what is heard of them.</summary>
    private static void AddElsewhere(IServiceCollection services)
    {
        services.AddSingleton<Interests>();
        services.AddSingleton<RunRelay>();
        services.AddSingleton<RunsElsewhere>();
        services.AddHostedService(static p => p.GetRequiredService<RunsElsewhere>());
    }

    private static void AddWorker(IServiceCollection services)
    {
        services.AddSingleton(static p => new RunEngine(
            p.GetRequiredService<IChatClient>(), p.GetRequiredService<IToolCatalog>(), p.GetRequiredService<IRunJournal>(), p.GetRequiredService<IRunSink>(),
            p.GetRequiredService<RunEngineOptions>(), p.DatabaseTime()));
        services.AddSingleton<AdvanceRun>(static p => p.GetRequiredService<RunEngine>().ExecuteAsync);
        services.AddSingleton(static p => ActivatorUtilities.CreateInstance<RunExecutor>(p, p.DatabaseTime()));
        services.AddSingleton(static p => new WorkerChannels(
            p.GetRequiredService<RunSignals>(), p.GetRequiredService<StreamHub>(), p.GetRequiredService<IClusterBus>(), p.GetService<IRunDeliveries>(), p.GetRequiredService<BackgroundJobs>()));
        services.AddSingleton(static p => ActivatorUtilities.CreateInstance<RunWorker>(p, p.DatabaseTime()));
        services.AddHostedService(static p => p.GetRequiredService<RunWorker>());
    }

    /// <summary>In process, or over a broker where one is configured.</summary>
    private static void AddDispatch(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var settings = builder.Settings();
        services.AddSingleton(static p =>
        {
            var raise = Raising(p.GetRequiredService<IAnswerCache>());
            return new RunSignals { Appended = raise, Booked = run => raise(run, []) };
        });
        services.AddSingleton<DeadLetters>();
        services.AddSingleton(static p => new QueueStatus(p.GetRequiredService<IDatabase>(), p.GetRequiredService<RunWorker>(), p.GetRequiredService<RunSignals>(), p.GetService<RabbitBroker>()));
        services.AddSingleton<GaugeSource>(static p => p.GetRequiredService<QueueStatus>().Publish);
        services.AddHostedService<QueueWatch>();
        if (settings.Take<RunsOptions>("Runs").Parallelism == 0 && settings.Take<DatabaseOptions>("Database").Kind == DatabaseKind.Sqlite)
        {
            settings.AddProblem("Runs:Parallelism: 0 leaves all runs to workers elsewhere, and there are none on the embedded database. Set it to 1 or more, or Database:Kind to postgres.");
        }

        if (!settings.Take<BrokerOptions>("RabbitMq").IsUsed)
        {
            return;
        }

        services.AddSingleton<WakeUps>();
        services.AddHostedService(static p => p.GetRequiredService<WakeUps>());
        services.AddSingleton(static p => new BrokerDispatch(
            p.GetRequiredService<RunSignals>(), p.GetRequiredService<RabbitBroker>(), p.GetRequiredService<WakeUps>(), p.GetRequiredService<BrokerOptions>(), p.GetRequiredService<RunsOptions>()));
        services.AddSingleton<RunDeliveries>();
        services.AddSingleton<IRunDeliveries>(static p => p.GetRequiredService<RunDeliveries>());
        services.AddHostedService(static p => p.GetRequiredService<RunDeliveries>());
        services.AddHostedService<DispatchStart>();
    }
}
