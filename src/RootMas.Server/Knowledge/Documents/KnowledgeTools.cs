using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Knowledge.Documents.Search;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Finds passages in the documents that the run's user can read. What they say is text from outside.</summary>
internal sealed class KnowledgeSearchTool(KnowledgeSearch search, PassageStore passages) : Tool
{
    private const int DefaultCount = 6;

    public override ToolDefinition Definition { get; } = new(
        "knowledge_search",
        "Searches the documents that the user uploaded or was given access to, and returns the passages that fit best, each with its mark. Cite a passage by its mark in square brackets exactly as given; put only words into quotation marks that stand in the passage.",
        """
        {
          "type": "object",
          "properties": {
            "query": { "type": "string", "minLength": 1, "maxLength": 1000, "description": "What to look for: a question or words, in the language of the documents" },
            "count": { "type": "integer", "minimum": 1, "maximum": 20, "description": "Number of passages; 6 if absent" },
            "documents": { "type": "array", "maxItems": 50, "items": { "type": "string", "maxLength": 100 }, "description": "Only in these documents, by id; all if absent" },
            "collections": { "type": "array", "maxItems": 50, "items": { "type": "string", "maxLength": 100 }, "description": "Only in these collections, by id; all if absent" }
          },
          "required": ["query"],
          "additionalProperties": false
        }
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "knowledge:read";

    public override bool Taints => true;

    public override int OutputLimit => 60_000;

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        context.Progress("Searching the documents");
        var query = new SearchQuery(context.OwnerId, Texts.Of(arguments, "query"))
        {
            Limit = Texts.Number(arguments, "count") ?? DefaultCount,
            Documents = Texts.List(arguments, "documents"),
            Collections = Texts.List(arguments, "collections"),
        };
        var found = await search.FindAsync(query, cancellationToken);
        if (found.Count == 0 && query.Documents.Count > 0)
        {
            var beginning = await passages.FollowingAsync(query.Documents[0], context.OwnerId, 0, null, query.Limit, cancellationToken);
            return beginning.Count == 0 ? NothingFits() : PassageText.Result(beginning, "No passage fits these words. The document begins:");
        }

        return found.Count == 0
            ? NothingFits()
            : PassageText.Result(found, "Passages, the best first:");
    }

    private static ToolResult NothingFits() => new("No passage of the documents fits. Try other words, or say that the documents do not tell.");
}

/// <summary>Reads a document from some place on.</summary>
internal sealed class KnowledgeReadTool(PassageStore passages, DocumentStore documents) : Tool
{
    private const int PassagesPerCall = 10;

    public override ToolDefinition Definition { get; } = new(
        "knowledge_read",
        "Reads on in one document that the user can read: the passages from a position or page on, in order, each with its mark. Use it after knowledge_search to see what stands around a passage, or to read a short document as a whole.",
        """
        {
          "type": "object",
          "properties": {
            "document": { "type": "string", "minLength": 1, "maxLength": 100, "description": "Id of the document, as knowledge_search or the user's message names it" },
            "start": { "type": "integer", "minimum": 0, "maximum": 100000000, "description": "Character to start at; 0 is the beginning" },
            "page": { "type": "integer", "minimum": 1, "maximum": 100000, "description": "Page to start at, where the document has pages" }
          },
          "required": ["document"],
          "additionalProperties": false
        }
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "knowledge:read";

    public override bool Taints => true;

    public override int OutputLimit => 60_000;

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var id = Texts.Of(arguments, "document");
        if (await documents.FindAsync(id, context.OwnerId, cancellationToken) is not { } document)
        {
            throw new ToolException("There is no such document, or the user may not read it. Ids come from knowledge_search.");
        }

        if (document.Status != "ready" && document.Chunks == 0)
        {
            throw new ToolException(document.Status == "failed" ? $"The document could not be read: {document.Error}" : "The document is still being read. Say so, and ask the user to try again in a moment.");
        }

        var found = await passages.FollowingAsync(id, context.OwnerId, Texts.Number(arguments, "start") ?? 0, Texts.Number(arguments, "page"), PassagesPerCall, cancellationToken);
        if (found.Count == 0)
        {
            throw new ToolException(string.Create(CultureInfo.InvariantCulture, $"The document ends before that: it has {document.Characters} characters{(document.Pages is { } pages ? $" on {pages} pages" : "")}."));
        }

        var more = found[^1].End < document.Characters - 1 ? string.Create(CultureInfo.InvariantCulture, $"\n(Characters {found[0].Start} to {found[^1].End} of {document.Characters}; read on with start={found[^1].End}.)") : "\n(This is the end of the document.)";
        return PassageText.Result(found, "From the document:", more);
    }
}

/// <summary>Passages as a model reads them, with what an answer may cite.</summary>
internal static class PassageText
{
    public static ToolResult Result(IReadOnlyList<Passage> passages, string lead, string end = "")
    {
        var text = new StringBuilder(lead).Append('\n');
        foreach (var passage in passages)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n[{passage.CitationId}] {passage.Title}{Place(passage)} (document {passage.DocumentId}, characters {passage.Start}-{passage.End})\n{passage.Text}\n");
        }

        return new ToolResult(text.Append(end).ToString().TrimEnd(), Tainted: true) { Citations = [.. passages.Select(CitationOf)] };
    }

    private static string Place(Passage passage) =>
        (passage.Heading.Length > 0 ? $" — {passage.Heading}" : "") + (passage.Page is { } page ? string.Create(CultureInfo.InvariantCulture, $", page {page}") : "");

    private static Citation CitationOf(Passage passage) => new(passage.CitationId, passage.Title, Url: null, passage.Text, passage.DocumentId, passage.Page, passage.Start, passage.End);
}

/// <summary>Reads arguments that already fit their schema.</summary>
internal static class Texts
{
    public static string Of(JsonElement arguments, string name) => arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() ?? "" : "";

    public static int? Number(JsonElement arguments, string name) => arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? (int)value.GetDouble() : null;

    public static IReadOnlyList<string> List(JsonElement arguments, string name) =>
        arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(static v => v.GetString() ?? "").Where(static v => v.Length > 0)] : [];
}
