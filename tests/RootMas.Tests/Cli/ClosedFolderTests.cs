using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Data and settings of another user: nobody is told that nothing is there. Root may look everywhere, so the program runs as another user.</summary>
public sealed class ClosedFolderTests
{
    private const UnixFileMode Open = (UnixFileMode)0x1ED; // 755

    [InstalledFact("setpriv")]
    public async Task Whoever_may_not_enter_the_data_directory_is_told_so_by_every_command()
    {
        using var folder = new TempFolder();
        var data = Directory.CreateDirectory(Path.Combine(folder.Path, "data")).FullName;
        await File.WriteAllTextAsync(Path.Combine(data, "rootmas.db"), "");
        FileModes.Set(folder.Path, Open);
        FileModes.Set(data, UnixFileMode.None);
        try
        {
            foreach (var command in (string[])["runs list", "backup list", "backup verify latest", "backup create", "migrate --plan", "audit verify", "data compact", "data copy --from sqlite --to postgres", "health"])
            {
                var said = await RunAsync(folder.Path, [.. command.Split(' '), "--data", data, "--config", Repository.PathOf("config")]);
                Assert.True(said.ExitCode == 2, $"{command} ended with {said.ExitCode}\n{said.Said}");
                Assert.Contains($"This user may not write in the data directory {data}.", said.Stderr, StringComparison.Ordinal);
            }
        }
        finally
        {
            FileModes.Set(data, Open);
        }
    }

    [InstalledFact("setpriv")]
    public async Task Whoever_may_not_read_the_settings_is_sent_to_them_and_not_to_the_data()
    {
        using var folder = new TempFolder();
        var settings = Path.Combine(folder.Path, "settings.yaml");
        await File.WriteAllTextAsync(settings, "server: {}\n");
        FileModes.Set(folder.Path, Open);
        FileModes.Set(settings, UnixFileMode.None);
        var said = await RunAsync(folder.Path, ["config", "print", "--config", folder.Path]);
        Assert.NotEqual(0, said.ExitCode);
        Assert.Contains(settings, said.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("data directory", said.Stderr, StringComparison.Ordinal);
    }

    private static Task<Shell> RunAsync(string home, string[] arguments)
    {
        string[] asNobody = Environment.UserName == "root" ? ["--reuid=65534", "--regid=65534", "--clear-groups"] : [];
        return Shell.RunAsync("setpriv", [.. asNobody, "dotnet", ServerProcess.ProgramPath(), .. arguments], new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["HOME"] = home,
            ["ROOTMAS_URLS"] = $"http://127.0.0.1:{ServerProcess.FreePort()}",
            ["ROOTMAS__Database__ConnectionString"] = "postgres://nobody@127.0.0.1:1/none", // it is not asked
        });
    }
}
