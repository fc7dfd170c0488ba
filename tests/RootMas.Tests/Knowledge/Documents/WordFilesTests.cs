using RootMas.Server.Knowledge.Documents.Extraction;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>What stands beside the text of a Word file, and files in the strict form of the format.</summary>
public sealed class WordFilesTests
{
    private const string Word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    private const string Strict = "http://purl.oclc.org/ooxml/wordprocessingml/main";
    private const string Compatibility = "http://schemas.openxmlformats.org/markup-compatibility/2006";
    private const string Formula = "http://schemas.openxmlformats.org/officeDocument/2006/math";
    private const string StrictFormula = "http://purl.oclc.org/ooxml/officeDocument/math";
    private static readonly ExtractionLimits Limits = new(100_000, 100, TimeSpan.FromMinutes(1), "", TimeProvider.System);

    [Theory]
    [InlineData(Word)]
    [InlineData(Strict)]
    public async Task A_word_file_of_either_form_has_headings_pages_tables_boxes_and_notes(string form)
    {
        var read = await ReadAsync(
            form,
            $"""
            <w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr>{Run("Rent")}</w:p>
            <w:p>{Run("The rent is 100 EUR")}<w:r><w:footnoteReference w:id="2"/></w:r>{Run(" and due in May")}{Box("Only in 2026.")}{Run(".")}<w:r><w:endnoteReference w:id="2"/></w:r></w:p>
            <w:tbl><w:tr><w:tc><w:p>{Run("One")}</w:p></w:tc><w:tc><w:p>{Run("Two")}</w:p></w:tc></w:tr></w:tbl>
            <w:p><w:r><w:br w:type="page"/></w:r></w:p>
            <w:p>{Run("Second page.")}<w:r><w:footnoteReference w:id="3"/></w:r></w:p>
            """,
            Notes("foot", (2, "Without tax."), (3, "On the second page.")),
            Notes("end", (2, "As agreed.")));
        Assert.Equal(
            "## Rent\n\nThe rent is 100 EUR and due in May.\n\n[^1]: Without tax.\n\nOnly in 2026.\n\nOne | Two |\n\nSecond page.\n\n[^2]: On the second page.\n\n[^e1]: As agreed.",
            string.Join("\n\n", read.Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(static part => part.Trim('\n'))).Trim());
        Assert.Equal(2, read.Pages.Count);
        Assert.StartsWith("Second page.", read.Text[read.Pages[1]..].TrimStart(), StringComparison.Ordinal);
    }

    /// <summary>Word writes each box as a drawing, and again as a picture for programs before 2010.</summary>
    [Fact]
    public async Task A_text_box_that_is_there_in_two_forms_is_read_once_and_in_no_sentence()
    {
        var box = $"<w:r><mc:AlternateContent><mc:Choice Requires=\"wps\"><w:drawing>{Inner("Box & more")}</w:drawing></mc:Choice><mc:Choice Requires=\"v2\">{Inner("Second")}</mc:Choice><mc:Fallback><w:pict>{Inner("Box & more")}</w:pict></mc:Fallback></mc:AlternateContent></w:r>";
        var read = await ReadAsync(Word, $"<w:p>{Run("A sentence ")}{box}{Run("goes on.")}</w:p><w:p>{Run("Next.")}</w:p>");
        Assert.Equal("A sentence goes on.\n\nBox & more\n\nNext.", read.Text.Trim());
    }

    [Fact]
    public async Task Of_forms_that_say_nothing_the_first_that_does_is_read()
    {
        const string picture = "<mc:AlternateContent><mc:Choice Requires=\"x\"><w:drawing/></mc:Choice><mc:Choice Requires=\"y\"/><mc:Fallback>";
        var read = await ReadAsync(Word, $"<w:p><w:r>{picture}{Inner("Only here")}</mc:Fallback></mc:AlternateContent></w:r>{Run("After")}</w:p>");
        Assert.Equal("After\n\nOnly here", read.Text.Trim());
    }

