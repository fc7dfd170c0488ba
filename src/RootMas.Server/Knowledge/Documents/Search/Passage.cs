namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>What somebody looks for.</summary>
/// <param name="UserId">With whose rights.</param>
internal sealed record SearchQuery(string UserId, string Text)
{
    /// <summary>Only these collections; empty: all that the user can read.</summary>
    public IReadOnlyList<string> Collections { get; init; } = [];

    /// <summary>Only these documents; empty: all.</summary>
    public IReadOnlyList<string> Documents { get; init; } = [];

    /// <summary>Only these kinds of documents; empty: all.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>Passages to give.</summary>
    public int Limit { get; init; } = 6;

    /// <summary>Tier of the model that orders them anew; <c>none</c>: no model; null: as the settings say.</summary>
    public string? Rerank { get; init; }

    /// <summary>Among equally good passages those that say something new come first.</summary>
    public bool Diversify { get; init; } = true;
}

/// <summary>A chunk that was found.</summary>
/// <param name="Uid">The chunk.</param>
/// <param name="Title">Name of the document.</param>
/// <param name="Text">Exactly what stands at <paramref name="Start"/> to <paramref name="End"/> of the document's text.</param>
internal sealed record Passage(Guid Uid, string DocumentId, string CollectionId, string Title, string Kind, string Heading, int? Page, int Start, int End, string Text)
{
    /// <summary>How well it fits; comparable only within one answer.</summary>
    public double Score { get; init; }

    /// <summary>Its place in the full-text search, from 1; null: not found by words.</summary>
    public int? WordRank { get; init; }

    /// <summary>Its place in the vector search, from 1; null: not found by meaning.</summary>
    public int? VectorRank { get; init; }

    /// <summary>How answers cite it: given by the server, the same each time, and hard to guess for whoever was not given it.</summary>
    public string CitationId => CitationIds.Of(Uid);
}

/// <summary>Marks of passages in answers: <c>[k1a2b3c4d]</c>.</summary>
internal static class CitationIds
{
    /// <summary>The random end of the chunk's id.</summary>
    public static string Of(Guid chunk) => "k" + chunk.ToString("N")[^8..];
}
