using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Knowledge.Memory;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>Asks the knowledge graph.</summary>
internal sealed class GraphQueryTool(GraphQueries graph) : Tool
{
    private const int MostShown = 40;

    public override ToolDefinition Definition { get; } = new(
        "graph_query",
        "Asks the graph of people, organizations, places and things from documents and memory. search finds entities by words; neighbours lists what one is related to; path finds how two are connected, the surest way; subgraph shows everything around one.",
        """
        {"type":"object","properties":{
        "kind":{"type":"string","enum":["search","neighbours","path","subgraph"]},
        "entity":{"type":"string","minLength":1,"maxLength":200,"description":"Name or id; for neighbours, path and subgraph. The user is called user."},
        "to":{"type":"string","minLength":1,"maxLength":200,"description":"Name or id where a path ends."},
        "text":{"type":"string","minLength":1,"maxLength":500,"description":"Words; for search."},
        "types":{"type":"array","maxItems":20,"items":{"type":"string","maxLength":40},"description":"Only relations of these types, such as works_at."},
        "depth":{"type":"integer","minimum":1,"maximum":6}},
        "required":["kind"],"additionalProperties":false}
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "knowledge:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var types = arguments.TryGetProperty("types", out var list) ? list.EnumerateArray().Select(static t => t.GetString()!).ToList() : [];
        var depth = arguments.TryGetProperty("depth", out var steps) ? (int)steps.GetDouble() : GraphDefaults.Depth;
        var question = new GraphQuestion(
            MemoryArguments.Text(arguments, "kind")!, MemoryArguments.Text(arguments, "entity"), MemoryArguments.Text(arguments, "to"), MemoryArguments.Text(arguments, "text"), types, depth, MostShown, Directed: false, Past: false);
        if (GraphDefaults.Missing(question) is { } missing)
        {
            throw new ToolException($"{question.Kind} needs {missing}. Nothing was asked.");
        }

        var answer = await graph.AskAsync(context.OwnerId, await context.MayAsync(GraphQueries.MemoryPermission, cancellationToken), question, cancellationToken);

        // No marks, so nobody can cite them: they say which documents the words come from.
        var documents = answer.Sources.Select(static s => s.DocumentId).OfType<string>().Distinct(StringComparer.Ordinal).Select(static id => new Citation(id, null, null, null, id)).ToList();
        var facts = answer.Sources.Where(static s => s.Kind == GraphWords.FromFact).Select(static s => s.Id).Distinct(StringComparer.Ordinal).ToList();
        return new ToolResult(Text(question, answer), Tainted: answer.IsTainted) { Citations = documents.Count == 0 ? null : documents, Facts = facts.Count == 0 ? null : facts };
    }

    private static string Text(GraphQuestion question, GraphAnswer answer)
    {
        if (answer.Nodes.Count == 0)
        {
            return "The graph knows nothing of this.";
        }

        var text = new StringBuilder();
        var names = answer.Nodes.ToDictionary(static n => n.Key, static n => n.First.Name, StringComparer.Ordinal);
        if (question.Kind == "path")
        {
            text.Append(answer.Path is null ? "There is no such path.\n" : string.Create(CultureInfo.InvariantCulture, $"Path of length {answer.Length:0.##} (sure relations count 1 each, unsure ones more):\n"));
        }

        if (question.Kind == "search")
        {
            text.AppendJoin('\n', answer.Nodes.Select(static n => $"- {n.First.Name} ({n.First.Type}) [id {n.First.Id}]")).Append('\n');
        }

        foreach (var relation in answer.Path ?? answer.Relations)
        {
            var because = answer.Evidence.FirstOrDefault(e => e.RelationId == relation.Id);
            text.Append(CultureInfo.InvariantCulture, $"- {names[answer.KeyOf(relation.FromId)]} {relation.Type} {names[answer.KeyOf(relation.ToId)]} ({relation.Weight * 100:0} % sure)")
                .Append(because is null ? "\n" : $", because: \"{because.Excerpt.ReplaceLineEndings(" ")}\"\n");
        }

        return text.Append(answer.IsCut ? "There is more than is shown.\n" : "").ToString();
    }
}

/// <summary>What questions have where nothing is said, and what each kind needs.</summary>
internal static class GraphDefaults
{
    public const int Depth = 3;

    /// <summary>Name of the member that is missing; null: none.</summary>
    public static string? Missing(GraphQuestion question) => question.Kind switch
    {
        "search" when question.Text is null => "text",
        "neighbours" or "subgraph" or "path" when question.Entity is null => "entity",
        "path" when question.To is null => "to",
        _ => null,
    };
}
