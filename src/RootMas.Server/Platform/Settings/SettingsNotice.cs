namespace RootMas.Server.Platform.Settings;

/// <summary>Says in the log which variables and files look like settings and are none, before the first thing that may fail for want of them.</summary>
internal sealed partial class SettingsNotice(SettingsTree settings, ILogger<SettingsNotice> logger) : LifecycleService
{
    public override Task StartingAsync(CancellationToken cancellationToken)
    {
        if (settings.Notes is { Count: > 0 } notes)
        {
            LogNotes(string.Join(' ', notes));
        }

        return Task.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Settings: {Notes}")]
    private partial void LogNotes(string notes);
}
