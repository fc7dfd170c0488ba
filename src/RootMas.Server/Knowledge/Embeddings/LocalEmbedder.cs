using System.Numerics;
using System.Text;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Embeddings;

/// <summary>
/// Vectors without a model: words, pairs of neighbouring words, beginnings of words and the character n-grams of each word, hashed with a sign into 512 numbers (Weinberger et al., 2009, "Feature Hashing for Large Scale Multitask Learning").
/// No table of any language: what makes a word matter less is that it is short. It knows wording, not meaning: inflections and slips of the pen come close, synonyms do not.
/// </summary>
internal sealed class LocalEmbedder : IEmbedder
{
    public const int Dimension = 512;

    /// <summary>The rest of a longer text does not count.</summary>
    private const int LongestText = 32_768;

    /// <summary>Work that is worth a thread of its own.</summary>
    private const int ManyCharacters = 20_000;

    private const int PrefixLength = 5;
    private const int ShortestGram = 3;
    private const int LongestGram = 5;
    private const int FullWeightLength = 8;

    // Chosen on questions of Banking77 (docs/knowledge.md has the figures).
    private const double WordWeight = 1;
    private const double PairWeight = 0.4;
    private const double PrefixWeight = 0.7;
    private const double GramWeight = 2;
    private const double ShortWordPower = 0.75;

    private enum Feature : ulong
    {
        Word = 1,
        Pair,
        Gram,
        Prefix,
    }

    public EmbedderIdentity Identity { get; } = new("local", "1", Dimension);

    public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return texts.Sum(static t => t.Length) < ManyCharacters
            ? ValueTask.FromResult(EmbedAll(texts, cancellationToken))
            : new ValueTask<float[][]>(Task.Run(() => EmbedAll(texts, cancellationToken), cancellationToken));
    }

    /// <summary>The vector of one text: length 1, or zero for a text without letters and digits.</summary>
    internal static float[] Embed(string text)
    {
        var weights = new Dictionary<ulong, double>();
        ulong? before = null;
        var lengthBefore = 0d;
        foreach (var word in Words(text))
        {
            var importance = Math.Pow(Math.Min(word.Length, FullWeightLength) / (double)FullWeightLength, ShortWordPower);
            var hash = HashOf(word, Feature.Word);
            Add(weights, hash, WordWeight * importance);
            Add(weights, HashOf(word.AsSpan(0, Math.Min(word.Length, PrefixLength)), Feature.Prefix), PrefixWeight * importance);
            if (before is { } previous)
            {
                Add(weights, Mix(previous + (BitOperations.RotateLeft(hash, 17) ^ (ulong)Feature.Pair)), PairWeight * Math.Sqrt(importance * lengthBefore));
            }

            AddGrams(weights, word, GramWeight * importance);
            (before, lengthBefore) = (hash, importance);
        }

        return Fold(weights);
    }

    private static float[][] EmbedAll(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        var result = new float[texts.Count][];
        for (var i = 0; i < result.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            result[i] = Embed(texts[i]);
        }

        return result;
    }

    /// <summary>A long word has many n-grams; together they weigh as if they were at right angles to each other.</summary>
    private static void AddGrams(Dictionary<ulong, double> weights, string word, double weight)
    {
        var marked = $"<{word}>";
        var count = 0;
        for (var n = ShortestGram; n <= LongestGram; n++)
        {
            count += Math.Max(0, marked.Length - n + 1);
        }

        var each = weight / Math.Sqrt(Math.Max(1, count));
        for (var n = ShortestGram; n <= LongestGram; n++)
        {
            for (var i = 0; i + n <= marked.Length; i++)
            {
                Add(weights, HashOf(marked.AsSpan(i, n), Feature.Gram), each);
            }
        }
    }

    private static float[] Fold(Dictionary<ulong, double> weights)
    {
        var vector = new float[Dimension];
        foreach (var (hash, weight) in weights)
        {
            // Sublinear: what is said twice does not count twice.
            var value = (float)Math.Log(1 + weight);
            vector[(hash >> 8) % Dimension] += (hash & 1) == 0 ? value : -value;
        }

        VectorMath.Normalize(vector);
        return vector;
    }

    /// <summary>Runs of letters, marks and digits, in lower case and compatibility form; apostrophes inside words are left out, and ё is written е, as most people do.</summary>
    private static IEnumerable<string> Words(string text)
    {
        var word = new StringBuilder();
        foreach (var c in Normal(text))
        {
            if (char.IsLetterOrDigit(c) || char.IsSurrogate(c) || char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.NonSpacingMark)
            {
                word.Append(c == 'ё' ? 'е' : c);
            }
            else if (c is not ('\'' or '’') && word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }
        }

        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }

    private static string Normal(string text)
    {
        var start = text.Length > LongestText ? text[..LongestText] : text;
        return NormalForm.Of(start, NormalizationForm.FormKC).ToLowerInvariant();
    }

    private static void Add(Dictionary<ulong, double> weights, ulong hash, double weight) =>
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(weights, hash, out _) += weight;

    /// <summary>FNV-1a over UTF-16, then the finaliser of MurmurHash3: the same on every machine, for ever.</summary>
    private static ulong HashOf(ReadOnlySpan<char> text, Feature kind)
    {
        var hash = 14695981039346656037UL ^ ((ulong)kind * 0x9E3779B97F4A7C15UL);
        foreach (var c in text)
        {
            hash = (hash ^ c) * 1099511628211UL;
        }

        return Mix(hash);
    }

    private static ulong Mix(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDUL;
        hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53UL;
        return hash ^ (hash >> 33);
    }
}
