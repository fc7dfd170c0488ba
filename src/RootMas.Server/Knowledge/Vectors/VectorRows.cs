using System.Numerics.Tensors;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>A query in the forms in which rows are compared with it.</summary>
/// <param name="Values">L2-normalised.</param>
/// <param name="Bytes">The same in 8 bits; empty where it is not needed.</param>
/// <param name="Scale">What a step of <paramref name="Bytes"/> is worth.</param>
internal sealed record VectorQuery(float[] Values, sbyte[] Bytes, float Scale);

/// <summary>Vectors by row number. One appends at a time, any number reads beside.</summary>
internal abstract class VectorRows(int dimension)
{
    private int _count;

    public int Dimension => dimension;

    /// <summary>Rows below it can be read.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Scores are exact; else they are those of rounded vectors.</summary>
    public abstract bool IsExact { get; }

    /// <summary>Bytes that are taken.</summary>
    public abstract long Bytes { get; }

    public void Append(ReadOnlySpan<float> vector)
    {
        Write(_count, vector);
        Volatile.Write(ref _count, _count + 1);
    }

    public abstract VectorQuery Prepare(ReadOnlyMemory<float> query);

    public abstract float Score(VectorQuery query, int row);

    public abstract float Score(int a, int b);

    /// <summary>The row will be compared soon.</summary>
    public abstract void Prefetch(int row);

    /// <summary>Writes the vector out.</summary>
    public abstract void CopyTo(int row, Span<float> vector);

    public abstract Task SaveAsync(Stream stream, int count, CancellationToken cancellationToken);

    public async Task LoadAsync(Stream stream, int count, CancellationToken cancellationToken)
    {
        await ReadAsync(stream, count, cancellationToken);
        Volatile.Write(ref _count, count);
    }

    protected abstract void Write(int row, ReadOnlySpan<float> vector);

    protected abstract Task ReadAsync(Stream stream, int count, CancellationToken cancellationToken);
}

/// <summary>Vectors as they are: 4 bytes a number.</summary>
internal sealed class FloatRows(int dimension) : VectorRows(dimension)
{
    private readonly RowBlocks<float> _values = new(dimension);

    public override bool IsExact => true;

    public override long Bytes => _values.Bytes;

    public override VectorQuery Prepare(ReadOnlyMemory<float> query) => new(query.ToArray(), [], 0);

    public override float Score(VectorQuery query, int row) => TensorPrimitives.Dot<float>(query.Values, _values[row]);

    public override float Score(int a, int b) => TensorPrimitives.Dot<float>(_values[a], _values[b]);

    public override void Prefetch(int row) => _values.Prefetch(row);

    public override void CopyTo(int row, Span<float> vector) => _values[row].CopyTo(vector);

    public override Task SaveAsync(Stream stream, int count, CancellationToken cancellationToken) => _values.WriteAsync(stream, count, cancellationToken);

    protected override void Write(int row, ReadOnlySpan<float> vector) => vector.CopyTo(_values.Grow(row));

    protected override Task ReadAsync(Stream stream, int count, CancellationToken cancellationToken) => _values.ReadAsync(stream, count, cancellationToken);
}

/// <summary>
/// Vectors in 8 bits a number, each with a scale of its own (its largest number is 127): a quarter of the memory, and of what a search has to read. A cosine is off by about 0.001, so the best ones are compared once more with what is in the database.
/// </summary>
internal sealed class ByteRows(int dimension) : VectorRows(dimension)
{
    private readonly RowBlocks<sbyte> _values = new(dimension);
    private readonly RowBlocks<float> _scales = new(1);

    public override bool IsExact => false;

    public override long Bytes => _values.Bytes + _scales.Bytes;

    public override VectorQuery Prepare(ReadOnlyMemory<float> query)
    {
        var bytes = new sbyte[Dimension];
        return new VectorQuery([], bytes, Round(query.Span, bytes));
    }

    public override float Score(VectorQuery query, int row) => ByteMath.Dot(query.Bytes, _values[row]) * query.Scale * _scales[row][0];

    public override float Score(int a, int b) => ByteMath.Dot(_values[a], _values[b]) * _scales[a][0] * _scales[b][0];

    public override void Prefetch(int row)
    {
        _values.Prefetch(row);
        _scales.Prefetch(row);
    }

    public override void CopyTo(int row, Span<float> vector)
    {
        var values = _values[row];
        var scale = _scales[row][0];
        for (var i = 0; i < vector.Length; i++)
        {
            vector[i] = values[i] * scale;
        }
    }

    public override async Task SaveAsync(Stream stream, int count, CancellationToken cancellationToken)
    {
        await _values.WriteAsync(stream, count, cancellationToken);
        await _scales.WriteAsync(stream, count, cancellationToken);
    }

    protected override void Write(int row, ReadOnlySpan<float> vector) => _scales.Grow(row)[0] = Round(vector, _values.Grow(row));

    protected override async Task ReadAsync(Stream stream, int count, CancellationToken cancellationToken)
    {
        await _values.ReadAsync(stream, count, cancellationToken);
        await _scales.ReadAsync(stream, count, cancellationToken);
    }

    /// <summary>Gives the scale; a vector that was rounded before comes out as it was.</summary>
    private static float Round(ReadOnlySpan<float> vector, Span<sbyte> bytes)
    {
        var scale = MathF.Abs(TensorPrimitives.MaxMagnitude(vector)) / sbyte.MaxValue;
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = scale == 0 ? (sbyte)0 : (sbyte)MathF.Round(vector[i] / scale);
        }

        return scale;
    }
}
