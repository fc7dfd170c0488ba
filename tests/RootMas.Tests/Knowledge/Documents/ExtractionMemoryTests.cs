using System.Text;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>Files that would need much memory. How much was allocated is a number of the whole process, so nothing runs beside these.</summary>
[Collection("alone")]
public sealed class ExtractionMemoryTests
{
    [Fact]
    public async Task An_archive_that_unpacks_to_a_gigabyte_is_refused_before_it_does()
    {
        var bomb = SampleFiles.ZipBomb(300_000_000);
        Assert.InRange(bomb.Length, 1, 2_000_000);
        var before = GC.GetTotalAllocatedBytes();
        Assert.Equal("document_too_large", (await ExtractionTests.FailAsync(bomb, "a.docx")).Code);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 200_000_000);
    }

    [Theory]
    [InlineData("a.csv")]
    [InlineData("a.json")]
    [InlineData("a.docx")]
    public async Task What_would_grow_to_many_times_its_size_is_refused_before_it_does(string name)
    {
        var content = name switch
        {
            "a.csv" => Encoding.UTF8.GetBytes(new string('c', 90_000) + ",d\n" + string.Concat(Enumerable.Repeat("1,2\n", 20_000))), // the name of the column with each row
            "a.json" => Encoding.UTF8.GetBytes(new string('[', 60) + string.Join(',', Enumerable.Repeat('1', 90_000)) + new string(']', 60)), // each number a line, far to the right
            _ => SampleFiles.Zip(("word/document.xml", $"<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{string.Concat(Enumerable.Repeat("<w:p><w:r><w:t>a</w:t><w:br w:type=\"page\"/></w:r></w:p>", 5_000))}</w:body></w:document>")), // a passage for each letter
        };
        Assert.InRange(content.Length, 1, 200_000);
        var before = GC.GetTotalAllocatedBytes();
        Assert.Equal("document_too_large", (await ExtractionTests.FailAsync(content, name)).Code);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 30_000_000);
    }
}
