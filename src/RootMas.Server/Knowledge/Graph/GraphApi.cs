using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>The knowledge graph.</summary>
public static class GraphApi
{
    private const string Read = "knowledge:read";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var graph = routes.MapGroup("/api/v1/graph").WithTags("Knowledge graph");
        graph.MapPost("/query", QueryAsync).RequirePermission(Read).AuditsNothing("reads only").HandlesIdempotency().WithName("QueryGraph")
            .WithSummary("Ask the graph")
            .WithDescription("search finds entities by words; neighbours lists what one is related to, the surest first; path finds the shortest way between two, where a relation is as long as 1 ÷ its weight; subgraph gives everything within depth relations. Only what one may read: one's own memory and documents, shared collections, notes of the team.");
        graph.MapGet("/export", ExportAsync).RequirePermission(Read).WithName("ExportGraph").Produces<JsonElement>(200, "application/ld+json")
            .WithSummary("Export the graph").WithDescription("Everything that one may read, as JSON-LD 1.1: entities with the names of schema.org, relations as statements with weight, times and what says so.");
    }

    private static async Task<Results<Ok<GraphAnswerBody>, Problem>> QueryAsync(GraphQueryRequest request, GraphQueries graph, HttpContext context)
    {
        var question = new GraphQuestion(
            request.Kind, request.Entity, request.To, request.Text, request.Types ?? [], request.Depth ?? GraphDefaults.Depth, request.Limit ?? Paging.DefaultLimit, request.Directed ?? false, request.Past ?? false);
        return GraphDefaults.Missing(question) is { } missing
            ? Problems.Invalid(missing, $"is needed for {question.Kind}")
            : TypedResults.Ok(GraphAnswerBody.Of(await graph.AskAsync(context.Caller().UserId, context.Caller().May(GraphQueries.MemoryPermission), question, context.RequestAborted)));
    }

    private static async Task<IResult> ExportAsync(GraphQueries graph, GraphExport export, HttpContext context)
    {
        var realms = await graph.RealmsAsync(context.Caller().UserId, context.Caller().May(GraphQueries.MemoryPermission), context.RequestAborted);
        return Results.Json(await export.WriteAsync(realms, context.RequestAborted), contentType: "application/ld+json");
    }
}

/// <summary>A question to the graph.</summary>
public sealed record GraphQueryRequest
{
    /// <summary>search, neighbours, path or subgraph.</summary>
    /// <example>neighbours</example>
    [AllowedValues("search", "neighbours", "path", "subgraph")]
    public required string Kind { get; init; }

    /// <summary>Name or id of the entity, for neighbours, path and subgraph.</summary>
    /// <example>user</example>
    [TrimmedLength(1, 200)]
    public string? Entity { get; init; }

    /// <summary>Name or id of the entity where a path ends.</summary>
    /// <example>Kazan</example>
    [TrimmedLength(1, 200)]
    public string? To { get; init; }

    /// <summary>Words, for search.</summary>
    /// <example>Kazan</example>
    [TrimmedLength(1, 500)]
    public string? Text { get; init; }

    /// <summary>Only relations of these types; absent: of all.</summary>
    /// <example>["lives_in"]</example>
    [MaxLength(20)]
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>Most relations from the start, 1 to 6; 3 where nothing is said.</summary>
    /// <example>3</example>
    [Range(1, 6)]
    public int? Depth { get; init; }

    /// <summary>Most relations or entities in the answer, 1 to 500; 50 where nothing is said.</summary>
    /// <example>50</example>
    [Range(1, 500)]
    public int? Limit { get; init; }

    /// <summary>Only in the direction of the relations.</summary>
    /// <example>false</example>
    public bool? Directed { get; init; }

    /// <summary>Also what was true once and no longer is.</summary>
    /// <example>false</example>
    public bool? Past { get; init; }
}

/// <summary>An entity.</summary>
public sealed record GraphNodeAnswer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name.</summary>
    /// <example>Kazan</example>
    public required string Name { get; init; }

    /// <summary>person, organization, place, product, event, concept or thing.</summary>
    /// <example>place</example>
    public required string Type { get; init; }

    /// <summary>Every name under which it is known.</summary>
    /// <example>["Kazan"]</example>
    public required IReadOnlyList<string> Names { get; init; }
}

