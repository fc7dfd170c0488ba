using RootMas.Runtime.Runs;
using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Runs;

/// <summary>What the engine is told by the settings and by the models.</summary>
internal static partial class EngineSetup
{
    public static RunEngineOptions Options(IServiceProvider services)
    {
        var runs = services.GetRequiredService<RunsOptions>();
        var models = services.GetRequiredService<ModelRouter>();
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(RunEngine).FullName!);
        return new RunEngineOptions
        {
            MaxBackoff = runs.MaxBackoff,
            ApprovalExpiry = runs.ApprovalExpiry,
            InputExpiry = runs.InputExpiry,
            MaxParallelTools = runs.MaxParallelTools,
            Rights = services.GetRequiredService<IRunRights>(),
            Memory = services.GetService<IRunMemory>() ?? NoMemory.Instance,
            Summaries = services.GetService<IRunHistory>() is null ? NoEarlierSummaries.Instance : ActivatorUtilities.CreateInstance<EarlierSummaries>(services),
            CitedDocuments = services.GetRequiredService<ICitedDocuments>(),
            ContextTokens = (tier, model) => models.Current.Catalog.ContextTokens(tier, model),
            TakesReasoning = (tier, model) => models.Current.Catalog.TakesReasoning(tier, model),
            MostOf = services.GetRequiredService<TreeBudget>().MostOf,
            OnToolError = (tool, run, exception) => ToolThrew(logger, tool, run, exception),
        };
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Tool {Tool} threw in run {RunId}; the agent was told that it failed.")]
    private static partial void ToolThrew(ILogger logger, string tool, string runId, Exception exception);
}
