using System.Buffers.Binary;
using System.Data.Common;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>A row of <c>vectors</c>.</summary>
/// <param name="Id">Of the entry.</param>
/// <param name="Partition">Of the entry.</param>
/// <param name="Values">L2-normalised.</param>
internal sealed record StoredVector(Guid Id, string Partition, float[] Values)
{
    /// <summary>Changes with the vector: the beginning of its SHA-256.</summary>
    public long Stamp { get; } = BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(MemoryMarshal.AsBytes<float>(Values)));

    public byte[] ToBytes() => MemoryMarshal.AsBytes<float>(Values).ToArray();

    public static float[] FromBytes(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes).ToArray();
}

/// <summary>A row of <c>vectors</c> without its vector.</summary>
internal readonly record struct ListedVector(Guid Id, string Partition, long Stamp, DateTimeOffset CreatedAt);

/// <summary>The table that has the truth, on both databases.</summary>
internal static class VectorTable
{
    private const string Put = """
        INSERT INTO vectors (space, model, id, partition, vector, stamp, created_at) VALUES (@space, @model, @id, @partition, @vector, @stamp, @now)
        ON CONFLICT (space, model, id) DO UPDATE SET partition = excluded.partition, vector = excluded.vector, stamp = excluded.stamp, created_at = excluded.created_at
        """;

    private const string List = "SELECT id, partition, stamp FROM vectors WHERE space = @space AND model = @model AND id > @after ORDER BY id LIMIT @count";
    private const string Range = "SELECT id, partition, stamp, created_at FROM vectors WHERE space = @space AND model = @model AND id > @after AND id <= @last ORDER BY id";
    private const string OfPartition = "SELECT DISTINCT id FROM vectors WHERE space = @space AND partition = @partition";
    private const string Models = "SELECT DISTINCT space, model FROM vectors";
    private const string Homes = "SELECT DISTINCT space, model, partition FROM vectors";

    /// <summary>From one model to the next by the index, however many rows each of them has.</summary>
    private const string NextModel = "SELECT min(model) FROM vectors WHERE space = @space AND model > @after";

    private const string Drop = "DELETE FROM vectors WHERE space = @space AND model = @model AND id IN (SELECT id FROM vectors WHERE space = @space AND model = @model ORDER BY id LIMIT @most) RETURNING id";

    private static readonly SqlText Delete = SqlDialect.InList("DELETE FROM vectors WHERE space = @space AND", "id", "ids", "");
    private static readonly SqlText DeleteRefusals = SqlDialect.InList("DELETE FROM vector_refusals WHERE space = @space AND", "id", "ids", "");
    private static readonly SqlText Listed = SqlDialect.InList("SELECT id, partition, stamp FROM vectors WHERE space = @space AND model = @model AND", "id", "ids", "");
    private static readonly SqlText Read = SqlDialect.InList("SELECT id, partition, vector, model FROM vectors WHERE space = @space AND", "id", "ids", "");

    /// <summary>As the column <c>model</c> has it.</summary>
    public static string ModelOf(EmbedderIdentity identity) => FormattableString.Invariant($"{identity.Model}/{identity.Version}/{identity.Dimension}");

    /// <summary>Numbers in a vector of that model.</summary>
    public static int DimensionOf(string model) => int.Parse(model.AsSpan(model.LastIndexOf('/') + 1), System.Globalization.CultureInfo.InvariantCulture);

    public static string TextOf(Guid id) => id.ToString("D");

    public static string ListOf(IEnumerable<Guid> ids) => JsonSerializer.Serialize(ids.Select(TextOf));

    public static async ValueTask PutAsync(DbSession session, string space, string model, IEnumerable<StoredVector> rows)
    {
        foreach (var row in rows)
        {
            await session.Prepared(Put).Set("space", space).Set("model", model).Set("id", TextOf(row.Id)).Set("partition", row.Partition)
                .Set("vector", row.ToBytes()).Set("stamp", row.Stamp).Set("now", session.Now).RunAsync();
        }
    }

