using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Tests.Knowledge.Embeddings;

/// <summary>The embedder that needs nothing.</summary>
public sealed class LocalEmbedderTests
{
    [Theory]
    [InlineData("Where is my card?", "My card, where is it?", "How do I change my PIN?")]
    [InlineData("How can I cancel a transfer", "I want to cancle the transfer", "Which currencies do you support")]
    [InlineData("Где моя карта?", "Где же моя карта", "Как сменить пароль?")]
    [InlineData("Как отменить перевод денег", "Отмена денежного перевода", "Какие валюты вы поддерживаете")]
    [InlineData("Отчёт за июль", "отчет за июль", "Отпуск в августе")]
    [InlineData("注文をキャンセルしたい", "注文のキャンセル", "天気はどうですか")]
    public void What_is_worded_alike_is_nearer_than_what_is_not(string text, string alike, string other)
    {
        var vector = LocalEmbedder.Embed(text);
        var (near, far) = (VectorMath.Dot(vector, LocalEmbedder.Embed(alike)), VectorMath.Dot(vector, LocalEmbedder.Embed(other)));
        Assert.True(near > far + 0.15, $"{near} against {far}");
    }

    [Fact]
    public void Case_and_the_letter_yo_make_no_difference() =>
        Assert.Equal(1, VectorMath.Dot(LocalEmbedder.Embed("ЁЛКА don’t"), LocalEmbedder.Embed("елка dont")), 4);

    [Fact]
    public async Task Vectors_are_of_length_one_in_the_order_of_the_texts_and_always_the_same()
    {
        var embedder = new LocalEmbedder();
        string[] texts = ["one", "two words", new string('x', 100_000), "a\ud800b", "\0", "three"];
        var first = await embedder.EmbedAsync(texts, EmbedPurpose.Document, "u", CancellationToken.None);
        var second = await embedder.EmbedAsync(texts, EmbedPurpose.Query, "u", CancellationToken.None);
        for (var i = 0; i < texts.Length; i++)
        {
            Assert.Equal(first[i], second[i]);
            Assert.Equal(embedder.Identity.Dimension, first[i].Length);
            Assert.Equal(texts[i] == "\0" ? 0 : 1, VectorMath.Dot(first[i], first[i]), 4);
        }
    }

    /// <summary>Stored vectors are compared with new ones after an upgrade: whoever changes a feature raises the version.</summary>
    [Fact]
    public void The_features_of_version_1_never_change()
    {
        var vector = LocalEmbedder.Embed("Root-MAS knows: Корень знает 42");
        var largest = vector.Select((v, i) => (Value: Math.Round(v, 4), Index: i)).OrderByDescending(v => Math.Abs(v.Value)).Take(3).Select(v => $"{v.Index}:{v.Value:0.0000}");
        Assert.Equal("403:0.2913 507:-0.2281 378:-0.1988", string.Join(' ', largest));
        Assert.Equal("1", new LocalEmbedder().Identity.Version);
    }
}
