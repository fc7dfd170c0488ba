using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace RootMas.Server.Models.Offline;

/// <summary>Questions about the user's documents: words that name them, or documents that the message brings along.</summary>
internal static partial class OfflineKnowledge
{
    private const int LongestQuery = 500;

    /// <summary>The search that the request asks for; null: it asks for none, or the tool is not there.</summary>
    public static OfflineCall? Search(OfflineView view)
    {
        if (!view.Has("knowledge_search") || view.Request.Length == 0)
        {
            return null;
        }

        var attached = Attached(view);
        if (attached.Count == 0 && !AboutDocuments().IsMatch(view.Request))
        {
            return null;
        }

        var query = view.Request.ReplaceLineEndings(" ");
        var arguments = new JsonObject { ["query"] = query.Length > LongestQuery ? query[..LongestQuery] : query };
        if (attached.Count > 0)
        {
            arguments["documents"] = new JsonArray([.. attached.Select(static id => (JsonNode)id)]);
        }

        return new OfflineCall("knowledge_search", arguments);
    }

    /// <summary>Ids of documents that the system's note names.</summary>
    private static IReadOnlyList<string> Attached(OfflineView view) =>
    [
        .. view.Messages.Where(static m => m.Text.StartsWith("[Note from the system] The message below brings documents", StringComparison.Ordinal))
            .SelectMany(static m => DocumentId().Matches(m.Text).Select(static found => found.Value)).Distinct(StringComparer.Ordinal),
    ];

    [GeneratedRegex(@"\b(my|the|our|uploaded|attached|these?|this) (documents?|files?|contracts?|handbooks?|manuals?|reports?|collections?|uploads?)\b|knowledge base|\bin the docs?\b|документ|загруженн|вложен|прикреп|баз[аеуы] знаний|в файл|мо[еёйих]+ файл|инструкци[июя] по|в договоре|в отч[её]те", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    internal static partial Regex AboutDocuments();

    [GeneratedRegex("(?m)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex DocumentId();
}
