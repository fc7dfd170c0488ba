using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>A data directory on a file system that is mounted read-only: no rights are missing, and nobody is told to change some.</summary>
public sealed class ReadOnlyDiskTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ShimFact]
    public async Task It_is_told_as_what_it_is_in_one_sentence_without_a_stack()
    {
        using var shim = await FaultShim.MakeAsync("/read-only/");
        shim.MountReadOnly();
        var data = Path.Combine(_folder.Path, "read-only", "data");
        Directory.CreateDirectory(data);
        FileModes.Set(data, FileModes.Private | UnixFileMode.UserExecute);
        var settings = new ServerSettings { Environment = new Dictionary<string, string>(shim.Environment, StringComparer.Ordinal) { ["ROOTMAS_CONFIG"] = Repository.PathOf("config") } };

        foreach (var command in (string[][])[["serve", "--urls", "http://127.0.0.1:0"], ["chat", "hello"]])
        {
            var (code, stdout, stderr) = await ServerProcess.RunAsync(settings, null, [.. command, "--data", data]);
            Assert.Equal(2, code);
            Assert.DoesNotContain("   at ", stdout + stderr, StringComparison.Ordinal);
            var said = Assert.Single(stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.StartsWith($"The data directory {data} cannot be written: its file system is mounted read-only.", said, StringComparison.Ordinal);
        }

        var doctor = await ServerProcess.RunAsync(settings, null, "doctor", "--data", data);
        Assert.Equal(1, doctor.ExitCode);
        Assert.Contains($"✗ data: {data} cannot be written: its file system is mounted read-only", doctor.Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain("chown", doctor.Stdout, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(data));
    }
}
