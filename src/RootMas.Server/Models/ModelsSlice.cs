using Microsoft.Extensions.AI;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Models.Budgets;
using RootMas.Server.Models.Offline;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models;

/// <summary>A stage that answers from what was answered before. The slice that knows such answers registers one; it stands between budget and cascade.</summary>
/// <param name="Wrap">Puts the stage in front of the rest of the pipeline.</param>
public sealed record AnswerCacheStage(Func<IChatClient, IChatClient> Wrap);

/// <summary>Providers, tiers, cascade, resilience, prices, the usage ledger, the offline model.</summary>
public static class ModelsSlice
{
    public static WebApplicationBuilder AddModels(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = builder.AddSettings<ModelsOptions>("Models");
        var settings = builder.Settings();
        var config = settings.Take<ServerOptions>("Server").Config;
        var inputs = new CatalogInputs(Path.Combine(settings.Resolve(config), "models.yaml"), options, settings.Variables.GetNamed);
        var file = ReadFile(inputs, settings);

        var services = builder.Services;
        services.AddSingleton(inputs);
        services.AddSingleton<LedgerStore>();
        services.AddSingleton<UsageStore>();
        services.AddSingleton<IDashboardSource>(static p => new DayFigures(p.GetRequiredService<IDatabase>(), p.DatabaseTime()));
        builder.AddBudgets();
        services.AddSingleton(static p => LedgerRetention.Rows(p.GetRequiredService<RetentionOptions>().Ledger));
        services.AddSingleton(new ModelMetrics());
        services.AddSingleton(p => new ProviderTransport(p.GetRequiredService<TimeProvider>(), options.UseProxy));
        services.AddSingleton<ModelDiscovery>();
        services.AddSingleton<OllamaContexts>();
        services.AddSingleton(p => new ModelRouter(
            CatalogBuilder.Build(file, options, []), Connector(p, options), p.GetRequiredService<LedgerStore>(), p.DatabaseTime(), p.GetRequiredService<OutboundPolicies>()));
        services.AddSingleton(static p => new TreeBudget(p.GetRequiredService<ModelRouter>(), p.GetRequiredService<BudgetOptions>()));
        services.AddSingleton(static p => new ModelNames(p.GetRequiredService<ModelRouter>(), p.GetRequiredService<ModelCatalogSource>()));
        services.AddSingleton<ServerFinder>();
        services.AddSingleton<ModelCatalogSource>();
        services.AddHostedService(static p => p.GetRequiredService<ModelCatalogSource>());
        services.AddSingleton<SecretUses>(static p => p.GetRequiredService<ModelCatalogSource>().UsesOf);
        services.AddSingleton<SecretsChanged>(static p => p.GetRequiredService<ModelCatalogSource>().FollowSecretsAsync);
        services.AddSingleton(static p => new ConfigPart("models", () => p.GetRequiredService<ModelCatalogSource>().Fingerprint));
        services.AddSingleton(p => new ModelDoctor(p.GetRequiredService<ModelRouter>(), p.GetRequiredService<ModelDiscovery>(), p.DatabaseTime()));
        services.AddSingleton<ModelWatch>();
        services.AddHostedService(static p => p.GetRequiredService<ModelWatch>());
        services.AddSingleton<ModelsProbe>();
        services.AddSingleton<IHealthProbe>(static p => p.GetRequiredService<ModelsProbe>());
        services.AddSingleton<GaugeSource>(static p => p.GetRequiredService<ModelsProbe>().Publish);
        services.AddSingleton<IChatClient>(static p => new NewestModelsChatClient(Pipeline(p), p.GetRequiredService<ModelNames>()));
        services.AddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(static p => ActivatorUtilities.CreateInstance<EmbeddingGenerator>(p, p.DatabaseTime()));
        services.AddSingleton<Tool, UsageReportTool>();
        services.AddSingleton<Tool, ModelStatsTool>();
        return builder;
    }

    public static IEndpointRouteBuilder MapModels(this IEndpointRouteBuilder routes)
    {
        ModelsApi.Map(routes);
        UsageApi.Map(routes);
        BudgetsApi.Map(routes);
        ModelTest.Map(routes);
        return routes;
    }

    /// <summary>The one chat client of the program. Reading order is call order.</summary>
    internal static IChatClient Pipeline(IServiceProvider services)
    {
        var router = services.GetRequiredService<ModelRouter>();
        var metrics = services.GetRequiredService<ModelMetrics>();
        var cache = services.GetService<AnswerCacheStage>();
        var tools = new CascadeTools(services.GetRequiredService<LedgerStore>(), services.GetRequiredService<SpendGuard>(), services.GetRequiredService<TreeBudget>(), metrics,
            services.GetService<ILogger<CascadeTools>>() ?? Microsoft.Extensions.Logging.Abstractions.NullLogger<CascadeTools>.Instance);
        return new ChatClientBuilder(new CascadeChatClient(router, tools))
            .Use(inner => new TelemetryChatClient(inner, metrics))
            .Use(inner => new BudgetChatClient(inner, router))
            .Use(inner => cache is null ? inner : cache.Wrap(inner))
            .Build(services);
    }

    /// <summary>Below the cascade each endpoint has its own resilience (<see cref="ModelEndpoint"/>) and meter (<see cref="ModelAttempt"/>); this makes what they wrap.</summary>
    private static Func<ModelSpec, IChatClient> Connector(IServiceProvider services, ModelsOptions options)
    {
        var transport = services.GetRequiredService<ProviderTransport>();
        var clock = services.GetRequiredService<TimeProvider>();
        return model => new OpenTelemetryChatClient(
            model.Provider.Kind == ProviderKind.Offline ? new OfflineChatClient(options.OfflinePace, clock) : new OpenAiChatClient(transport, model), sourceName: RootMasTelemetry.Name);
    }

    private static ModelsFile ReadFile(CatalogInputs inputs, SettingsTree settings)
    {
        var problems = new List<string>();
        var file = inputs.Load(problems) is { } text ? inputs.Parse(text, problems) : new ModelsFile();
        problems.AddRange(CatalogBuilder.Problems(file, inputs.Options, inputs.Custom));
        problems.AddRange(inputs.Refusals);
        foreach (var problem in problems)
        {
            settings.AddProblem(problem);
        }

        return problems.Count == 0 ? file : new ModelsFile { Models = new Dictionary<string, ModelSpec>(StringComparer.Ordinal) };
    }
}
