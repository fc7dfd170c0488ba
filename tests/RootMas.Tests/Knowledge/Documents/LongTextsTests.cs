using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>Texts that are longer than what one answer gives of them.</summary>
public sealed class LongTextsTests
{
    private const int Most = 200_000;

    [Fact]
    public async Task The_limit_of_one_answer_cuts_no_character_and_the_command_line_prints_the_whole_text()
    {
        await using var app = await TestApp.StartAsync();
        var text = string.Concat(Enumerable.Repeat("abcd ", (Most / 5) - 1)) + "abcd😀 is the last one.";
        Assert.True(char.IsSurrogatePair(text[Most - 1], text[Most]));
        using var folder = new TempFolder();
        var file = Path.Combine(folder.Path, "long.txt");
        await File.WriteAllTextAsync(file, text);
        using var shell = new CliSession(app.Data);
        await shell.DoAsync("documents", "upload", file);
        var document = (await app.GetJsonAsync("/api/v1/documents")).GetProperty("items")[0].GetProperty("id").GetString()!;

        var first = await app.GetJsonAsync($"/api/v1/documents/{document}/text");
        Assert.Equal((Most - 1, text[..(Most - 1)]), (first.GetProperty("end").GetInt32(), first.GetProperty("text").GetString()));
        var rest = await app.GetJsonAsync($"/api/v1/documents/{document}/text?start={Most - 1}");
        Assert.Equal(text[(Most - 1)..], rest.GetProperty("text").GetString());
        var asked = await app.GetJsonAsync($"/api/v1/documents/{document}/text?start={Most - 3}&end={Most}"); // whoever names half a character gets a half
        Assert.Equal((Most, "cd\uFFFD"), (asked.GetProperty("end").GetInt32(), asked.GetProperty("text").GetString()));
        Assert.Equal(text + "\n", await shell.DoAsync("documents", "show", document, "--text"));
    }
}
