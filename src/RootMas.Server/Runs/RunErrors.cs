namespace RootMas.Server.Runs;

/// <summary>What the runtime tells an operator.</summary>
internal sealed partial class RunErrors(ILogger logger)
{
    public void ToolFailed(string tool, string runId, Exception exception) => LogToolFailed(runId, tool, exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId}: the tool {Tool} failed in a way that it should have handled")]
    private partial void LogToolFailed(string runId, string tool, Exception exception);
}
