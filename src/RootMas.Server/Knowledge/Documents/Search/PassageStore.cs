using System.Data.Common;
using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>Reads chunks: by words, by id, in order. Each query says whose rights count; only what is published is seen.</summary>
internal sealed class PassageStore(IDatabase database)
{
    private const string Columns = "c.uid, d.id, d.collection_id, d.name, d.kind, c.heading, c.page, c.start_at, c.end_at, c.text";
    private const string Live = "join documents d on d.id = c.document_id and d.generation = c.generation";

    private static readonly SqlText ByWords = new(
        $"""
        select c.uid from fts_chunks f join chunks c on c.id = f.rowid {Live}
        where f.words match @words and d.collection_id in (select value from json_each(@collections))
            and (@documents is null or d.id in (select value from json_each(@documents))) and (@kinds is null or d.kind in (select value from json_each(@kinds)))
        order by bm25(fts_chunks), c.id limit @limit
        """,
        $"""
        select c.uid from fts_chunks f join chunks c on c.id = f.rowid {Live},
            (select websearch_to_tsquery('russian', @words) || websearch_to_tsquery('english', @words) as query) q
        where f.words @@ q.query and d.collection_id = any(array(select json_array_elements_text(@collections::json)))
            and (@documents::text is null or d.id = any(array(select json_array_elements_text(@documents::json)))) and (@kinds::text is null or d.kind = any(array(select json_array_elements_text(@kinds::json))))
        order by ts_rank(f.words, q.query, 1) desc, c.id limit @limit
        """);

    private static readonly SqlText Fitting = new(
        $"""
        select c.uid from chunks c {Live} where d.collection_id in (select value from json_each(@collections))
            and (@documents is null or d.id in (select value from json_each(@documents))) and (@kinds is null or d.kind in (select value from json_each(@kinds)))
        limit @limit
        """,
        $"""
        select c.uid from chunks c {Live} where d.collection_id = any(array(select json_array_elements_text(@collections::json)))
            and (@documents::text is null or d.id = any(array(select json_array_elements_text(@documents::json)))) and (@kinds::text is null or d.kind = any(array(select json_array_elements_text(@kinds::json))))
        limit @limit
        """);

    private static readonly SqlText ByIds = new(
        $"""
        select {Columns} from chunks c {Live} where c.uid in (select value from json_each(@ids)) and d.collection_id in {CollectionAccess.Readable}
            and (@documents is null or d.id in (select value from json_each(@documents))) and (@kinds is null or d.kind in (select value from json_each(@kinds)))
        """,
        $"""
        select {Columns} from chunks c {Live} where c.uid = any(array(select json_array_elements_text(@ids::json))) and d.collection_id in {CollectionAccess.Readable}
            and (@documents::text is null or d.id = any(array(select json_array_elements_text(@documents::json)))) and (@kinds::text is null or d.kind = any(array(select json_array_elements_text(@kinds::json))))
        """);

    /// <summary>The collections in which is searched: those that the user can read, of those that were asked for.</summary>
    public async Task<IReadOnlyList<string>> CollectionsAsync(SearchQuery query, CancellationToken cancellationToken)
    {
        var readable = await database.LookAsync(session => session.Prepared($"select id from collections where id in {CollectionAccess.Readable}").Set("user", query.UserId).ListAsync(static r => r.GetString(0)), cancellationToken);
        return query.Collections.Count == 0 ? readable : [.. readable.Intersect(query.Collections, StringComparer.Ordinal)];
    }

    /// <summary>The chunks that fit the words best.</summary>
    /// <param name="words">Any of them; see <see cref="SearchWords.OfQuestion"/>.</param>
    public async Task<IReadOnlyList<Guid>> ByWordsAsync(IReadOnlyList<string> words, IReadOnlyList<string> collections, SearchQuery query, int limit, CancellationToken cancellationToken) => await database.ReadAsync(
        session => Filtered(session.Prepared(ByWords), query).Set("words", QueryText(session.Kind, words)).Set("collections", JsonSerializer.Serialize(collections)).Set("limit", (long)limit)
            .ListAsync(static r => Guid.Parse(r.GetString(0))),
        cancellationToken);

    /// <summary>Chunks that the query's filter lets through, whatever they say; in no order.</summary>
    public async Task<IReadOnlyList<Guid>> FittingAsync(IReadOnlyList<string> collections, SearchQuery query, int limit, CancellationToken cancellationToken) => await database.ReadAsync(
        session => Filtered(session.Prepared(Fitting), query).Set("collections", JsonSerializer.Serialize(collections)).Set("limit", (long)limit).ListAsync(static r => Guid.Parse(r.GetString(0))),
        cancellationToken);

    /// <summary>Those of these chunks that the user can read now and that the query lets through, by id.</summary>
    public async Task<IReadOnlyDictionary<Guid, Passage>> ReadAsync(IReadOnlyCollection<Guid> ids, SearchQuery query, CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            session => Filtered(session.Prepared(ByIds), query).Set("ids", JsonSerializer.Serialize(ids)).Set("user", query.UserId).ListAsync(Read), cancellationToken);
        return found.ToDictionary(static p => p.Uid);
    }

    /// <summary>Chunks of a document in order, from the one in which <paramref name="start"/> lies, or from the first of <paramref name="page"/>.</summary>
    public async Task<IReadOnlyList<Passage>> FollowingAsync(string documentId, string userId, int start, int? page, int limit, CancellationToken cancellationToken) => await database.LookAsync(
        session => session.Prepared($"""
            select {Columns} from chunks c {Live} where c.document_id = @document and d.collection_id in {CollectionAccess.Readable} and c.end_at > @start and (@page is null or c.page >= @page)
            order by c.ordinal limit @limit
            """).Set("document", documentId).Set("user", userId).Set("start", (long)start).Set("page", page).Set("limit", (long)limit).ListAsync(Read),
        cancellationToken);

    private static DbCommand Filtered(DbCommand command, SearchQuery query) => command
        .Set("documents", query.Documents.Count == 0 ? null : JsonSerializer.Serialize(query.Documents))
        .Set("kinds", query.Kinds.Count == 0 ? null : JsonSerializer.Serialize(query.Kinds));

    /// <summary>Words are letters and digits only, so nothing in them can be an operator of the query language.</summary>
    private static string QueryText(DatabaseKind kind, IReadOnlyList<string> words) => kind == DatabaseKind.Postgres
        ? string.Join(" or ", words)
        : string.Join(" OR ", words.Select(static w => $"\"{SearchWords.Stem(w)}\""));

    private static Passage Read(DbDataReader row) => new(
        Guid.Parse(row.GetString(0)), row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4), row.GetString(5), (int?)row.Int64OrNull(6), (int)row.GetInt64(7), (int)row.GetInt64(8), row.GetString(9));
}
