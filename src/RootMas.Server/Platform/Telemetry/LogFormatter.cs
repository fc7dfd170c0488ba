using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Lines as JSON with the field names of the Elastic Common Schema, so that Elasticsearch reads them unchanged.</summary>
public sealed class EcsLogFormatter(TimeProvider clock) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "ecs";

    // Control characters are escaped by every encoder; Cyrillic stays readable with this one.
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        if (StartupRefusedException.IsAnswer(logEntry.Exception))
        {
            return;
        }

        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Json))
        {
            json.WriteStartObject();
            json.WriteString("@timestamp"u8, clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("log.level"u8, LogText.Name(logEntry.LogLevel));
            json.WriteString("message"u8, logEntry.Formatter(logEntry.State, logEntry.Exception));
            json.WriteString("ecs.version"u8, "8.11.0"u8);
            json.WriteString("log.logger"u8, logEntry.Category);
            json.WriteString("service.name"u8, "rootmas"u8);
            json.WriteString("service.version"u8, ProgramVersion.Text);
            WriteIds(json);
            WriteLabels(json, logEntry.State, scopeProvider);
            WriteError(json, logEntry.Exception);
            json.WriteEndObject();
        }

        // The encoder leaves characters that turn text around; inside of JSON strings, where alone they can stand, \uXXXX is the same text.
        textWriter.WriteLine(LogText.OneLine(Encoding.UTF8.GetString(buffer.WrittenSpan)));
    }

    private static void WriteIds(Utf8JsonWriter json)
    {
        if (Activity.Current is { } activity)
        {
            json.WriteString("trace.id"u8, activity.TraceId.ToHexString());
            json.WriteString("span.id"u8, activity.SpanId.ToHexString());
        }
    }

    private static void WriteLabels<TState>(Utf8JsonWriter json, TState state, IExternalScopeProvider? scopes)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (RootMasTelemetry.CurrentRunId() is { } run)
        {
            labels["run_id"] = run;
        }

        Add(state);
        scopes?.ForEachScope(static (scope, add) => add(scope), (Action<object?>)Add);
        if (labels.Count == 0)
        {
            return;
        }

        json.WriteStartObject("labels"u8);
        foreach (var (name, value) in labels)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();

        void Add(object? values)
        {
            foreach (var (name, value) in values as IEnumerable<KeyValuePair<string, object?>> ?? [])
            {
                if (name != "{OriginalFormat}" && value is not null)
                {
                    labels[name == RootMasTelemetry.RunIdTag ? "run_id" : JsonNamingPolicy.SnakeCaseLower.ConvertName(name)] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
                }
            }
        }
    }

    private static void WriteError(Utf8JsonWriter json, Exception? exception)
    {
        if (exception is not null)
        {
            json.WriteString("error.type"u8, exception.GetType().FullName);
            json.WriteString("error.message"u8, exception.Message);
            json.WriteString("error.stack_trace"u8, exception.ToString());
        }
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
