using RootMas.Server.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Which files <c>rootmas documents upload</c> sends, and what it calls them.</summary>
public sealed class UploadFilesTests
{
    [Fact]
    public async Task Files_of_one_name_in_several_folders_are_named_by_these_and_none_replaces_another()
    {
        await using var app = await TestApp.StartAsync();
        using var files = new TempFolder();
        foreach (var path in (string[])["notes.md", "2025/notes.md", "2025/may/notes.md", "2026/other.md"])
        {
            await WriteAsync(files, path);
        }

        using var shell = new CliSession(app.Data);
        await shell.DoAsync("documents", "upload", files.Path);
        Assert.Equal(["2025 - may - notes.md", "2025 - notes.md", "notes.md", "other.md"], await NamesAsync(app));
        await shell.DoAsync("documents", "upload", files.Path, Path.Combine(files.Path, "2025")); // the same files, which are named twice
        Assert.Equal(4, (await NamesAsync(app)).Count);
    }

    [Theory]
    [InlineData("would both be called 'notes.md'", "2025/notes.md", "2026/notes.md")]
    [InlineData("would both be called 'notes.md'", "2025", "2026")]
    [InlineData("--name is the name of one document", "2025", "--name", "both.md")]
    [InlineData("--name is the name of one document", "2025/other.md", "2026/notes.md", "--name", "both.md")]
    [InlineData("needs a name", "2025/other.md", "-")]
    public async Task What_would_replace_another_file_of_the_command_is_refused_before_anything_is_sent(string says, params string[] named)
    {
        await using var app = await TestApp.StartAsync();
        using var files = new TempFolder();
        foreach (var path in (string[])["2025/notes.md", "2025/other.md", "2026/notes.md"])
        {
            await WriteAsync(files, path);
        }

        using var shell = new CliSession(app.Data);
        string[] places = [.. named.Select(n => n.StartsWith("20", StringComparison.Ordinal) ? Path.Combine(files.Path, n) : n)];
        Assert.Equal(ExitCodes.Usage, await shell.RunAsync(["documents", "upload", .. places]));
        Assert.Contains(says, shell.Notes.ToString(), StringComparison.Ordinal);
        Assert.Empty(await NamesAsync(app));
    }

    [Fact]
    public async Task One_file_is_called_as_name_says()
    {
        await using var app = await TestApp.StartAsync();
        using var files = new TempFolder();
        await WriteAsync(files, "below/notes.md");
        using var shell = new CliSession(app.Data);
        await shell.DoAsync("documents", "upload", files.Path, "--name", "minutes.md");
        Assert.Equal(["minutes.md"], await NamesAsync(app));
    }

    [Fact]
    public async Task Links_in_a_folder_are_left_out_and_told_and_one_that_is_named_is_followed()
    {
        await using var app = await TestApp.StartAsync();
        using var files = new TempFolder();
        using var outside = new TempFolder();
        await WriteAsync(files, "notes.md");
        await WriteAsync(outside, "private.md");
        await WriteAsync(outside, "further/away.md");
        Directory.CreateSymbolicLink(Path.Combine(files.Path, "round"), files.Path);
        Directory.CreateSymbolicLink(Path.Combine(files.Path, "away"), Path.Combine(outside.Path, "further"));
        File.CreateSymbolicLink(Path.Combine(files.Path, "linked.md"), Path.Combine(outside.Path, "private.md"));

        using var shell = new CliSession(app.Data);
        await shell.DoAsync("documents", "upload", files.Path);
        Assert.Equal(["notes.md"], await NamesAsync(app));
        foreach (var link in (string[])["round", "away", "linked.md"])
        {
            Assert.Contains($"{Path.Combine(files.Path, link)} is a link", shell.Notes.ToString(), StringComparison.Ordinal);
        }

        await shell.DoAsync("documents", "upload", Path.Combine(files.Path, "away"), Path.Combine(files.Path, "linked.md"));
        Assert.Equal(["away.md", "linked.md", "notes.md"], await NamesAsync(app));
    }

    /// <summary>Each with other words: equal bytes are one document.</summary>
    private static async Task WriteAsync(TempFolder folder, string name)
    {
        var path = Path.Combine(folder.Path, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, $"What {name} says.");
    }

    private static async Task<List<string?>> NamesAsync(TestApp app) =>
        [.. (await app.GetJsonAsync("/api/v1/documents")).GetProperty("items").EnumerateArray().Select(static d => d.GetProperty("name").GetString()).Order(StringComparer.Ordinal)];
}