/// <summary>What says that a relation is so.</summary>
public sealed record GraphEvidenceAnswer
{
    /// <summary>fact or document.</summary>
    /// <example>fact</example>
    public required string Kind { get; init; }

    /// <summary>The fact, or the part of the document.</summary>
    public required string Id { get; init; }

    /// <summary>The document; null: a fact of the memory.</summary>
    /// <example>null</example>
    public string? DocumentId { get; init; }

    /// <summary>The words.</summary>
    /// <example>I live in Kazan</example>
    public required string Excerpt { get; init; }

    /// <summary>How sure it is, 0 to 100.</summary>
    /// <example>90</example>
    public required int Confidence { get; init; }

    /// <summary>Whether it is text from outside.</summary>
    /// <example>false</example>
    public required bool Tainted { get; init; }
}

/// <summary>A relation between two entities.</summary>
public sealed record GraphRelationAnswer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Id of the entity where it begins.</summary>
    public required string From { get; init; }

    /// <summary>Its type.</summary>
    /// <example>lives_in</example>
    public required string Type { get; init; }

    /// <summary>Id of the entity where it ends.</summary>
    public required string To { get; init; }

    /// <summary>How sure it is by all that says so, 0 to 1.</summary>
    /// <example>0.81</example>
    public required double Weight { get; init; }

    /// <summary>Since when it is true.</summary>
    public required DateTimeOffset ValidFrom { get; init; }

    /// <summary>Until when it was true; null: it still is.</summary>
    public DateTimeOffset? ValidUntil { get; init; }

    /// <summary>What says so.</summary>
    public required IReadOnlyList<GraphEvidenceAnswer> Evidence { get; init; }
}

/// <summary>What the graph knows.</summary>
public sealed record GraphAnswerBody
{
    /// <summary>Entities; those that were asked for come first.</summary>
    public required IReadOnlyList<GraphNodeAnswer> Nodes { get; init; }

    /// <summary>Relations between them.</summary>
    public required IReadOnlyList<GraphRelationAnswer> Relations { get; init; }

    /// <summary>Ids of the path's relations in order; null: no path was asked for, or there is none.</summary>
    /// <example>null</example>
    public IReadOnlyList<string>? Path { get; init; }

    /// <summary>Length of the path: the sum of 1 ÷ weight.</summary>
    /// <example>null</example>
    public double? Length { get; init; }

    /// <summary>Whether there is more than is shown.</summary>
    /// <example>false</example>
    public required bool Truncated { get; init; }

    internal static GraphAnswerBody Of(GraphAnswer answer)
    {
        var ids = answer.Nodes.ToDictionary(static n => n.Key, static n => n.First.Id, StringComparer.Ordinal);
        var said = answer.Evidence.ToLookup(static e => e.RelationId, StringComparer.Ordinal);
        return new GraphAnswerBody
        {
            Nodes = [.. answer.Nodes.Select(static n => new GraphNodeAnswer { Id = n.First.Id, Name = n.First.Name, Type = n.First.Type, Names = n.Names })],
            Relations = [.. answer.Relations.Select(r => new GraphRelationAnswer
            {
                Id = r.Id,
                From = ids[answer.KeyOf(r.FromId)],
                Type = r.Type,
                To = ids[answer.KeyOf(r.ToId)],
                Weight = Math.Round(r.Weight, 4),
                ValidFrom = r.ValidFrom,
                ValidUntil = r.ValidUntil,
                Evidence = [.. said[r.Id].Select(static e => new GraphEvidenceAnswer
                {
                    Kind = e.SourceKind, Id = e.SourceId, DocumentId = e.DocumentId, Excerpt = e.Excerpt, Confidence = e.Confidence, Tainted = e.Tainted,
                })],
            })],
            Path = answer.Path is null ? null : [.. answer.Path.Select(static r => r.Id)],
            Length = answer.Length is { } length ? Math.Round(length, 4) : null,
            Truncated = answer.IsCut,
        };
    }
}
