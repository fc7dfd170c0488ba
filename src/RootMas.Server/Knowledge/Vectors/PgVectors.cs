using System.Globalization;
using System.Text;
using Npgsql;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// Search in PostgreSQL by pgvector's HNSW. Its tables stand in a schema of their own, one for each length of vectors: they are derived from <c>vectors</c>, written in the same transactions, and neither copied nor backed up.
/// </summary>
internal sealed class PgVectors : IVectorIndex
{
    /// <summary>pgvector indexes no longer ones.</summary>
    private const int LongestIndexed = 2_000;

    private const string Extension = "SELECT extversion FROM pg_extension WHERE extname = 'vector'";
    private const string Available = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'";

    /// <summary>Held by whoever makes or drops tables: two instances that start at once, or one that starts while another tidies up.</summary>
    private const string Alone = "SELECT pg_advisory_xact_lock(5931894172722287)";

    /// <summary>Says that an instance of this model has started: its table is kept, though nothing may be in it yet.</summary>
    private const string Started = """
        INSERT INTO vector_spaces (space, model, instance, lease_until, checked_at) VALUES ('', @model, '', @now, @now)
        ON CONFLICT (space, model) DO UPDATE SET lease_until = excluded.lease_until, checked_at = excluded.checked_at
        """;

    private readonly IDatabase _database;
    private readonly int _width;
    private readonly int _dimension;
    private readonly string _schema;
    private readonly string _table;

    private PgVectors(IDatabase database, int dimension, int width, string schema, string version)
    {
        (_database, _width, _dimension, _schema, Version) = (database, width, dimension, schema, version);
        _table = TableOf(dimension);
    }

    public string Name => "pgvector";

    /// <summary>Of the extension.</summary>
    public string Version { get; }

    /// <summary>Scans that go on until the filter has let enough through came with 0.8.</summary>
    private bool CanIterate => System.Version.TryParse(Version, out var version) && version >= new Version(0, 8);

    /// <summary>Its table takes vectors of that model.</summary>
    public bool Fits(string model) => VectorTable.DimensionOf(model) == _dimension;

    /// <summary>Makes what is missing. Null, and why: the server has no pgvector, or does not let us use it.</summary>
    public static async Task<(PgVectors? Vectors, string Problem)> TryCreateAsync(IDatabase database, EmbedderIdentity identity, int width, CancellationToken cancellationToken)
    {
        if (identity.Dimension > LongestIndexed)
        {
            return (null, FormattableString.Invariant($"pgvector indexes vectors of at most {LongestIndexed} numbers, and these have {identity.Dimension}"));
        }

        try
        {
            if (await database.ReadAsync(static s => s.Prepared(Available).StringAsync(), cancellationToken) is null)
            {
                return (null, "the server has no extension pgvector");
            }

            return (await database.WriteAsync(session => CreateAsync(database, session, identity, width), cancellationToken), "");
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InsufficientPrivilege)
        {
            return (null, "this role may not create the extension pgvector, or a schema in this database");
        }
    }

    public async ValueTask PutAsync(DbSession session, string space, string model, IReadOnlyList<StoredVector> rows)
    {
        await VectorTable.PutAsync(session, space, model, rows);
        foreach (var row in rows)
        {
            await IndexAsync(session, space, model, row);
        }
    }

