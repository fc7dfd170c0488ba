using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>
/// What <c>rootmas doctor --fix</c> puts right: only what cannot make anything worse, and only on files of this user. A missing data directory is made, and what holds secrets is closed to others.
/// Nothing is deleted, no setting is changed, no process is touched.
/// </summary>
internal static class DoctorFixes
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
    private const UnixFileMode Folder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>One line for each thing that was done, or could not be done.</summary>
    public static IReadOnlyList<(string What, bool IsDone)> Apply(SettingsTree tree)
    {
        List<(string, bool)> done = [];
        void Try(string what, Action fix)
        {
            try
            {
                fix();
                done.Add((what, true));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                done.Add(($"{what}: could not be done ({e.GetType().Name}); it belongs to another user", false));
            }
        }

        var data = tree.DataPath;
        if (!Directory.Exists(data))
        {
            Try($"made {data} (mode 700)", () => Make(data));
        }

        foreach (var path in Secret(tree).Where(IsOpen).ToList())
        {
            Try($"closed {path} to other users", () => Close(path));
        }

        return done;
    }

    private static void Make(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }

        Directory.CreateDirectory(folder, Folder);
    }

    /// <summary>On Windows folders of a user are closed as they are.</summary>
    private static bool IsOpen(string path) => !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != UnixFileMode.None;

    private static void Close(string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, File.GetUnixFileMode(path) & ~Others);
        }
    }

    /// <summary>Links are left alone: what they lead to may be meant for others.</summary>
    private static IEnumerable<string> Secret(SettingsTree tree)
    {
        var env = Path.Combine(tree.WorkingDirectory, ".env");
        IEnumerable<string> paths = File.Exists(env) ? [env] : [];
        if (Directory.Exists(tree.DataPath))
        {
            paths = paths.Append(tree.DataPath).Concat(Directory.EnumerateFileSystemEntries(tree.DataPath, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true }));
        }

        return paths.Where(static p => new FileInfo(p).LinkTarget is null);
    }
}
