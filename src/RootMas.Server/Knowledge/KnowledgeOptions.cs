using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Knowledge;

/// <summary>What makes vectors of texts.</summary>
public enum EmbedderKind
{
    /// <summary>Built in: hashed words and character n-grams; nothing to download, no cost. It knows wording, not meaning.</summary>
    Local,

    /// <summary>An ONNX file of a sentence transformer on this machine: <c>Knowledge:Onnx</c>.</summary>
    Onnx,

    /// <summary>The model that <c>models.yaml</c> names for embeddings.</summary>
    Model,
}

/// <summary>Where vectors are searched.</summary>
public enum VectorIndexKind
{
    /// <summary>In the database if it can (PostgreSQL with the extension pgvector), else in process.</summary>
    Auto,

    /// <summary>In process.</summary>
    Memory,

    /// <summary>In PostgreSQL; the start is refused where it has no pgvector.</summary>
    Pgvector,
}

/// <summary>Embeddings and vector search. Section <c>Knowledge</c>.</summary>
public sealed record KnowledgeOptions : IValidatableObject
{
    /// <summary>What makes vectors: <c>local</c>, <c>onnx</c> or <c>model</c>. The same for all instances of an installation. After a change every text gets a new vector in the background.</summary>
    public EmbedderKind Embedder { get; init; } = EmbedderKind.Local;

    /// <summary>Numbers in a vector of the model that <c>models.yaml</c> names for embeddings; needed with <c>Embedder: model</c>.</summary>
    [Range(0, 8_192)]
    public int Dimension { get; init; }

    /// <summary>An ONNX file of a sentence transformer, with <c>Embedder: onnx</c>.</summary>
    public OnnxOptions Onnx { get; init; } = new();

    /// <summary>The search.</summary>
    public VectorOptions Vectors { get; init; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Embedder == EmbedderKind.Model && Dimension == 0)
        {
            yield return new ValidationResult("must be set with Embedder=model; legal: the length of that model's vectors, 1 to 8192", [nameof(Dimension)]);
        }

        if (Embedder == EmbedderKind.Onnx)
        {
            foreach (var (key, path) in new[] { ("Onnx:Model", Onnx.Model), ("Onnx:Vocabulary", Onnx.Vocabulary) })
            {
                if (!File.Exists(path))
                {
                    yield return new ValidationResult(path.Length == 0 ? "must be set with Embedder=onnx; legal: the path of a file" : $"'{path}' does not exist", [key]);
                }
            }
        }
    }
}

/// <summary>How a vector is made of what a transformer says about each token.</summary>
public enum Pooling
{
    /// <summary>The mean of all tokens.</summary>
    Mean,

    /// <summary>The first token.</summary>
    Cls,
}

/// <summary>A sentence transformer on this machine.</summary>
public sealed record OnnxOptions
{
    /// <summary>Path of the <c>.onnx</c> file. Inputs <c>input_ids</c>, <c>attention_mask</c> and perhaps <c>token_type_ids</c>; the output is one vector a text, or one a token.</summary>
    public string Model { get; init; } = "";

    /// <summary>Path of its vocabulary: <c>vocab.txt</c> of a BERT or an MPNet, <c>sentencepiece.bpe.model</c> of an XLM-RoBERTa, or <c>vocab.json</c> of a RoBERTa with <c>merges.txt</c> beside it.</summary>
    public string Vocabulary { get; init; } = "";

    /// <summary>The vocabulary has only lower case (<c>uncased</c> models).</summary>
    public bool LowerCase { get; init; } = true;

    /// <summary>For models that give one vector a token: <c>mean</c> or <c>cls</c>.</summary>
    public Pooling Pooling { get; init; } = Pooling.Mean;

    /// <summary>Tokens that the model reads; the rest of a longer text does not count.</summary>
    [Range(8, 8_192)]
    public int MaxTokens { get; init; } = 512;

    /// <summary>Put before what is searched for: <c>query: </c> for E5 models.</summary>
    public string QueryPrefix { get; init; } = "";

    /// <summary>Put before what is kept: <c>passage: </c> for E5 models.</summary>
    public string DocumentPrefix { get; init; } = "";

    /// <summary>Threads for one batch of texts; 0: as many as there are processors.</summary>
    [Range(0, 256)]
    public int Threads { get; init; }
}

/// <summary>Vector search.</summary>
public sealed record VectorOptions
{
    /// <summary>Where vectors are searched: <c>auto</c>, <c>memory</c> or <c>pgvector</c>.</summary>
    public VectorIndexKind Index { get; init; } = VectorIndexKind.Auto;

    /// <summary>Entries of a partition (a collection, a user) from which a graph (HNSW) is built; smaller ones are compared one by one.</summary>
    [Range(100, 100_000_000)]
    public int GraphFrom { get; init; } = 5_000;

    /// <summary>Entries of a partition from which memory holds 8 bits a number instead of 32; the best candidates are then compared exactly.</summary>
    [Range(100, 100_000_000)]
    public int BytesFrom { get; init; } = 50_000;

    /// <summary>Candidates of a search in a graph (ef): more find more of the nearest ones, and take longer.</summary>
    [Range(10, 10_000)]
    public int SearchWidth { get; init; } = 128;

    /// <summary>How often it is checked that every text has its vector. At the start too.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "7.00:00:00")]
    public TimeSpan CheckEvery { get; init; } = TimeSpan.FromHours(6);
}
