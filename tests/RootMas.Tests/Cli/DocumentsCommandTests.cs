using RootMas.Server.Cli;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas documents upload</c> of a folder as folders are.</summary>
public sealed class DocumentsCommandTests
{
    private static readonly (string Name, byte[] Content, string? Says)[] Mixed =
    [
        ("a-good.md", "# Leave\n\nEverybody has 28 days of leave."u8.ToArray(), null),
        ("b-empty.txt", [], "is empty"),
        ("c-broken.docx", SampleFiles.Docx("Never read.")[..^40], ""),
        ("d-large.txt", [.. Enumerable.Repeat((byte)'x', (1 << 20) + 1)], "larger than"),
        ("e-unknown.bin", [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], ""),
        (Path.Combine("below", "f-good.txt"), "The canteen closes at three."u8.ToArray(), null),
    ];

    [Fact]
    public async Task Of_a_folder_each_file_is_told_how_it_ended_and_one_that_failed_stops_no_other()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Documents:MaxFileMegabytes"] = "1");
        using var files = new TempFolder();
        foreach (var (name, content, _) in Mixed)
        {
            var path = Path.Combine(files.Path, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, content);
        }

        using var shell = new CliSession(app.Data);
        Assert.Equal(ExitCodes.Failed, await shell.RunAsync("documents", "upload", files.Path));
        var (output, notes) = (Lines(shell.Output.ToString()), Lines(shell.Notes.ToString()));
        Assert.Equal(["a-good.md: ready, 1 chunk", "f-good.txt: ready, 1 chunk"], output.Select(static line => line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..]).Order(StringComparer.Ordinal));
        foreach (var (name, _, says) in Mixed.Where(static m => m.Says is not null))
        {
            var line = Assert.Single(notes, note => note.Contains(name, StringComparison.Ordinal));
            Assert.Contains(says!, line, StringComparison.Ordinal);
            Assert.DoesNotContain(output, o => o.Contains(name, StringComparison.Ordinal));
        }

        var kept = (await app.GetJsonAsync("/api/v1/documents")).GetProperty("items").EnumerateArray().Select(static d => $"{d.GetProperty("name").GetString()} {d.GetProperty("status").GetString()}");
        Assert.Equal(["a-good.md ready", "c-broken.docx failed", "f-good.txt ready"], kept.Order(StringComparer.Ordinal));

        // Without what cannot be read all is well, also a second time.
        Assert.Equal(ExitCodes.Ok, await shell.RunAsync("documents", "upload", Path.Combine(files.Path, "a-good.md"), Path.Combine(files.Path, "below")));
        Assert.Equal(2, Lines(shell.Output.ToString()).Count);

        // What is not there is told before anything is sent.
        Assert.Equal(ExitCodes.NotFound, await shell.RunAsync("documents", "upload", Path.Combine(files.Path, "a-good.md"), Path.Combine(files.Path, "no-such-file.txt")));
        Assert.Equal($"There is no file {Path.Combine(files.Path, "no-such-file.txt")}. Nothing was uploaded.\n", shell.Notes.ToString());
        Assert.Equal(ExitCodes.Usage, await shell.RunAsync("documents", "upload", ""));
        Assert.Contains("Name the file", shell.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal("", shell.Output.ToString());
    }

    private static List<string> Lines(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
}
