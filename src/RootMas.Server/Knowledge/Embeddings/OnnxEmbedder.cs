using System.Security.Cryptography;
using Microsoft.ML.OnnxRuntime;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform;

namespace RootMas.Server.Knowledge.Embeddings;

/// <summary>
/// Vectors from an ONNX file of a sentence transformer on this machine (Reimers and Gurevych, 2019, "Sentence-BERT"). What comes out for each token is pooled, unless the file does that itself.
/// </summary>
internal sealed class OnnxEmbedder : IEmbedder, IDisposable
{
    /// <summary>Texts that are computed together; they are padded to the longest of them.</summary>
    private const int Batch = 16;

    private const string Ids = "input_ids";
    private const string Mask = "attention_mask";
    private const string Types = "token_type_ids";

    private readonly OnnxOptions _options;
    private readonly InferenceSession _session;
    private readonly TransformerTokens _tokens;
    private readonly string _output;

    /// <exception cref="StartupRefusedException">The files do not make an embedder.</exception>
    public OnnxEmbedder(OnnxOptions options)
    {
        _options = options;
        try
        {
            _tokens = TransformerTokens.Load(options.Vocabulary, options.LowerCase);
            using var how = new Microsoft.ML.OnnxRuntime.SessionOptions { IntraOpNumThreads = options.Threads };
            _session = new InferenceSession(options.Model, how);
            _output = OutputOf(_session);
            Identity = new EmbedderIdentity(Path.GetFileNameWithoutExtension(options.Model), VersionOf(options), Pool(["a"], EmbedPurpose.Query)[0].Length);
        }
        catch (Exception e) when (e is OnnxRuntimeException or IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            _session?.Dispose();
            throw new StartupRefusedException($"Knowledge:Onnx: {options.Model} with {options.Vocabulary} does not make an embedder: {e.Message} Give a sentence transformer's ONNX file and its vocabulary, or say Knowledge:Embedder=local.");
        }
    }

    public EmbedderIdentity Identity { get; }

    public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return new ValueTask<float[][]>(Task.Run(() => EmbedAll(texts, purpose, cancellationToken), cancellationToken));
    }

    public void Dispose() => _session.Dispose();

    private float[][] EmbedAll(IReadOnlyList<string> texts, EmbedPurpose purpose, CancellationToken cancellationToken)
    {
        var result = new List<float[]>(texts.Count);
        foreach (var batch in texts.Chunk(Batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                result.AddRange(Pool(batch, purpose));
            }
            catch (OnnxRuntimeException e)
            {
                // A file that knows fewer positions than MaxTokens, or fewer words than its vocabulary, starts well and fails at such a text.
                throw new ModelException("invalid_answer", $"The model in Knowledge:Onnx:Model cannot embed this text: {e.Message}", inner: e);
            }
        }

        return [.. result];
    }

    private float[][] Pool(string[] texts, EmbedPurpose purpose)
    {
        var prefix = purpose == EmbedPurpose.Query ? _options.QueryPrefix : _options.DocumentPrefix;
        var encoded = texts.Select(t => _tokens.Encode(prefix + t, _options.MaxTokens)).ToList();
        var width = encoded.Max(static e => e.Length);
        var (ids, mask) = (new long[texts.Length * width], new long[texts.Length * width]);
        Array.Fill(ids, _tokens.Padding);
        foreach (var (row, tokens) in encoded.Index())
        {
            tokens.CopyTo(ids, row * width);
            Array.Fill(mask, 1, row * width, tokens.Length);
        }

        long[] shape = [texts.Length, width];
        using var idValues = OrtValue.CreateTensorValueFromMemory(ids, shape);
        using var maskValues = OrtValue.CreateTensorValueFromMemory(mask, shape);
        using var typeValues = OrtValue.CreateTensorValueFromMemory(new long[ids.Length], shape);
        var all = new Dictionary<string, OrtValue>(StringComparer.Ordinal) { [Ids] = idValues, [Mask] = maskValues, [Types] = typeValues };
        var inputs = all.Where(i => _session.InputMetadata.ContainsKey(i.Key)).ToDictionary(StringComparer.Ordinal);
        using var run = new RunOptions();
        using var outputs = _session.Run(run, inputs, [_output]);
        var values = outputs[0].GetTensorDataAsSpan<float>();
        var rank = outputs[0].GetTensorTypeAndShape().Shape;
        var result = new float[texts.Length][];
        for (var row = 0; row < result.Length; row++)
        {
            result[row] = rank.Length == 2 ? values.Slice(row * (int)rank[1], (int)rank[1]).ToArray()
                : Pooled(values.Slice(row * width * (int)rank[2], width * (int)rank[2]), encoded[row].Length, (int)rank[2]);
            VectorMath.Normalize(result[row]);
        }

        return result;
    }

    /// <summary>One vector of those of the first <paramref name="tokens"/> tokens; what stands for padding does not count.</summary>
    private float[] Pooled(ReadOnlySpan<float> values, int tokens, int dimension)
    {
        var sum = values[..dimension].ToArray();
        for (var token = 1; token < tokens && _options.Pooling == Pooling.Mean; token++)
        {
            System.Numerics.Tensors.TensorPrimitives.Add<float>(sum, values.Slice(token * dimension, dimension), sum);
        }

        return sum;
    }

    /// <summary>A vector for the text, if the file has one; else one for each token.</summary>
    private static string OutputOf(InferenceSession session)
    {
        var floats = session.OutputMetadata.Where(static o => o.Value.IsTensor && o.Value.ElementType == typeof(float)).ToDictionary(static o => o.Key, static o => o.Value.Dimensions.Length, StringComparer.Ordinal);
        return !session.InputMetadata.ContainsKey(Ids) ? throw new InvalidOperationException($"It has no input {Ids}.")
            : floats.ContainsKey("sentence_embedding") ? "sentence_embedding"
            : floats.ContainsKey("last_hidden_state") ? "last_hidden_state"
            : floats.FirstOrDefault(static o => o.Value is 2 or 3).Key ?? throw new InvalidOperationException("It has no output with vectors of 32-bit floats.");
    }

    /// <summary>Of the file's content and of everything else that changes its vectors.</summary>
    private static string VersionOf(OnnxOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in (string[])[options.Model, options.Vocabulary, .. TransformerTokens.Beside(options.Vocabulary), .. WeightsOf(options.Model)])
        {
            using var file = File.OpenRead(path);
            hash.AppendData(SHA256.HashData(file));
        }

        hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{options.LowerCase}|{options.Pooling}|{options.MaxTokens}|{options.QueryPrefix}|{options.DocumentPrefix}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..12];
    }

    /// <summary>Files that hold weights for the model: ONNX keeps what is beyond two gigabytes, or whatever the exporter likes, beside it as <c>model.onnx_data</c>, <c>model.onnx.data</c> and the like.</summary>
    private static IEnumerable<string> WeightsOf(string model)
    {
        var (folder, name) = (Path.GetDirectoryName(Path.GetFullPath(model))!, Path.GetFileName(model));
        return Directory.EnumerateFiles(folder).Where(f => Path.GetFileName(f) is var beside && beside != name && beside.StartsWith(name, StringComparison.Ordinal)).Order(StringComparer.Ordinal);
    }
}
