using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Who may read what was imported.</summary>
public sealed partial class ImportCommandTests
{
    private const UnixFileMode ForService = FileModes.Private | UnixFileMode.GroupRead;
    private const UnixFileMode FolderForService = ForService | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;

    /// <summary>As root's shell on a machine that install.sh made: its files are root's, of the service's group. Elsewhere the modes alone are seen.</summary>
    [Fact]
    public async Task What_is_written_under_a_strict_umask_can_be_read_by_whoever_reads_what_is_there()
    {
        using var world = new World();
        world.Write("agents.yaml", AutoGen).Write("registry.json", Registry).Write(".env", Env);
        var config = world.ConfigPath("");
        foreach (var path in Directory.EnumerateFileSystemEntries(config, "*", SearchOption.AllDirectories).Append(config))
        {
            FileModes.Set(path, Directory.Exists(path) ? FolderForService : ForService);
        }

        var group = Environment.IsPrivilegedProcess ? "65534" : (await Shell.DoAsync("id", ["-g"])).Trim();
        await Shell.DoAsync("chgrp", ["-R", group, config]);
        await Shell.DoAsync("bash", ["-c", "umask 077; exec \"$@\"", "bash", "dotnet", ServerProcess.ProgramPath(), "import", world.Folder, "--config", config, "--data", world.Session.Data]);
        foreach (var name in (string[])["agents.yaml", "agents.yaml.before-import", "prompts/translator.md", "prompts/data_analyst_2.md", "imported/registry.json"])
        {
            Assert.Equal(ForService, FileModes.Of(world.ConfigPath(name)));
        }

        Assert.Equal(FolderForService, FileModes.Of(world.ConfigPath("imported")));
        Assert.Equal(FileModes.Private, FileModes.Of(world.ConfigPath("imported/rootmas.env"))); // secrets, on their way to another file
        string[] written = ["agents.yaml", "agents.yaml.before-import", "prompts/translator.md", "imported", "imported/registry.json"];
        var groups = await Shell.DoAsync("stat", ["-c", "%g", .. written.Select(world.ConfigPath)]);
        Assert.Equal(written.Select(_ => group), groups.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