    public async ValueTask RemoveAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids)
    {
        await VectorTable.RemoveAsync(session, space, ids);
        await session.Prepared($"DELETE FROM {_table} WHERE space = @space AND id = ANY(ARRAY(SELECT json_array_elements_text(@ids::json)))")
            .Set("space", space).Set("ids", VectorTable.ListOf(ids)).RunAsync();
    }

    public async ValueTask<int> DropAsync(DbSession session, string space, string model, int most)
    {
        var gone = await VectorTable.DropAsync(session, space, model, most);
        if (Fits(model))
        {
            var which = gone.Count == 0 ? "" : " AND id = ANY(ARRAY(SELECT json_array_elements_text(@ids::json)))";
            var delete = session.Prepared($"DELETE FROM {_table} WHERE space = @space AND model = @model{which}").Set("space", space).Set("model", model);
            await (gone.Count == 0 ? delete : delete.Set("ids", System.Text.Json.JsonSerializer.Serialize(gone))).RunAsync();
        }

        return gone.Count;
    }

    /// <summary>Drops the tables of lengths that no vector has and no instance works with, with their indexes.</summary>
    public Task DropUnusedAsync(CancellationToken cancellationToken) => _database.WriteAsync(
        async session =>
        {
            await session.Prepared(Alone).AnyAsync();
            var used = await session.Prepared("SELECT model FROM vector_spaces UNION SELECT DISTINCT model FROM vectors").ListAsync(static r => VectorTable.DimensionOf(r.GetString(0)));
            var there = await session.Prepared("SELECT substr(tablename, 9) FROM pg_tables WHERE schemaname = @schema AND tablename ~ '^vectors_[0-9]+$'").Set("schema", _schema)
                .ListAsync(static r => int.Parse(r.GetString(0), CultureInfo.InvariantCulture));
            foreach (var dimension in there.Where(d => d != _dimension).Except(used))
            {
                await session.Prepared($"DROP TABLE {TableOf(dimension)}").RunAsync();
            }
        },
        cancellationToken);

    /// <summary>Whose vectors its table has.</summary>
    public Task<List<(string Space, string Model)>> IndexedAsync(CancellationToken cancellationToken) => _database.ReadAsync(
        async session => await session.Prepared($"SELECT DISTINCT space, model FROM {_table}").ListAsync(static r => (r.GetString(0), r.GetString(1))), cancellationToken);

    public async ValueTask<IReadOnlyList<VectorHit>> SearchAsync(
        string space, string model, ReadOnlyMemory<float> query, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken)
    {
        var text = TextOf(query.Span);
        if (!text.AsSpan().ContainsAnyInRange('1', '9'))
        {
            return []; // the zero vector has no cosine
        }

        var names = System.Text.Json.JsonSerializer.Serialize(partitions);
        return await _database.ReadAsync(
            async session =>
            {
                await session.Prepared("SELECT set_config('hnsw.ef_search', @width, true)").Set("width", Math.Clamp(Math.Max(_width, k), 1, 1_000).ToString(CultureInfo.InvariantCulture)).StringAsync();
                if (CanIterate)
                {
                    await session.Prepared("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)").StringAsync();
                }

                var near = await session.Prepared($"""
                    SELECT id, partition, 1 - (embedding <=> @query::vector) FROM {_table}
                    WHERE space = @space AND model = @model AND partition = ANY(ARRAY(SELECT json_array_elements_text(@partitions::json)))
                    ORDER BY embedding <=> @query::vector LIMIT @k
                    """)
                    .Set("query", text).Set("space", space).Set("model", model).Set("partitions", names).Set("k", k).ListAsync(HitOf);

                // The graph is one for all partitions, and a scan of it ends after so many rows: with too few, either there are no more, or all of them were too far away.
                return near.Count >= k ? near : await session.Prepared(Compared("")).Set("query", text).Set("space", space).Set("model", model).Set("partitions", names).Set("k", k).ListAsync(HitOf);
            },
            cancellationToken);
    }

    public async ValueTask<IReadOnlyList<VectorHit>> SearchAmongAsync(
        string space, string model, ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, VectorLook look, CancellationToken cancellationToken)
    {
        var text = TextOf(query.Span);
        return !text.AsSpan().ContainsAnyInRange('1', '9') ? [] : await _database.ReadAsync(
            session => session.Prepared(Compared("AND id = ANY(ARRAY(SELECT json_array_elements_text(@ids::json)))"))
                .Set("query", text).Set("space", space).Set("model", model).Set("partitions", System.Text.Json.JsonSerializer.Serialize(look.Partitions)).Set("ids", VectorTable.ListOf(among)).Set("k", look.Count)
                .ListAsync(HitOf),
            cancellationToken);
    }

    /// <summary>Takes up what was written by processes that search in memory, and drops what they removed; a page at a time. Zero: that was all.</summary>
    public Task<int> CatchUpAsync(string space, string model, int count, CancellationToken cancellationToken) => _database.WriteAsync(
        async session =>
        {
            await session.Prepared($"DELETE FROM {_table} i WHERE i.space = @space AND i.model = @model AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.space = i.space AND v.model = i.model AND v.id = i.id)")
                .Set("space", space).Set("model", model).RunAsync();
            var rows = await session.Prepared($"""
                SELECT v.id, v.partition, v.vector FROM vectors v LEFT JOIN {_table} i ON i.space = v.space AND i.model = v.model AND i.id = v.id
                WHERE v.space = @space AND v.model = @model AND (i.id IS NULL OR i.stamp <> v.stamp OR i.partition <> v.partition) ORDER BY v.id LIMIT @count
                """)
                .Set("space", space).Set("model", model).Set("count", count)
                .ListAsync(static r => new StoredVector(Guid.Parse(r.GetString(0)), r.GetString(1), StoredVector.FromBytes(r.Bytes(2))));
            foreach (var row in rows)
            {
                await IndexAsync(session, space, model, row);
            }

            return rows.Count;
        },
        cancellationToken);

    private static async ValueTask<PgVectors> CreateAsync(IDatabase database, DbSession session, EmbedderIdentity identity, int width)
    {
        var dimension = identity.Dimension;
        await session.Prepared(Alone).AnyAsync();
        if (await session.Prepared(Extension).StringAsync() is null)
        {
            await session.Prepared("CREATE EXTENSION IF NOT EXISTS vector").RunAsync();
        }

        var version = await session.Prepared(Extension).StringAsync() ?? "";
        var schema = await session.Prepared("SELECT current_schema()").StringAsync() + "_vectors";
        var made = new PgVectors(database, dimension, width, schema, version);
        await session.Prepared(Started).Set("model", VectorTable.ModelOf(identity)).Set("now", session.Now).RunAsync();
        if (await session.Prepared("SELECT to_regclass(@table)::text").Set("table", made._table).StringAsync() is not null)
        {
            return made;
        }

        await session.Prepared($"CREATE SCHEMA IF NOT EXISTS \"{schema}\"").RunAsync();
        await session.Prepared(string.Create(CultureInfo.InvariantCulture, $"""
            CREATE TABLE {made._table} (space TEXT COLLATE "C" NOT NULL, model TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, partition TEXT COLLATE "C" NOT NULL,
                embedding vector({dimension}) NOT NULL, stamp BIGINT NOT NULL, PRIMARY KEY (space, model, id))
            """)).RunAsync();
        await session.Prepared(string.Create(CultureInfo.InvariantCulture, $"CREATE INDEX vectors_{dimension}_near ON {made._table} USING hnsw (embedding vector_cosine_ops)")).RunAsync();
        await session.Prepared(string.Create(CultureInfo.InvariantCulture, $"CREATE INDEX vectors_{dimension}_partition ON {made._table} (space, partition)")).RunAsync();
        return made;
    }

    private string TableOf(int dimension) => string.Create(CultureInfo.InvariantCulture, $"\"{_schema}\".vectors_{dimension}");

    /// <summary>Every row that fits is compared: what is materialized first cannot be taken from the graph.</summary>
    private string Compared(string filter) => $"""
        WITH compared AS MATERIALIZED (SELECT id, partition, embedding <=> @query::vector AS distance FROM {_table}
            WHERE space = @space AND model = @model AND partition = ANY(ARRAY(SELECT json_array_elements_text(@partitions::json))) {filter})
        SELECT id, partition, 1 - distance FROM compared ORDER BY distance, id LIMIT @k
        """;

    private static VectorHit HitOf(System.Data.Common.DbDataReader row) =>
        new(Guid.Parse(row.GetString(0)), row.GetString(1), row.GetDouble(2) is var score && double.IsNaN(score) ? 0 : (float)score); // a stored zero vector is like nothing

    private async ValueTask IndexAsync(DbSession session, string space, string model, StoredVector row) => await session.Prepared($"""
        INSERT INTO {_table} (space, model, id, partition, embedding, stamp) VALUES (@space, @model, @id, @partition, @vector::vector, @stamp)
        ON CONFLICT (space, model, id) DO UPDATE SET partition = excluded.partition, embedding = excluded.embedding, stamp = excluded.stamp
        """)
        .Set("space", space).Set("model", model).Set("id", VectorTable.TextOf(row.Id)).Set("partition", row.Partition).Set("vector", TextOf(row.Values)).Set("stamp", row.Stamp).RunAsync();

    /// <summary>As pgvector reads it: <c>[0.1,0.2]</c>.</summary>
    private static string TextOf(ReadOnlySpan<float> vector)
    {
        var text = new StringBuilder("[", vector.Length * 12);
        foreach (var value in vector)
        {
            text.Append(CultureInfo.InvariantCulture, $"{value},");
        }

        text[^1] = ']';
        return text.ToString();
    }
}
