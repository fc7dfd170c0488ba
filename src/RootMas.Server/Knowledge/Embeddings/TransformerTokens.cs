using Microsoft.ML.Tokenizers;

namespace RootMas.Server.Knowledge.Embeddings;

/// <summary>Texts as the numbers that a transformer reads, with its marks of beginning and end.</summary>
internal sealed class TransformerTokens
{
    /// <summary>More characters than a token has in any vocabulary; the rest of a long text is not even looked at.</summary>
    private const int CharactersPerToken = 24;

    private const string Begin = "<s>";
    private const string End = "</s>";
    private const string Pad = "<pad>";
    private const string Mask = "<mask>";

    private readonly Tokenizer _tokenizer;
    private readonly int _begin;
    private readonly int _end;
    private readonly Func<int, int> _idOf;

    private TransformerTokens(Tokenizer tokenizer, int begin, int end, int padding, Func<int, int> idOf) =>
        (_tokenizer, _begin, _end, Padding, _idOf) = (tokenizer, begin, end, padding, idOf);

    public int Padding { get; }

    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="ArgumentException">It is no vocabulary.</exception>
    public static TransformerTokens Load(string path, bool lowerCase) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".MODEL" => SentencePiece(path),
        ".JSON" => BytePairs(path),
        _ => WordPiece(path, lowerCase),
    };

    /// <summary>What is read with a vocabulary, beside the file itself.</summary>
    public static IEnumerable<string> Beside(string path) => Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase) ? [MergesOf(path)] : [];

    /// <summary>At most <paramref name="most"/> tokens, the marks included.</summary>
    public long[] Encode(string text, int most)
    {
        var start = text.Length > most * CharactersPerToken ? text[..(most * CharactersPerToken)] : text;
        var ids = _tokenizer switch
        {
            BertTokenizer bert => bert.EncodeToIds(start, most - 2, addSpecialTokens: false, out _, out _),
            SentencePieceTokenizer pieces => pieces.EncodeToIds(start, addBeginningOfSentence: false, addEndOfSentence: false, most - 2, out _, out _),
            _ => _tokenizer.EncodeToIds(start, most - 2, out _, out _),
        };
        return [_begin, .. ids.Select(id => (long)_idOf(id)), _end];
    }

    /// <summary>That of a BERT, or of an MPNet, whose marks are other words and the first of its vocabulary.</summary>
    private static TransformerTokens WordPiece(string path, bool lowerCase)
    {
        var options = new BertOptions { LowerCaseBeforeTokenization = lowerCase, RemoveNonSpacingMarks = lowerCase };
        if (File.ReadLines(path).FirstOrDefault() == Begin)
        {
            (options.ClassificationToken, options.SeparatorToken, options.PaddingToken, options.MaskingToken) = (Begin, End, Pad, Mask);
        }

        var bert = BertTokenizer.Create(path, options);
        return new TransformerTokens(bert, bert.ClassificationTokenId, bert.SeparatorTokenId, bert.PaddingTokenId, static id => id);
    }

    /// <summary>That of a RoBERTa: pairs of bytes (Sennrich et al., 2016, on bytes as Radford et al., 2019), which of them belong together in <c>merges.txt</c> beside it.</summary>
    private static TransformerTokens BytePairs(string path)
    {
        var pairs = BpeTokenizer.Create(new BpeOptions(path, MergesOf(path)) { ByteLevel = true, PreTokenizer = RobertaPreTokenizer.Instance, UnknownToken = "<unk>" });
        int IdOf(string mark) => pairs.Vocabulary.TryGetValue(mark, out var id) ? id : throw new ArgumentException($"It has no {mark}.", nameof(path));
        return new TransformerTokens(pairs, IdOf(Begin), IdOf(End), IdOf(Pad), static id => id);
    }

    private static string MergesOf(string path) => Path.Combine(Path.GetDirectoryName(path) ?? "", "merges.txt");

    /// <summary>XLM-RoBERTa numbers its pieces from 4 on (0 begin, 1 padding, 2 end, 3 unknown), where SentencePiece's own file begins with 0 unknown, 1 begin, 2 end.</summary>
    private static TransformerTokens SentencePiece(string path)
    {
        using var file = File.OpenRead(path);
        var pieces = SentencePieceTokenizer.Create(file, addBeginningOfSentence: false, addEndOfSentence: false);
        var unknown = pieces.UnknownId;
        return new TransformerTokens(pieces, 0, 2, 1, id => id == unknown ? 3 : id + 1);
    }
}
