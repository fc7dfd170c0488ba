using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>Releases made of the program that these tests were built with, and a folder to install them into.</summary>
internal sealed class Releases : IDisposable
{
    /// <summary>For <see cref="Make"/>: a program that does nothing but run and be healthy, where only the script is looked at.</summary>
    public const string Stub = """
        case "$1" in
          serve) echo $$ >"$ROOTMAS_DATA/up"; echo . >>"$ROOTMAS_DATA/rootmas.db"; trap 'exit 0' TERM; while :; do sleep 0.05; done ;;
          health) kill -0 "$(cat "$ROOTMAS_DATA/up")" ;;
          init) touch "${@: -1}" ;;
        esac
        exit 0
        """;

    private readonly TempFolder _folder = new();

    public string Path => _folder.Path;

    public string Url { get; } = $"http://127.0.0.1:{ServerProcess.FreePort()}";

    /// <summary>Of the installation.</summary>
    public string Data => In("data");

    public string In(params string[] parts) => System.IO.Path.Combine([_folder.Path, .. parts]);

    /// <param name="before">Shell lines that run before the program.</param>
    public string Make(string version, string before = "", string? smoke = null)
    {
        var release = Directory.CreateDirectory(In("made", version)).FullName;
        File.WriteAllText(System.IO.Path.Combine(release, "VERSION"), version + "\n");
        Script(System.IO.Path.Combine(release, "rootmas"), $"{before}\nexec dotnet '{ServerProcess.ProgramPath()}' \"$@\"");
        Copy(Repository.PathOf("config"), System.IO.Path.Combine(release, "config"));
        Directory.CreateDirectory(System.IO.Path.Combine(release, "deploy"));
        File.Copy(Repository.PathOf("deploy", "deploy.sh"), System.IO.Path.Combine(release, "deploy", "deploy.sh"));
        if (smoke is null)
        {
            File.Copy(Repository.PathOf("deploy", "smoke.sh"), System.IO.Path.Combine(release, "deploy", "smoke.sh"));
        }
        else
        {
            Script(System.IO.Path.Combine(release, "deploy", "smoke.sh"), smoke);
        }

        return release;
    }

    /// <summary>The settings of the installation.</summary>
    public void Set(params string[] lines)
    {
        Directory.CreateDirectory(In("config"));
        File.WriteAllText(In("config", "rootmas.env"), string.Join('\n', ["# quoted, as people write it", $"ROOTMAS_URLS=\"{Url}\"", .. lines, ""]));
    }

    /// <summary>deploy/deploy.sh, as a user without systemd.</summary>
    public Task<Shell> DeployAsync(params string[] arguments) => DeployWithAsync(new Dictionary<string, string>(StringComparer.Ordinal), arguments);

    /// <summary>The same in an environment such as <see cref="Programs"/> gives.</summary>
    public Task<Shell> DeployWithAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments) => Shell.RunAsync(
        "bash", [Repository.PathOf("deploy", "deploy.sh"), .. arguments, "--no-systemd", "--root", In("root"), "--data", Data, "--config", In("config"), "--wait", "180"], environment);

    /// <summary>An environment in which these programs come before those of the machine.</summary>
    public Dictionary<string, string> Programs(params (string Name, string Text)[] programs)
    {
        var folder = Directory.CreateDirectory(In("programs", Guid.NewGuid().ToString("N"))).FullName;
        foreach (var (name, text) in programs)
        {
            Script(System.IO.Path.Combine(folder, name), text);
        }

        return new(StringComparer.Ordinal) { ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}" };
    }

    /// <summary>An archive of a release, with its checksum beside it.</summary>
    public static async Task<string> ArchiveAsync(string release)
    {
        var archive = release + ".tar.gz";
        await Shell.DoAsync("tar", ["-C", release, "-czf", archive, "."]);
        await File.WriteAllTextAsync(archive + ".sha256", await Shell.DoAsync("sha256sum", [archive]));
        return archive;
    }

    /// <summary>The version in service.</summary>
    public string Current() => System.IO.Path.GetFileName(new DirectoryInfo(In("root", "current")).LinkTarget!);

    /// <summary>As the release in service lists them.</summary>
    public Task<string> RunsAsync() => Shell.DoAsync(In("root", "current", "rootmas"), ["runs", "list", "--data", Data]);

    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
        {
            File.Copy(file, System.IO.Path.Combine(to, System.IO.Path.GetFileName(file)));
        }

        foreach (var folder in Directory.EnumerateDirectories(from))
        {
            Copy(folder, System.IO.Path.Combine(to, System.IO.Path.GetFileName(folder)));
        }
    }

    public void Dispose() => _folder.Dispose();

    private static void Script(string path, string text)
    {
        File.WriteAllText(path, $"#!/bin/bash\nset -e\n{text}\n");
        FileModes.Set(path, FileModes.Private | UnixFileMode.UserExecute);
    }
}