    [Fact]
    public async Task A_box_before_a_page_break_is_on_the_page_before_it()
    {
        var read = await ReadAsync(Word, $"<w:p>{Run("First")}{Box("Of the first page")}<w:r><w:lastRenderedPageBreak/></w:r>{Run("second")}</w:p>");
        Assert.Equal(2, read.Pages.Count);
        Assert.Contains("Of the first page", read.Text[..read.Pages[1]], StringComparison.Ordinal);
        Assert.StartsWith("second", read.Text[read.Pages[1]..], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Boxes_have_tables_and_boxes_of_their_own_and_a_cell_keeps_its_own()
    {
        var table = $"<w:tbl><w:tr><w:tc><w:p>{Run("a")}</w:p></w:tc><w:tc><w:p>{Run("b")}</w:p></w:tc></w:tr></w:tbl>";
        var read = await ReadAsync(
            Word, $"<w:tbl><w:tr><w:tc><w:p>{Run("cell")}<w:r><w:pict><w:txbxContent>{table}<w:p>{Run("outer")}{Box("inner")}</w:p></w:txbxContent></w:pict></w:r></w:p></w:tc></w:tr></w:tbl>");
        Assert.Equal("cell\n\na | b |\nouter\n\ninner |", read.Text.Trim());
    }

    /// <summary>Dividing lines, notes that nobody refers to, and a second reference to one.</summary>
    [Fact]
    public async Task Only_notes_that_the_text_refers_to_are_told_and_each_once()
    {
        const string lines = "<w:footnote w:type=\"separator\" w:id=\"-1\"><w:p><w:r><w:t>line</w:t></w:r></w:p></w:footnote>";
        const string mark = "<w:r><w:footnoteReference w:id=\"1\"/></w:r>";
        var read = await ReadAsync(
            Word, $"<w:p>{Run("One")}{mark}{mark}<w:r><w:footnoteReference w:id=\"-1\"/><w:footnoteReference w:id=\"77\"/></w:r></w:p><w:p>{Run("Two")}{mark}</w:p>", Notes("foot", (1, "Told."), (2, "Left over.")).Replace("<w:footnote w:id=\"1\"", lines + "<w:footnote w:id=\"1\"", StringComparison.Ordinal));
        Assert.Equal("One\n\n[^1]: Told.\n\nTwo", read.Text.Trim());
    }

    [Theory]
    [InlineData(Word, Formula)]
    [InlineData(Strict, StrictFormula)]
    public async Task Hyphens_that_hold_signs_of_fonts_and_formulas_are_read_and_what_was_moved_away_or_deleted_is_not(string form, string math)
    {
        static string Part(string text) => $"<m:r><m:t>{text}</m:t></m:r>";
        var half = $"<m:f><m:num>{Part("1")}</m:num><m:den>{Part("2")}</m:den></m:f>";
        var square = $"<m:d><m:dPr><m:begChr m:val=\"[\"/><m:endChr m:val=\"]\"/></m:dPr><m:e><m:sSup><m:e>{Part("x")}</m:e><m:sup>{Part("2")}</m:sup></m:sSup></m:e></m:d>";
        var sum = $"<m:nary><m:naryPr><m:chr m:val=\"∑\"/></m:naryPr><m:sub>{Part("i")}</m:sub><m:sup/><m:e>{Part("a")}</m:e></m:nary>";
        var read = await ReadAsync(
            form,
            $"<w:p><w:r><w:t>10</w:t><w:noBreakHyphen/><w:t>15</w:t><w:ptab/><w:sym w:font=\"Symbol\" w:char=\"F0B1\"/><w:t>5</w:t><w:sym w:font=\"Wingdings\" w:char=\"F0FC\"/><w:sym w:font=\"Arial\" w:char=\"2192\"/><w:sym w:font=\"Logos\" w:char=\"F041\"/></w:r></w:p>"
            + $"<w:p>{Run("Half: ")}<m:oMath xmlns:m=\"{math}\">{half}{Part("+")}{square}{Part("=")}{sum}</m:oMath>{Run(".")}</w:p>"
            + $"<w:p><w:moveFrom w:id=\"1\">{Run("There.")}</w:moveFrom><w:moveTo w:id=\"2\">{Run("Here.")}</w:moveTo><w:del w:id=\"3\"><w:r><w:delText>Old</w:delText><w:noBreakHyphen/></w:r></w:del></w:p>");
        Assert.Equal("10-15\t±5✓→\uFFFD\n\nHalf: (1)/(2)+[x^(2)]=∑_(i)a.\n\nHere.", read.Text.Trim());
    }

    [Fact]
    public async Task Boxes_and_notes_count_as_text_and_endless_ones_are_refused()
    {
        var text = new string('x', 60_000);
        Assert.Equal("document_too_large", (await Assert.ThrowsAsync<ExtractionException>(() => ReadAsync(Word, $"<w:p>{Box(text)}{Box(text)}</w:p>"))).Code);
        Assert.Equal("document_too_large", (await Assert.ThrowsAsync<ExtractionException>(() => ReadAsync(Word, $"<w:p>{Run(text)}<w:r><w:footnoteReference w:id=\"1\"/></w:r></w:p>", Notes("foot", (1, text))))).Code);
        var nested = string.Concat(Enumerable.Repeat("<w:p><w:r><w:txbxContent>", 20)) + string.Concat(Enumerable.Repeat("</w:txbxContent></w:r></w:p>", 20));
        Assert.Equal("document_unreadable", (await Assert.ThrowsAsync<ExtractionException>(() => ReadAsync(Word, nested))).Code);
    }

    private static string Run(string text) => $"<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>";

    private static string Inner(string text) => $"<w:txbxContent><w:p>{Run(text.Replace("&", "&amp;", StringComparison.Ordinal))}</w:p></w:txbxContent>";

    private static string Box(string text) => $"<w:r><w:pict>{Inner(text)}</w:pict></w:r>";

    private static string Notes(string kind, params (int Id, string Text)[] notes) =>
        $"<w:{kind}notes>{string.Concat(notes.Select(n => $"<w:{kind}note w:id=\"{n.Id}\"><w:p>{Run(n.Text)}</w:p></w:{kind}note>"))}</w:{kind}notes>";

    private static Task<ExtractedText> ReadAsync(string form, string body, string? footnotes = null, string? endnotes = null)
    {
        var parts = new List<(string, string)> { ("word/document.xml", $"<w:document xmlns:w=\"{form}\" xmlns:mc=\"{Compatibility}\"><w:body>{body}</w:body></w:document>") };
        foreach (var (name, notes) in ((string, string?)[])[("foot", footnotes), ("end", endnotes)])
        {
            if (notes is not null)
            {
                parts.Add(($"word/{name}notes.xml", notes.Replace($"<w:{name}notes>", $"<w:{name}notes xmlns:w=\"{form}\">", StringComparison.Ordinal)));
            }
        }

        return TextExtractor.ReadAsync(SampleFiles.Zip([.. parts]), "a.docx", Limits, default);
    }
}
