using System.Text.Json;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Where a log line's values go in the Elastic Common Schema 8.11. What has no field there becomes a label. <c>deploy/logging/ecs-mapping.json</c> lists every event; a test keeps it true.</summary>
internal static class EcsFields
{
    /// <summary>Parameters of messages, and members of scopes (ASP.NET's), whose meaning ECS knows.</summary>
    private static readonly Dictionary<string, string> Known = new(StringComparer.Ordinal)
    {
        ["Method"] = "http.request.method",
        ["RequestId"] = "http.request.id",
        ["RequestPath"] = "url.path",
        ["Reason"] = "event.reason",
        ["Username"] = "user.name",
        ["TraceId"] = "trace.id",
        ["Path"] = "file.path",
        [RootMasTelemetry.RunIdTag] = "labels.run_id",
    };

    /// <summary>The fields that a line may have beside labels, with their ECS types.</summary>
    public static IReadOnlyDictionary<string, string> Types { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["@timestamp"] = "date",
        ["ecs.version"] = "keyword",
        ["error.message"] = "match_only_text",
        ["error.stack_trace"] = "wildcard",
        ["error.type"] = "keyword",
        ["event.action"] = "keyword",
        ["event.dataset"] = "keyword",
        ["event.kind"] = "keyword",
        ["event.reason"] = "keyword",
        ["file.path"] = "keyword",
        ["host.name"] = "keyword",
        ["http.request.id"] = "keyword",
        ["http.request.method"] = "keyword",
        ["log.level"] = "keyword",
        ["log.logger"] = "keyword",
        ["message"] = "match_only_text",
        ["process.pid"] = "long",
        ["service.name"] = "keyword",
        ["service.version"] = "keyword",
        ["span.id"] = "keyword",
        ["trace.id"] = "keyword",
        ["url.path"] = "wildcard",
        ["user.id"] = "keyword",
        ["user.name"] = "keyword",
    };

    public static string Of(string parameter) => Known.TryGetValue(parameter, out var field) ? field : "labels." + JsonNamingPolicy.SnakeCaseLower.ConvertName(parameter);

    /// <summary>The event's name: that of its method, without its verb: LogPruneFailed is <c>prune_failed</c>.</summary>
    public static string? ActionOf(string? eventName) =>
        string.IsNullOrEmpty(eventName) ? null : JsonNamingPolicy.SnakeCaseLower.ConvertName(eventName.StartsWith("Log", StringComparison.Ordinal) && eventName.Length > 3 ? eventName[3..] : eventName);
}