    /// <summary>Whatever the model.</summary>
    public static async ValueTask RemoveAsync(DbSession session, string space, IEnumerable<Guid> ids)
    {
        var list = ListOf(ids);
        await session.Prepared(Delete).Set("space", space).Set("ids", list).RunAsync();
        await session.Prepared(DeleteRefusals).Set("space", space).Set("ids", list).RunAsync();
    }

    /// <summary>Removes some of a model's vectors. Their ids; empty: there are none.</summary>
    public static async ValueTask<List<string>> DropAsync(DbSession session, string space, string model, int most) =>
        await session.Prepared(Drop).Set("space", space).Set("model", model).Set("most", (long)most).ListAsync(static r => r.GetString(0));

    /// <summary>Whose vectors there are in a space.</summary>
    public static async ValueTask<List<string>> ModelsAsync(DbSession session, string space)
    {
        var models = new List<string>();
        for (var after = ""; await session.Prepared(NextModel).Set("space", space).Set("after", after).StringAsync() is { } model; after = model)
        {
            models.Add(model);
        }

        return models;
    }

    public static async ValueTask<List<(string Space, string Model, string Partition)>> PartitionsAsync(DbSession session) =>
        await session.Prepared(Homes).ListAsync(static r => (r.GetString(0), r.GetString(1), r.GetString(2)));

    /// <summary>The next page after an id.</summary>
    public static async ValueTask<List<ListedVector>> ListAsync(DbSession session, string space, string model, Guid after, int count) =>
        await session.Prepared(List).Set("space", space).Set("model", model).Set("after", After(after)).Set("count", count)
            .ListAsync(static r => new ListedVector(Guid.Parse(r.GetString(0)), r.GetString(1), r.GetInt64(2), default));

    /// <summary>All between two ids; <paramref name="last"/> null: to the end.</summary>
    public static async ValueTask<List<ListedVector>> RangeAsync(DbSession session, string space, string model, Guid after, Guid? last) =>
        await session.Prepared(Range).Set("space", space).Set("model", model).Set("after", After(after)).Set("last", last is { } id ? TextOf(id) : "~")
            .ListAsync(static r => new ListedVector(Guid.Parse(r.GetString(0)), r.GetString(1), r.GetInt64(2), r.Time(3)));

    /// <summary>Those of the ids that are there, of every model.</summary>
    public static async ValueTask<List<(string Model, StoredVector Row)>> ReadAsync(DbSession session, string space, IEnumerable<Guid> ids) =>
        await session.Prepared(Read).Set("space", space).Set("ids", ListOf(ids)).ListAsync(static r => (r.GetString(3), RowOf(r)));

    /// <summary>Those of the ids that one model has a vector of, without it.</summary>
    public static async ValueTask<List<ListedVector>> ListAsync(DbSession session, string space, string model, IEnumerable<Guid> ids) =>
        await session.Prepared(Listed).Set("space", space).Set("model", model).Set("ids", ListOf(ids))
            .ListAsync(static r => new ListedVector(Guid.Parse(r.GetString(0)), r.GetString(1), r.GetInt64(2), default));

    public static async ValueTask<List<Guid>> OfPartitionAsync(DbSession session, string space, string partition) =>
        await session.Prepared(OfPartition).Set("space", space).Set("partition", partition).ListAsync(static r => Guid.Parse(r.GetString(0)));

    public static async ValueTask<List<(string Space, string Model)>> SpacesAsync(DbSession session) =>
        await session.Prepared(Models).ListAsync(static r => (r.GetString(0), r.GetString(1)));

    private static StoredVector RowOf(DbDataReader row) => new(Guid.Parse(row.GetString(0)), row.GetString(1), StoredVector.FromBytes(row.Bytes(2)));

    private static string After(Guid id) => id == Guid.Empty ? "" : TextOf(id);
}
