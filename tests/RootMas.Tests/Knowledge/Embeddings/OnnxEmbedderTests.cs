using System.Runtime.InteropServices;
using System.Security.Cryptography;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Embeddings;

/// <summary>A sentence transformer in a file. Ours is the smallest there can be: a table that gives each token its vector, as the last hidden state.</summary>
public sealed class OnnxEmbedderTests : IDisposable
{
    private const int Dimension = 4;

    private static readonly string[] Words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s", "кот", "query", ":"];

    private readonly TempFolder _folder = new();

    [Fact]
    public async Task A_text_is_the_mean_of_its_tokens_and_padding_does_not_count()
    {
        using var embedder = new OnnxEmbedder(Options());
        Assert.Equal(("tiny", Dimension), (embedder.Identity.Model, embedder.Identity.Dimension));
        var vectors = await embedder.EmbedAsync(["Hello worlds", "кот", "hello", "unheard-of"], EmbedPurpose.Document, "u", CancellationToken.None);
        Near(Mean(2, 5, 6, 7, 3), vectors[0]);
        Near(Mean(2, 8, 3), vectors[1]);
        Near(Mean(2, 5, 3), vectors[2]);
        Assert.Equal(vectors[1], (await embedder.EmbedAsync(["кот"], EmbedPurpose.Document, "u", CancellationToken.None))[0]);
    }

    [Fact]
    public async Task What_the_operator_says_about_pooling_prefixes_and_length_is_done_and_is_part_of_the_version()
    {
        using var plain = new OnnxEmbedder(Options());
        using var cls = new OnnxEmbedder(Options() with { Pooling = Pooling.Cls });
        Near(Mean(2), (await cls.EmbedAsync(["hello world"], EmbedPurpose.Document, "u", CancellationToken.None))[0]);

        using var prefixed = new OnnxEmbedder(Options() with { QueryPrefix = "query: " });
        Near(Mean(2, 9, 10, 5, 3), (await prefixed.EmbedAsync(["hello"], EmbedPurpose.Query, "u", CancellationToken.None))[0]);
        Near(Mean(2, 5, 3), (await prefixed.EmbedAsync(["hello"], EmbedPurpose.Document, "u", CancellationToken.None))[0]);

        using var cut = new OnnxEmbedder(Options() with { MaxTokens = 8 });
        var many = string.Join(' ', Enumerable.Repeat("hello", 50_000));
        Near(Mean(2, 5, 5, 5, 5, 5, 5, 3), (await cut.EmbedAsync([many], EmbedPurpose.Document, "u", CancellationToken.None))[0]);
        Assert.Equal(4, new[] { plain, cls, prefixed, cut }.Select(static e => e.Identity.Version).Distinct().Count());
        using var again = new OnnxEmbedder(Options());
        Assert.Equal(plain.Identity, again.Identity);
    }

