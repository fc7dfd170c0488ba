using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>Files as programs make them, and as nobody should.</summary>
internal static class SampleFiles
{
    private const string Word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

    /// <summary>A Word file with these paragraphs; one that begins with # is a heading, --- is a page break.</summary>
    public static byte[] Docx(params string[] paragraphs)
    {
        var body = new StringBuilder();
        foreach (var paragraph in paragraphs)
        {
            var level = paragraph.TakeWhile(static c => c == '#').Count();
            var style = level > 0 ? $"<w:pPr><w:pStyle w:val=\"Heading{level}\"/></w:pPr>" : "";
            var content = paragraph == "---" ? "<w:r><w:br w:type=\"page\"/></w:r>" : $"<w:r><w:t xml:space=\"preserve\">{paragraph.TrimStart('#').TrimStart().Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)}</w:t></w:r>";
            body.Append(CultureInfo.InvariantCulture, $"<w:p>{style}{content}</w:p>");
        }

        return Zip(("[Content_Types].xml", "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"), ("word/document.xml", $"<?xml version=\"1.0\" encoding=\"UTF-8\"?><w:document xmlns:w=\"{Word}\"><w:body>{body}</w:body></w:document>"));
    }

    public static byte[] Zip(params (string Name, string Text)[] entries)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, text) in entries)
            {
                using var writer = new StreamWriter(archive.CreateEntry(name).Open(), new UTF8Encoding(false));
                writer.Write(text);
            }
        }

        return stream.ToArray();
    }

    /// <summary>A few kilobytes that unpack to a gigabyte of what looks like a Word file.</summary>
    public static byte[] ZipBomb(long bytes) => ZipBomb("<w:p><w:pPr>", "<w:x/>", bytes);

    /// <summary>A body that begins so, and goes on with the same again and again.</summary>
    public static byte[] ZipBomb(string start, string again, long bytes)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var writer = archive.CreateEntry("word/document.xml", CompressionLevel.SmallestSize).Open();
            writer.Write(Encoding.UTF8.GetBytes($"<w:document xmlns:w=\"{Word}\"><w:body>{start}"));
            var block = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(again, 60_000 / again.Length)));
            for (var written = 0L; written < bytes; written += block.Length)
            {
                writer.Write(block);
            }
        }

        return stream.ToArray();
    }

    /// <summary>A small PDF with a page for each text (ISO 32000-1, 7.5), in Latin letters.</summary>
    public static byte[] Pdf(params string[] pages)
    {
        var pdf = new StringBuilder("%PDF-1.4\n");
        var offsets = new List<int>();
        void Add(string content)
        {
            offsets.Add(pdf.Length);
            pdf.Append(CultureInfo.InvariantCulture, $"{offsets.Count} 0 obj\n{content}\nendobj\n");
        }

        Add("<< /Type /Catalog /Pages 2 0 R >>");
        Add($"<< /Type /Pages /Count {pages.Length} /Kids [{string.Join(' ', pages.Select(static (_, i) => $"{4 + (2 * i)} 0 R"))}] >>");
        Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
        for (var i = 0; i < pages.Length; i++)
        {
            var lines = pages[i].Split('\n').Select(static l => $"({l.Replace("(", "\\(", StringComparison.Ordinal).Replace(")", "\\)", StringComparison.Ordinal)}) Tj T*");
            var stream = $"BT /F1 12 Tf 14 TL 50 750 Td {string.Join(' ', lines)} ET";
            Add($"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + (2 * i)} 0 R >>");
            Add($"<< /Length {stream.Length} >>\nstream\n{stream}\nendstream");
        }

        var start = pdf.Length;
        pdf.Append(CultureInfo.InvariantCulture, $"xref\n0 {offsets.Count + 1}\n0000000000 65535 f \n");
        offsets.ForEach(o => pdf.Append(CultureInfo.InvariantCulture, $"{o:0000000000} 00000 n \n"));
        pdf.Append(CultureInfo.InvariantCulture, $"trailer\n<< /Size {offsets.Count + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
        return Encoding.Latin1.GetBytes(pdf.ToString());
    }
}

/// <summary>Skipped by name where poppler is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PdfFactAttribute : FactAttribute
{
    public PdfFactAttribute() => Skip = RootMas.Server.Knowledge.Documents.Extraction.PdfReader.Find("") is null ? "pdftotext (poppler-utils) is not installed" : null;
}
