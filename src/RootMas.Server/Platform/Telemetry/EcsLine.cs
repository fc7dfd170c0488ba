using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>One line of the log as JSON with the field names of the Elastic Common Schema, so that Elasticsearch reads it unchanged.</summary>
internal static class EcsLine
{
    // Control characters are escaped by every encoder; Cyrillic stays readable with this one.
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(in LogRecord record, object? state, IExternalScopeProvider? scopes)
    {
        var buffer = new ArrayBufferWriter<byte>(768);
        using (var json = new Utf8JsonWriter(buffer, Json))
        {
            json.WriteStartObject();
            json.WriteString("@timestamp"u8, record.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("log.level"u8, LogText.Name(record.Level));
            json.WriteString("message"u8, record.Message);
            json.WriteString("ecs.version"u8, "8.11.0"u8);
            json.WriteString("log.logger"u8, record.Category);
            json.WriteString("service.name"u8, "rootmas"u8);
            json.WriteString("service.version"u8, ProgramVersion.Text);
            json.WriteString("host.name"u8, Environment.MachineName);
            json.WriteNumber("process.pid"u8, Environment.ProcessId);
            json.WriteString("event.kind"u8, "event"u8);
            json.WriteString("event.dataset"u8, "rootmas.log"u8);
            if (EcsFields.ActionOf(record.Event.Name) is { } action)
            {
                json.WriteString("event.action"u8, action);
            }

            WriteFields(json, Collect(state, scopes));
            WriteError(json, record.Exception);
            json.WriteEndObject();
        }

        // The encoder leaves characters that turn text around; inside of JSON strings, where alone they can stand, \uXXXX is the same text.
        return LogText.OneLine(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    /// <summary>Each field once: what the flow of control knows (trace, run, user) wins over what a message says.</summary>
    private static SortedDictionary<string, string> Collect(object? state, IExternalScopeProvider? scopes)
    {
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal);
        scopes?.ForEachScope(static (scope, into) => Add(scope, into), fields);
        Add(state, fields);
        if (RootMasTelemetry.CurrentRunId() is { } run)
        {
            fields["labels.run_id"] = run;
        }

        for (var activity = Activity.Current; activity is not null; activity = activity.Parent)
        {
            fields.TryAdd("span.id", activity.SpanId.ToHexString());
            fields["trace.id"] = activity.TraceId.ToHexString();
            Tag(activity, "user.id");
            Tag(activity, "http.request.method");
        }

        return fields;

        void Tag(Activity activity, string name)
        {
            if (activity.GetTagItem(name) is string value)
            {
                fields.TryAdd(name, value);
            }
        }
    }

    private static void Add(object? values, SortedDictionary<string, string> fields)
    {
        foreach (var (name, value) in values as IEnumerable<KeyValuePair<string, object?>> ?? [])
        {
            if (name != "{OriginalFormat}" && value is not null)
            {
                fields[EcsFields.Of(name)] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            }
        }
    }

    private static void WriteFields(Utf8JsonWriter json, SortedDictionary<string, string> fields)
    {
        const string Label = "labels.";
        foreach (var (name, value) in fields.Where(static f => !f.Key.StartsWith(Label, StringComparison.Ordinal)))
        {
            json.WriteString(name, value);
        }

        var labels = fields.Where(static f => f.Key.StartsWith(Label, StringComparison.Ordinal)).ToList();
        if (labels.Count == 0)
        {
            return;
        }

        json.WriteStartObject("labels"u8);
        foreach (var (name, value) in labels)
        {
            json.WriteString(name.AsSpan(Label.Length), value);
        }

        json.WriteEndObject();
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

/// <summary>What every line has.</summary>
internal readonly record struct LogRecord(DateTimeOffset At, LogLevel Level, string Category, EventId Event, string Message, Exception? Exception);