    [Fact]
    public void Weights_beside_the_model_are_part_of_the_version_and_a_model_without_them_keeps_the_one_it_had()
    {
        var options = Options();
        var alone = Version(options);
        byte[] content = [.. SHA256.HashData(File.ReadAllBytes(options.Model)), .. SHA256.HashData(File.ReadAllBytes(options.Vocabulary)), .. "True|Mean|512||"u8];
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content))[..12], alone);

        File.WriteAllText(Path.Combine(_folder.Path, "merges.txt"), "of another vocabulary");
        File.WriteAllText(Path.Combine(_folder.Path, "other.onnx_data"), "of another model");
        Assert.Equal(alone, Version(options));

        File.WriteAllText(options.Model + "_data", "weights");
        var with = Version(options);
        File.WriteAllText(options.Model + "_data", "Weights");
        var exchanged = Version(options);
        File.WriteAllText(options.Model + "_data_1", "and more");
        Assert.Equal(4, new[] { alone, with, exchanged, Version(options) }.Distinct().Count());
    }

    [Fact]
    public void Merges_of_byte_pairs_are_part_of_the_version()
    {
        var (vocabulary, merges) = (Path.Combine(_folder.Path, "vocab.json"), Path.Combine(_folder.Path, "merges.txt"));
        File.WriteAllText(vocabulary, """{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"h":4,"i":5,"hi":6}""");
        var options = Options() with { Vocabulary = vocabulary };
        File.WriteAllText(merges, "#version: 0.2\nh i\n");
        var before = Version(options);
        Assert.Equal(before, Version(options));
        File.WriteAllText(merges, "#version: 0.2\n");
        Assert.NotEqual(before, Version(options));
    }

    [Fact]
    public async Task A_SentencePiece_vocabulary_is_numbered_as_XLM_RoBERTa_does()
    {
        using var embedder = new OnnxEmbedder(Options() with { Vocabulary = Pieces() });
        var vectors = await embedder.EmbedAsync(["hello world", "кот"], EmbedPurpose.Document, "u", CancellationToken.None);
        Near(Mean(0, 4, 5, 2), vectors[0]); // <s> ▁hello ▁world </s>
        Near(Mean(0, 6, 2), vectors[1]);
    }

    [Fact]
    public void A_vocabulary_of_byte_pairs_is_read_with_the_merges_beside_it()
    {
        var vocabulary = Path.Combine(_folder.Path, "vocab.json");
        File.WriteAllText(vocabulary, """{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"h":4,"i":5,"hi":6,"\u0120":7,"\u0120hi":8,"\u00c3":9,"\u00a9":10}""");
        File.WriteAllText(Path.Combine(_folder.Path, "merges.txt"), "#version: 0.2\nh i\n\u0120 hi\n");
        var tokens = TransformerTokens.Load(vocabulary, lowerCase: false);
        Assert.Equal([0, 6, 8, 2], tokens.Encode("hi hi", 16));
        Assert.Equal([0, 9, 10, 2], tokens.Encode("\u00e9", 16)); // two bytes
        Assert.Equal([0, 6, 8, 2], tokens.Encode("hi hi hi hi", 4));
        Assert.DoesNotContain(0L, tokens.Encode("<s>", 16)[1..]); // a text makes no marks
        Assert.Equal(1, tokens.Padding);

        File.WriteAllText(vocabulary, """{"h":0}""");
        Assert.ThrowsAny<Exception>(() => TransformerTokens.Load(vocabulary, lowerCase: false));
    }

    [Fact]
    public void A_vocabulary_with_the_marks_of_MPNet_is_one_too()
    {
        var vocabulary = Path.Combine(_folder.Path, "mpnet.txt");
        File.WriteAllLines(vocabulary, ["<s>", "<pad>", "</s>", "<unk>", "[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "wor", "##ld", "<mask>"]);
        var tokens = TransformerTokens.Load(vocabulary, lowerCase: true);
        Assert.Equal([0, 8, 9, 10, 5, 2], tokens.Encode("Hello world zzz", 16));
        Assert.Equal(1, tokens.Padding);
    }

    [Fact]
    public void Files_that_make_no_embedder_stop_the_start_by_name()
    {
        var broken = _folder.Path + "/broken.onnx";
        File.WriteAllText(broken, "this is no model");
        var refused = Assert.Throws<StartupRefusedException>(() => new OnnxEmbedder(Options() with { Model = broken }));
        Assert.Contains("broken.onnx", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Knowledge:Embedder=local", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_that_the_file_cannot_compute_is_the_models_failure_which_those_who_ask_expect()
    {
        var options = Options();
        await File.AppendAllLinesAsync(options.Vocabulary, ["beyond"]); // the table ends before it
        using var embedder = new OnnxEmbedder(options);
        var failed = await Assert.ThrowsAsync<ModelException>(async () => await embedder.EmbedAsync(["hello", "beyond"], EmbedPurpose.Query, "u", CancellationToken.None));
        Assert.Equal("invalid_answer", failed.ErrorClass);
        Near(Mean(2, 5, 3), (await embedder.EmbedAsync(["hello"], EmbedPurpose.Query, "u", CancellationToken.None))[0]);
    }

    [Fact]
    public async Task The_server_embeds_with_it_when_the_settings_say_so()
    {
        var options = Options();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Knowledge:Embedder"] = "onnx";
            o.Settings["Knowledge:Onnx:Model"] = options.Model;
            o.Settings["Knowledge:Onnx:Vocabulary"] = options.Vocabulary;
        });
        var id = Guid.NewGuid();
        var store = app.Get<IVectorStore>();
        await store.PutAsync("chunks", [new VectorEntry(id, "p", "hello worlds"), new VectorEntry(Guid.NewGuid(), "p", "кот")], "system", CancellationToken.None);
        var query = (await app.Get<IEmbedder>().EmbedAsync(["hello world"], EmbedPurpose.Query, "system", CancellationToken.None))[0];
        Assert.Equal(id, (await store.SearchAsync("chunks", query, ["p"], 1, CancellationToken.None))[0].Id);
    }

    [Fact]
    public async Task Without_the_files_the_start_is_refused_with_the_name_of_the_setting()
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.Settings["Knowledge:Embedder"] = "onnx"));
        Assert.Contains("Knowledge:Onnx:Model", refused.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static string Version(OnnxOptions options)
    {
        using var embedder = new OnnxEmbedder(options);
        return embedder.Identity.Version;
    }

    private static float[] Row(int token)
    {
        var random = new Random(token + 1);
        return [.. Enumerable.Range(0, Dimension).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    private static float[] Mean(params int[] tokens)
    {
        var sum = new float[Dimension];
        foreach (var token in tokens)
        {
            for (var i = 0; i < Dimension; i++)
            {
                sum[i] += Row(token)[i];
            }
        }

        VectorMath.Normalize(sum);
        return sum;
    }

    private static void Near(float[] expected, float[] actual) => Assert.All(expected.Zip(actual), static p => Assert.Equal(p.First, p.Second, 4));

    private OnnxOptions Options()
    {
        var (model, vocabulary) = (Path.Combine(_folder.Path, "tiny.onnx"), Path.Combine(_folder.Path, "vocab.txt"));
        File.WriteAllBytes(model, Model());
        File.WriteAllLines(vocabulary, Words);
        return new OnnxOptions { Model = model, Vocabulary = vocabulary };
    }

    /// <summary>last_hidden_state = Gather(table, input_ids); numbers of fields as in onnx.proto3.</summary>
    private static byte[] Model()
    {
        var table = MemoryMarshal.AsBytes<float>(Enumerable.Range(0, Words.Length).SelectMany(Row).ToArray());
        var tensor = new ProtoBytes().Number(1, Words.Length).Number(1, Dimension).Number(2, 1).Text(8, "table").Bytes(9, table);
        var node = new ProtoBytes().Text(1, "table").Text(1, "input_ids").Text(2, "last_hidden_state").Text(4, "Gather");
        var graph = new ProtoBytes().Message(1, node).Text(2, "tiny").Message(5, tensor)
            .Message(11, Value("input_ids", 7, "batch", "tokens")).Message(11, Value("attention_mask", 7, "batch", "tokens"))
            .Message(12, Value("last_hidden_state", 1, "batch", "tokens", "4"));
        return new ProtoBytes().Number(1, 8).Message(7, graph).Message(8, new ProtoBytes().Text(1, "").Number(2, 13)).ToArray();
    }

    private static ProtoBytes Value(string name, int type, params string[] dimensions)
    {
        var shape = new ProtoBytes();
        foreach (var dimension in dimensions)
        {
            shape.Message(1, int.TryParse(dimension, out var length) ? new ProtoBytes().Number(1, length) : new ProtoBytes().Text(2, dimension));
        }

        return new ProtoBytes().Text(1, name).Message(2, new ProtoBytes().Message(1, new ProtoBytes().Number(1, type).Message(2, shape)));
    }

    /// <summary>A unigram model of SentencePiece; numbers of fields as in sentencepiece_model.proto.</summary>
    private string Pieces()
    {
        var model = new ProtoBytes();
        foreach (var (piece, score, type) in new[] { ("<unk>", 0f, 2), ("<s>", 0f, 3), ("</s>", 0f, 3), ("▁hello", -1f, 1), ("▁world", -2f, 1), ("▁кот", -3f, 1), ("▁", -9f, 1) })
        {
            model.Message(1, new ProtoBytes().Text(1, piece).Float(2, score).Number(3, type));
        }

        model.Message(2, new ProtoBytes().Number(3, 1).Number(40, 0).Number(41, 1).Number(42, 2)).Message(3, new ProtoBytes().Text(1, "identity").Number(3, 1).Number(4, 1).Number(5, 1));
        var path = Path.Combine(_folder.Path, "sentencepiece.bpe.model");
        File.WriteAllBytes(path, model.ToArray());
        return path;
    }
}
