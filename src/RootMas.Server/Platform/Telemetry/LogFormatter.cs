using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Lines as JSON with the field names of the Elastic Common Schema, so that Elasticsearch reads them unchanged.</summary>
public sealed class EcsLogFormatter(TimeProvider clock) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "ecs";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        if (StartupRefusedException.IsAnswer(logEntry.Exception))
        {
            return;
        }

        textWriter.WriteLine(EcsLine.Write(
            new LogRecord(clock.GetUtcNow(), logEntry.LogLevel, logEntry.Category, logEntry.EventId, logEntry.Formatter(logEntry.State, logEntry.Exception), logEntry.Exception), logEntry.State, scopeProvider));
    }
}

/// <summary>Lines for people: time, level, component, text.</summary>
public sealed class TextLogFormatter(TimeProvider clock) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "rootmas-text";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        if (StartupRefusedException.IsAnswer(logEntry.Exception))
        {
            return;
        }

        textWriter.Write(clock.GetLocalNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture));
        textWriter.Write(' ');
        textWriter.Write(LogText.Name(logEntry.LogLevel));
        textWriter.Write(' ');
        textWriter.Write(logEntry.Category[(logEntry.Category.LastIndexOf('.') + 1)..]);
        textWriter.Write(": ");
        textWriter.Write(LogText.OneLine(logEntry.Formatter(logEntry.State, logEntry.Exception)));
        if (RootMasTelemetry.CurrentRunId() is { } run)
        {
            textWriter.Write($" run={run}");
        }

        if (Activity.Current is { } activity)
        {
            textWriter.Write($" trace={activity.TraceId.ToHexString()}");
        }

        textWriter.WriteLine();
        foreach (var line in logEntry.Exception?.ToString().Split('\n') ?? [])
        {
            textWriter.Write("  ");
            textWriter.WriteLine(LogText.OneLine(line.TrimEnd('\r')));
        }
    }
}
