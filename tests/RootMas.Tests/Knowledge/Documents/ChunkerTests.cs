using FsCheck;
using FsCheck.Fluent;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Extraction;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class ChunkerTests
{
    [Fact]
    public void A_section_begins_a_chunk_that_knows_its_headings()
    {
        var text = $"# Handbook\n\n{Prose(5)}\n\n## Leave\n\n{Prose(5)}\n\n### Sick leave\n\n{Prose(5)}\n\n## Travel\n\n{Prose(5)}\n";
        var chunks = Cut(text, "markdown", 300);
        Assert.Equal(["Handbook", "Handbook › Leave", "Handbook › Leave › Sick leave", "Handbook › Travel"], chunks.Select(static c => c.Heading).Distinct());
    }

    [Fact]
    public void Fenced_code_stays_whole_and_a_hash_in_it_is_no_heading()
    {
        var code = "```sh\n# not a heading\nmake\n\n\nmake install\n```";
        var chunks = Cut($"# Build\n\n{Prose(4)}\n\n{code}\n\n{Prose(4)}", "markdown", 200);
        Assert.Contains(chunks, c => c.Text.Contains(code, StringComparison.Ordinal));
        Assert.All(chunks, static c => Assert.Equal("Build", c.Heading));
    }

    [Fact]
    public void No_chunk_crosses_a_page()
    {
        var pages = Enumerable.Range(0, 5).Select(i => $"Page {i}. {Prose(i + 1)}\n\n").ToList();
        var starts = pages.Select((_, i) => pages.Take(i).Sum(static p => p.Length)).ToList();
        var chunks = Chunker.Cut(new ExtractedText("pdf", string.Concat(pages), starts), 400);
        Assert.Equal([1, 2, 3, 4, 5], chunks.Select(static c => c.Page!.Value).Distinct());
        Assert.All(chunks, c => Assert.True(c.End <= (c.Page < 5 ? starts[c.Page!.Value] : int.MaxValue) && c.Start >= starts[c.Page!.Value - 1]));
    }

    [Fact]
    public void Every_chunk_is_exactly_a_stretch_of_the_text_and_no_word_is_lost()
    {
        var pieces = Gen.Elements("# Title\n", "## Часть\n\n", "Short. ", "Длинное предложение, в котором много слов. ", "\n\n", "```\ncode\n", "😀😀", new string('x', 400), "- item\n", "\n").ListOf();
        Prop.ForAll(pieces.ToArbitrary(), list =>
        {
            var text = string.Concat(list);
            var chunks = Cut(text, "markdown", 200);
            var rest = text.ToCharArray();
            foreach (var chunk in chunks)
            {
                Assert.Equal(text[chunk.Start..chunk.End], chunk.Text);
                Assert.InRange(chunk.Text.Length, 1, 600);
                Assert.False(char.IsLowSurrogate(chunk.Text[0]) || char.IsHighSurrogate(chunk.Text[^1]));
                Array.Fill(rest, ' ', chunk.Start, chunk.End - chunk.Start);
            }

            Assert.Equal(Enumerable.Range(0, chunks.Count), chunks.Select(static c => c.Ordinal));
            return string.IsNullOrWhiteSpace(new string(rest));
        }).QuickCheckThrowOnFailure();
    }

    private static IReadOnlyList<Chunk> Cut(string text, string kind, int aim) => Chunker.Cut(new ExtractedText(kind, text, []), aim);

    private static string Prose(int sentences) => string.Concat(Enumerable.Range(1, sentences).Select(static i => $"This is sentence number {i} of a paragraph. "));
}
