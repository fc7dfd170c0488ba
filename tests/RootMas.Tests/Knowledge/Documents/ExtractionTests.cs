using System.Text;
using RootMas.Server.Knowledge.Documents.Extraction;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>What a file says, whatever it is called; and files that are broken, huge, bombs, or two things at once.</summary>
public sealed class ExtractionTests
{
    private static readonly ExtractionLimits Limits = new(200_000, 100, TimeSpan.FromMinutes(1), "", TimeProvider.System);

    [Theory]
    [InlineData("notes.txt", "Hello, this is a note.", "text")]
    [InlineData("notes.txt", "# A title\n\nText under it.", "markdown")]
    [InlineData("picture.png", "<!DOCTYPE html><html><body><p>Hi</p></body></html>", "html")]
    [InlineData("data.txt", "{\"a\": [1, 2]}", "json")]
    [InlineData("data.csv", "name,age\nAnn,30\nBob,41\n", "csv")]
    [InlineData("data.csv", "This is no table, it is text.", "text")]
    [InlineData("program.py", "def f(x):\n    return x\n", "code")]
    [InlineData("run", "#!/bin/sh\necho hi\n", "code")]
    [InlineData("page.pdf", "<html><body>not a pdf</body></html>", "html")]
    [InlineData("broken.json", "{\"a\": ", "text")]
    public async Task The_kind_follows_from_the_content(string name, string content, string kind) =>
        Assert.Equal(kind, (await ReadAsync(content, name)).Kind);

    [Fact]
    public async Task Text_in_old_and_wide_encodings_is_read()
    {
        Assert.Equal("Привет", (await TextExtractor.ReadAsync([.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("Привет")], "a.txt", Limits, default)).Text);
        Assert.Equal("Привет", (await TextExtractor.ReadAsync([.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes("Привет")], "a.txt", Limits, default)).Text);
    }

    [Theory]
    [InlineData("Привет, мир", 1251, 866, 20866)]
    [InlineData("Да", 1251)]
    [InlineData("Ещё", 1251)]
    [InlineData("ПРИВЕТ", 1251, 866, 20866)]
    [InlineData("ОТПУСК", 1251, 866, 20866)]
    [InlineData("ИНН;КПП", 1251, 866)]
    [InlineData("Имя;Город;Возраст\nАнна;Казань;30\nБорис;Москва;41\n", 1251, 866, 20866)]
    [InlineData("ПРИКАЗ № 5\n\nО предоставлении ежегодного оплачиваемого отпуска. Каждому положено 28 дней; ещё два — за стаж.", 1251, 866, 20866)]
    [InlineData("Price list 2026, all prices in roubles, delivery included: стол, стул, шкаф.", 1251, 866, 20866)]
    [InlineData("Не знаю, съёмка это или объём: «подъезд» — ЁЛКА.", 1251, 866, 20866)]
    public async Task Russian_text_of_old_systems_is_read(string text, params int[] pages)
    {
        foreach (var page in pages)
        {
            var encoding = CodePagesEncodingProvider.Instance.GetEncoding(page)!;
            var written = encoding.GetString(encoding.GetBytes(text)); // not every page has every sign
            Assert.Equal(written.Replace('\u00A0', ' '), (await TextExtractor.ReadAsync(encoding.GetBytes(text), "a.txt", Limits, default)).Text.Replace('\u00A0', ' '));
        }
    }

    [Theory]
    [InlineData("café")]
    [InlineData("Übermäßige Größe: 5 °C, 20 €")]
    [InlineData("ÄRZTE, ÖL, ÜBUNG, STRAßE")]
    [InlineData("L’été où j’étais là, ça coûtait déjà très cher – naïveté, cœur, être; garçon, forêt.")]
    [InlineData("¿Dónde está el niño? ¡Mañana! Señor Núñez, 20 €")]
    [InlineData("São Paulo, coração, avião, não, informações, mãe")]
    [InlineData("Årsmøde på Læsø: brød og øl, smörgåsbord, häälyöaie")]
    [InlineData("Þetta er íslenska, það er ágætt. Ævintýri á Ísafirði í júní.")]
    [InlineData("“Quoted” text – with a dash… and it’s © 2026 ™")]
    [InlineData("É à")]
    [InlineData("ÉTÉ À LA PLAGE, DÉJÀ VU")]
    public async Task Western_text_of_old_systems_stays_what_it_is(string text) =>
        Assert.Equal(text, (await TextExtractor.ReadAsync(CodePagesEncodingProvider.Instance.GetEncoding(1252)!.GetBytes(text), "a.txt", Limits, default)).Text);

