using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>What the run store keeps as JSON beside the log.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RunRequestOptions))]
[JsonSerializable(typeof(IReadOnlyList<HistoryMessage>))]
internal sealed partial class RunsJson : JsonSerializerContext;

/// <summary>The form of logs that this program writes and can fold.</summary>
internal static class RunLog
{
    /// <summary>Raised when an older program could not fold what this one writes; a worker claims only runs up to its own version.</summary>
    public const int Version = 2;
}
