using System.Globalization;
using RootMas.Server.Knowledge.Documents.Extraction;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>Small files that become large, and large ones of which a part would be missing.</summary>
public sealed class BlownUpFilesTests
{
    /// <summary>As they are set by default.</summary>
    private const int Characters = 4_000_000;
    private const long Memory = 64_000_000;
    private static readonly ExtractionLimits Limits = new(Characters, 3, TimeSpan.FromMinutes(1), "", TimeProvider.System);

    /// <summary>Each unpacks to 80 MB. Texts of that length take twice as much, and the builder of each twice that again.</summary>
    [Theory]
    [InlineData("<w:p><w:r><w:t>", "aaaaaa", "characters of text")] // one run
    [InlineData("<w:p><w:r><w:t><![CDATA[", "aaaaaa", "a gap between two")]
    [InlineData("<w:p w:x=\"", "aaaaaa", "a gap between two")]
    [InlineData("<w:p><w:r><w:instrText>", "aaaaaa", "a gap between two")] // what is no text
    [InlineData("<!--", "aaaaaa", "a gap between two")]
    [InlineData("<w:p><w:pPr>", "<w:x/>", "unpacks to more than")]
    [InlineData("", "<w:x>", "nested so deeply")]
    public void A_small_word_file_takes_no_more_memory_than_the_text_that_a_document_may_have(string start, string again, string said)
    {
        var bomb = SampleFiles.ZipBomb(start, again, 80_000_000);
        Assert.InRange(bomb.Length, 1, 1_000_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refused = Assert.Throws<ExtractionException>(() => new DocxReader(Characters, 100).Read(bomb));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Memory);
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_file_with_a_name_of_its_own_for_each_element_is_refused()
    {
        var names = string.Concat(Enumerable.Range(0, 20_000).Select(static i => string.Create(CultureInfo.InvariantCulture, $"<n{i}/>")));
        var refused = Assert.Throws<ExtractionException>(() => new DocxReader(Characters, 100).Read(Body(names)));
        Assert.Contains("different names", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_run_of_text_is_read_whole()
    {
        var text = string.Concat(Enumerable.Range(0, 20_000).Select(static i => string.Create(CultureInfo.InvariantCulture, $"слово {i} 🙂 ")));
        Assert.Equal(text.TrimEnd(), new DocxReader(Characters, 100).Read(Body($"<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")).Text.TrimEnd());
    }

    [Fact]
    public async Task Pages_that_end_inside_of_a_table_are_where_the_text_says()
    {
        const string cell = "<w:tc><w:p><w:r><w:t>first</w:t><w:br w:type=\"page\"/></w:r></w:p><w:p><w:r><w:br w:type=\"page\"/></w:r></w:p></w:tc>";
        var read = await TextExtractor.ReadAsync(Body($"<w:tbl><w:tr>{cell}</w:tr></w:tbl>"), "a.docx", Limits, default);
        Assert.StartsWith("first", read.Text, StringComparison.Ordinal);
        Assert.All(read.Pages, page => Assert.InRange(page, 0, read.Text.Length));
    }

    [PdfFact]
    public async Task A_pdf_with_more_pages_than_are_read_is_refused_and_not_cut()
    {
        Task<ExtractedText> ReadAsync(params string[] pages) => TextExtractor.ReadAsync(SampleFiles.Pdf(pages), "a.pdf", Limits, default);
        Assert.Equal(3, (await ReadAsync("One", "Two", "Three")).Pages.Count);
        foreach (var fourth in (string[])["Four", ""]) // an empty page is not the end
        {
            var refused = await Assert.ThrowsAsync<ExtractionException>(() => ReadAsync("One", "Two", "Three", fourth, "Five"));
            Assert.Equal("document_too_large", refused.Code);
            Assert.Contains("more than 3 pages", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Half_a_character_in_a_json_file_is_the_files_fault()
    {
        var refused = await Assert.ThrowsAsync<ExtractionException>(() => TextExtractor.ReadAsync("{\"a\": \"\\ud800\"}"u8.ToArray(), "a.json", Limits, default));
        Assert.Equal("document_unreadable", refused.Code);
    }

    [Fact]
    public void A_long_heading_is_not_cut_inside_of_a_character()
    {
        var chunks = RootMas.Server.Knowledge.Documents.Chunker.Cut(new ExtractedText("markdown", $"# x{string.Concat(Enumerable.Repeat("🙂", 150))}\n\nText.", []), 400);
        Assert.All(chunks, static chunk => Assert.True(chunk.Heading.IsNormalized(), "half of a character is left")); // an exception where it is
        Assert.Contains(chunks, static chunk => chunk.Heading.Length == 199);
    }

    private static byte[] Body(string xml) =>
        SampleFiles.Zip(("word/document.xml", $"<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{xml}</w:body></w:document>"));
}