    [Fact]
    public async Task A_wrong_byte_costs_its_place_and_not_the_text()
    {
        byte[] damaged = [.. Encoding.UTF8.GetBytes("Отпуск — 28 дней"), 0xFF, .. Encoding.UTF8.GetBytes("; ещё два"), 0xD0, .. Encoding.UTF8.GetBytes(" — за стаж.")];
        Assert.Equal("Отпуск — 28 дней\uFFFD; ещё два\uFFFD — за стаж.", (await TextExtractor.ReadAsync(damaged, "a.txt", Limits, default)).Text);
    }

    [Fact]
    public async Task A_table_that_a_russian_spreadsheet_saved_is_one()
    {
        var bytes = CodePagesEncodingProvider.Instance.GetEncoding(1251)!.GetBytes("город;население\nКазань;1300\nПермь;1030\n");
        Assert.Contains("город: Казань; население: 1300", (await TextExtractor.ReadAsync(bytes, "cities.csv", Limits, default)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_chapter_of_a_page_is_read_with_what_stands_beside_and_under_it()
    {
        var (a, b) = (string.Concat(Enumerable.Repeat("Holidays last long. ", 15)), string.Concat(Enumerable.Repeat("Travel is paid for. ", 20)));
        var text = (await ReadAsync($"<html><body><article>{a}</article><article>{b}</article><aside>A remark.</aside><footer>Signed by the director.</footer></body></html>", "a.html")).Text;
        Assert.Contains("Holidays last long.", text, StringComparison.Ordinal);
        Assert.Contains("Travel is paid for.", text, StringComparison.Ordinal);
        Assert.Contains("A remark.", text, StringComparison.Ordinal);
        Assert.Contains("Signed by the director.", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_page_is_read_to_its_end_or_refused()
    {
        var wide = Limits with { MaxCharacters = 4_000_000 };
        async Task<ExtractedText> Read(string body) => await TextExtractor.ReadAsync(Encoding.UTF8.GetBytes($"<html><body>{body}<p>The end.</p></body></html>"), "a.html", wide, default);
        Assert.EndsWith("The end.", (await Read(string.Concat(Enumerable.Repeat($"<p>{new string('x', 99)} {new string('y', 900)}</p>", 1_500)))).Text, StringComparison.Ordinal);

        var manyElements = await Assert.ThrowsAsync<ExtractionException>(() => Read(string.Concat(Enumerable.Repeat("<p>word</p>", 110_000))));
        var deep = await Assert.ThrowsAsync<ExtractionException>(() => Read(string.Concat(Enumerable.Repeat("<div>", 400)) + "Down here." + string.Concat(Enumerable.Repeat("</div>", 400))));
        Assert.Equal(("document_too_large", "document_too_large"), (manyElements.Code, deep.Code));
    }

    [Fact]
    public async Task A_row_of_a_table_says_what_its_values_mean()
    {
        var text = (await ReadAsync("city;\"people; in thousands\"\nКазань;1300\n\"Nizhny \"\"N\"\"\";1250\n", "cities.csv")).Text;
        Assert.Contains("city: Казань; people; in thousands: 1300", text, StringComparison.Ordinal);
        Assert.Contains("city: Nizhny \"N\"; ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scripts_and_what_people_cannot_see_are_no_text()
    {
        var text = (await ReadAsync("<html><body><script>steal()</script><p>Visi\u200Bble\u202E</p></body></html>", "x.html")).Text;
        Assert.Equal("Visible", text.Trim());
    }

    [Fact]
    public async Task A_word_file_has_headings_pages_and_tables()
    {
        var read = await TextExtractor.ReadAsync(SampleFiles.Docx("# Отпуск", "Каждому положено 28 дней & больше.", "---", "## Перенос", "Можно перенести."), "a.docx", Limits, default);
        Assert.Equal("docx", read.Kind);
        Assert.Contains("# Отпуск\n\nКаждому положено 28 дней & больше.", read.Text, StringComparison.Ordinal);
        Assert.Equal(2, read.Pages.Count);
        Assert.StartsWith("## Перенос", read.Text[read.Pages[1]..].TrimStart(), StringComparison.Ordinal);
    }

    [PdfFact]
    public async Task A_pdf_has_pages()
    {
        var read = await TextExtractor.ReadAsync(SampleFiles.Pdf("First page", "Second page\nwith two lines"), "a.bin", Limits, default);
        Assert.Equal("pdf", read.Kind);
        Assert.Equal(2, read.Pages.Count);
        Assert.StartsWith("Second page\nwith two lines", read.Text[read.Pages[1]..], StringComparison.Ordinal);
    }

    [PdfFact]
    public async Task A_broken_pdf_is_refused_and_one_that_is_also_an_archive_is_read_as_what_it_begins_with()
    {
        Assert.Equal("document_unreadable", (await FailAsync([.. "%PDF-1.4\n"u8, 1, 2, 3], "a.pdf")).Code);
        byte[] both = [.. SampleFiles.Pdf("Only this counts"), .. SampleFiles.Docx("Hidden")];
        var read = await TextExtractor.ReadAsync(both, "a.docx", Limits, default);
        Assert.Contains("Only this counts", read.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Hidden", read.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_pdftotext_the_owner_is_told_what_is_missing()
    {
        var refused = await FailAsync(SampleFiles.Pdf("x"), "a.pdf", Limits with { PdfProgram = "/nowhere/pdftotext" });
        Assert.Equal("pdf_reader_missing", refused.Code);
        Assert.Contains("poppler-utils", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_does_not_end_is_ended()
    {
        using var folder = new Support.TempFolder();
        var program = Path.Combine(folder.Path, "slow");
        await File.WriteAllTextAsync(program, "#!/bin/sh\nexec sleep 600\n");
        Support.FileModes.Set(program, Support.FileModes.Private | UnixFileMode.UserExecute);
        Assert.Equal("document_takes_too_long", (await FailAsync(SampleFiles.Pdf("x"), "a.pdf", Limits with { PdfProgram = program, Timeout = TimeSpan.FromMilliseconds(200) })).Code);
    }

    [Fact]
    public async Task A_program_that_floods_is_ended_and_sees_none_of_our_environment()
    {
        using var folder = new Support.TempFolder();
        var program = Path.Combine(folder.Path, "reader");
        await File.WriteAllTextAsync(program, "#!/bin/sh\nyes 0123456789\n");
        Support.FileModes.Set(program, Support.FileModes.Private | UnixFileMode.UserExecute);
        Assert.Equal("document_too_large", (await FailAsync(SampleFiles.Pdf("x"), "a.pdf", Limits with { PdfProgram = program })).Code);
        await File.WriteAllTextAsync(program, "#!/bin/sh\nenv; ulimit -f\n");
        var said = (await TextExtractor.ReadAsync(SampleFiles.Pdf("x"), "a.pdf", Limits with { PdfProgram = program }, default)).Text;
        Assert.DoesNotContain("HOME=", said, StringComparison.Ordinal);
        Assert.EndsWith("\n0", said.TrimEnd(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dd if=/dev/zero of=/dev/null bs=1000000 count=1", null)]
    [InlineData("dd if=/dev/zero of=/dev/null bs=2000000000 count=1", "document_unreadable")]
    [InlineData("while :; do :; done", "document_unreadable")] // nobody looks at the clock: it is its processor time that ends
    public async Task A_program_gets_so_much_memory_and_processor_time_and_no_more(string work, string? code)
    {
        using var folder = new Support.TempFolder();
        var program = Path.Combine(folder.Path, "reader");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\n{work} 2> /dev/null || exit 1\nulimit -t; ulimit -v; ulimit -c\n");
        Support.FileModes.Set(program, Support.FileModes.Private | UnixFileMode.UserExecute);
        var limits = Limits with { PdfProgram = program, Timeout = TimeSpan.FromSeconds(1), Clock = new Support.ManualTimeProvider() };
        if (code is not null)
        {
            Assert.Equal(code, (await FailAsync(SampleFiles.Pdf("x"), "a.pdf", limits)).Code);
            return;
        }

        Assert.Equal(["1", "1500000", "0"], (await TextExtractor.ReadAsync(SampleFiles.Pdf("x"), "a.pdf", limits, default)).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("document_type_unknown", "PK\u0003\u0004 and then nothing like an archive")]
    [InlineData("document_type_unknown", "\u007FELF\0\0\0")]
    [InlineData("document_empty", "  \n\t ")]
    public async Task What_is_nothing_readable_is_refused_by_name(string code, string content)
    {
        var refused = await FailAsync(Encoding.Latin1.GetBytes(content), "a.txt");
        Assert.Contains(refused.Code, (string[])[code, "document_unreadable"]);
    }

    [Fact]
    public async Task An_archive_that_is_no_word_file_is_refused() => Assert.Equal("document_type_unknown", (await FailAsync(SampleFiles.Zip(("evil.exe", "MZ")), "a.docx")).Code);

    [Fact]
    public async Task Entities_of_a_word_file_are_not_expanded() => Assert.Equal(
        "document_unreadable",
        (await FailAsync(SampleFiles.Zip(("word/document.xml", "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]><d>&x;&a;</d>")), "a.docx")).Code);

    [Fact]
    public async Task A_word_file_cut_off_is_refused()
    {
        var whole = SampleFiles.Docx(Enumerable.Range(0, 200).Select(i => $"Paragraph {i} {Guid.NewGuid()}").ToArray());
        foreach (var length in (int[])[30, whole.Length / 2, whole.Length - 10])
        {
            Assert.Equal("document_unreadable", (await FailAsync(whole[..length], "a.docx")).Code);
        }
    }

    [Fact]
    public async Task More_text_than_the_limit_is_refused() => Assert.Equal("document_too_large", (await FailAsync(Encoding.UTF8.GetBytes(new string('x', 200_001)), "a.txt")).Code);

    [Fact]
    public async Task Markup_nested_absurdly_deep_and_json_nested_deep_harm_nothing()
    {
        Assert.Equal("document_unreadable", (await FailAsync(Encoding.UTF8.GetBytes("<html>" + string.Concat(Enumerable.Repeat("<div>", 5_000))), "a.html")).Code);
        Assert.Equal("text", (await ReadAsync(new string('[', 10_000) + new string(']', 10_000), "a.json")).Kind);
    }

    [Theory]
    [InlineData("../../etc/passwd", "passwd")]
    [InlineData("C:\\Users\\x\\report.pdf", "report.pdf")]
    [InlineData("a\u202Egnp.exe", "agnp.exe")]
    [InlineData("..", "")]
    [InlineData("line\nbreak.txt", "line break.txt")]
    public void Names_have_no_folders_and_nothing_invisible(string given, string expected) => Assert.Equal(expected, RootMas.Server.Knowledge.Documents.UploadReader.CleanName(given));

    [Fact]
    public void A_long_name_keeps_its_ending() => Assert.Matches("^.{196}\\.pdf$", RootMas.Server.Knowledge.Documents.UploadReader.CleanName(new string('x', 500) + ".pdf"));

    private static Task<ExtractedText> ReadAsync(string content, string name) => TextExtractor.ReadAsync(Encoding.UTF8.GetBytes(content), name, Limits, default);

    internal static Task<ExtractionException> FailAsync(byte[] content, string name, ExtractionLimits? limits = null) =>
        Assert.ThrowsAsync<ExtractionException>(() => TextExtractor.ReadAsync(content, name, limits ?? Limits, default));
}
