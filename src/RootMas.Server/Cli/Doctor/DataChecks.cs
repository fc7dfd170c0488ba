using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Cli.Doctor;

/// <summary>The data directory: is it there, who may read it, what a crash left behind, and room.</summary>
internal static class DataChecks
{
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode PrivateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = ~DirectoryMode & (UnixFileMode)0x1FF;

    /// <summary>What programs that are killed while they write leave; whoever writes it again replaces it.</summary>
    private static readonly string[] Leftovers = [".new", ".tmp"];

    /// <summary>Hidden files too; what this user may not look into is passed over.</summary>
    private static readonly EnumerationOptions Everything = new() { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None };

    /// <summary>For everyone, also where settings are refused because of what is found here.</summary>
    public static IEnumerable<Finding> Permissions(string path)
    {
        if (!Directory.Exists(path))
        {
            yield return new Finding("data", "note", $"{path} is made at the first start") { Fix = () => new DataDirectory(path).Create() };
            yield break;
        }

        if (WriteFailure(path) is { } failure)
        {
            yield return failure;
            yield break; // and what is in there may not be looked at either
        }

        yield return Finding.Ok("data", path);
        if (OperatingSystem.IsWindows())
        {
            yield break;
        }

        if ((File.GetUnixFileMode(path) & Others) != UnixFileMode.None)
        {
            yield return new Finding("permissions", "bad", $"others may look into {path}, which holds keys and conversations", $"chmod 700 {path}, or rootmas doctor --fix") { Fix = () => SetMode(path, DirectoryMode) };
        }

        if (OfOthers(path) is [var first, ..] strange && FileOwner.Of(path) is { } owner)
        {
            var name = FileOwner.NameOf(owner);
            yield return Finding.Bad("permissions", $"{strange.Count} files in {path} are not {name}'s, the first is {Path.GetRelativePath(path, first)}", $"Something ran as another user there, and the server cannot open what that made: chown -R {name} {path}");
        }

        var open = OpenToOthers(path);
        if (open.Count > 0)
        {
            yield return new Finding("permissions", "note", $"others may read {open.Count} files in {path}, the first is {Path.GetRelativePath(path, open[0])}", "rootmas doctor --fix makes them readable by their owner only.")
            {
                Fix = () => open.ForEach(static f => SetMode(f, Directory.Exists(f) ? DirectoryMode : PrivateMode)),
            };
        }
    }

    public static IEnumerable<Finding> Contents(string path, HealthOptions options)
    {
        if (!Directory.Exists(path))
        {
            yield break;
        }

        var space = DiskSpace.Of(path);
        var free = space.Free >> 20;
        yield return space.Free < space.Critical(options) ? Finding.Bad("disk space", $"only {free} MiB free for {path}", "Free some space: accepted messages must be written.")
            : space.Free < space.Low(options) ? Finding.Note("disk space", $"{free} MiB free for {path}", $"Less than {space.Low(options) >> 20} MiB (Health:DiskLowMegabytes, at most a quarter of the disk): make room soon.")
            : Finding.Ok("disk space", $"{free} MiB free");
        using var data = new DataDirectory(path);
        if (data.ReadOwner() is { } owner)
        {
            yield return owner.Url is { } url
                ? Finding.Ok("server", $"process {owner.Pid} owns {path} and listens on {url}")
                : Finding.Note("server", $"process {owner.Pid} owns {path} and does not listen yet", "It starts, or it is another command at work on the data. Its log or its terminal says how far it is.");
            yield break; // what it writes at this moment is no leftover
        }

        var left = Inside(new DirectoryInfo(path)).OfType<FileInfo>().Where(static f => Array.Exists(Leftovers, e => f.Name.EndsWith(e, StringComparison.Ordinal))).Select(static f => f.FullName).ToList();
        if (left.Count > 0)
        {
            yield return new Finding("leftovers", "note", $"a crash left {left.Count} half-written files, the first is {Path.GetRelativePath(path, left[0])}", "rootmas doctor --fix removes them.") { Fix = () => left.ForEach(File.Delete) };
        }
    }

    /// <summary>Whether a server on this machine owns it, so that its ports are its own.</summary>
    public static bool IsOwned(string path)
    {
        if (!Directory.Exists(path))
        {
            return false;
        }

        using var data = new DataDirectory(path);
        return data.ReadOwner() is not null;
    }

    private static List<string> OpenToOthers(string path) =>
        OperatingSystem.IsWindows() ? [] : [.. Inside(new DirectoryInfo(path)).Where(static f => (f.UnixFileMode & Others) != UnixFileMode.None).Select(static f => f.FullName).Order(StringComparer.Ordinal)];

    /// <summary>What is not of the directory's own user. The folder of a file system that begins here is root's, and no matter.</summary>
    private static List<string> OfOthers(string path) =>
        FileOwner.Of(path) is not { } owner ? []
            : [.. Inside(new DirectoryInfo(path)).Where(f => f.Name != "lost+found" && FileOwner.Of(f.FullName) is { } theirs && theirs != owner).Select(static f => f.FullName).Order(StringComparer.Ordinal)];

    /// <summary>All that lies in it. Links and what lies behind them are somebody else's: whoever may write here could point them anywhere.</summary>
    private static IEnumerable<FileSystemInfo> Inside(DirectoryInfo folder)
    {
        foreach (var entry in Listed(folder))
        {
            yield return entry;
            foreach (var below in entry is DirectoryInfo directory ? Inside(directory) : [])
            {
                yield return below;
            }
        }
    }

    private static List<FileSystemInfo> Listed(DirectoryInfo folder)
    {
        try
        {
            return [.. folder.EnumerateFileSystemInfos("*", Everything).Where(static e => e.LinkTarget is null)];
        }
        catch (DirectoryNotFoundException)
        {
            return []; // gone since it was listed: the server at work removes what it needs no more
        }
    }

    private static void SetMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    /// <summary>Null: it can be written.</summary>
    private static Finding? WriteFailure(string path)
    {
        var trial = Path.Combine(path, $".doctor-{Environment.ProcessId}");
        try
        {
            File.WriteAllBytes(trial, []);
            File.Delete(trial);
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return Finding.Bad("data", $"this user may not write in {path}", "Run as the user that owns it (runuser -u rootmas -- rootmas doctor), or give it to this one (chown -R).");
        }
        catch (IOException e) when (DataDirectory.IsReadOnly(e))
        {
            return Finding.Bad("data", $"{path} cannot be written: {DataDirectory.ReadOnlyCause}", DataDirectory.ReadOnlyCure);
        }
        catch (IOException e)
        {
            return Finding.Bad("data", $"{path} cannot be written ({e.Message.TrimEnd('.')})", "Look at the disk: free space and inodes (df -h, df -i), and what dmesg says of it.");
        }
    }
}
