using System.Data.Common;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A document as its row has it.</summary>
internal sealed record Document
{
    /// <summary>Columns that <see cref="Read"/> expects, of the table under the name <c>d</c>.</summary>
    public const string Columns = "d.id, d.collection_id, d.owner_id, d.name, d.kind, d.bytes, d.hash, d.status, d.stage, d.done, d.total, d.error_code, d.error, d.pages, d.chunks, d.characters, d.created_at, d.updated_at";

    public required string Id { get; init; }

    public required string CollectionId { get; init; }

    /// <summary>Who uploaded it.</summary>
    public required string OwnerId { get; init; }

    public required string Name { get; init; }

    public required string Kind { get; init; }

    public required long Bytes { get; init; }

    /// <summary>SHA-256 of the file, hex.</summary>
    public required string Hash { get; init; }

    /// <summary>queued, working, ready or failed.</summary>
    public required string Status { get; init; }

    /// <summary>extracting, chunking or embedding, while it is being worked on.</summary>
    public required string Stage { get; init; }

    public required long Done { get; init; }

    public required long Total { get; init; }

    public string? ErrorCode { get; init; }

    public string? Error { get; init; }

    public long? Pages { get; init; }

    public required long Chunks { get; init; }

    public required long Characters { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Nothing more happens to it by itself.</summary>
    public bool IsSettled => Status is "ready" or "failed";

    public static Document Read(DbDataReader row) => new()
    {
        Id = row.GetString(0),
        CollectionId = row.GetString(1),
        OwnerId = row.GetString(2),
        Name = row.GetString(3),
        Kind = row.GetString(4),
        Bytes = row.GetInt64(5),
        Hash = row.GetString(6),
        Status = row.GetString(7),
        Stage = row.GetString(8),
        Done = row.GetInt64(9),
        Total = row.GetInt64(10),
        ErrorCode = row.StringOrNull(11),
        Error = row.StringOrNull(12),
        Pages = row.Int64OrNull(13),
        Chunks = row.GetInt64(14),
        Characters = row.GetInt64(15),
        CreatedAt = row.Time(16),
        UpdatedAt = row.Time(17),
    };
}

/// <summary>Statements that several stores need.</summary>
internal static class DocumentRows
{
    /// <summary>The collection, before any of its documents.</summary>
    public static readonly SqlText Hold = SqlDialect.Held("select id from collections where id = @id");

    /// <summary>What can be known from this collection changed.</summary>
    public static ValueTask<int> RaiseAsync(DbSession session, string collectionId) =>
        session.Prepared("update collections set revision = revision + 1, updated_at = @now where id = @id").Set("now", session.Now).Set("id", collectionId).RunAsync();
}
