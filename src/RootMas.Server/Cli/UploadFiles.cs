using RootMas.Server.Knowledge.Documents;

namespace RootMas.Server.Cli;

/// <summary>A file that is to become a document.</summary>
/// <param name="Path">Where it is; <c>-</c>: stdin.</param>
/// <param name="Name">What the document is called.</param>
internal sealed record UploadFile(string Path, string Name);

/// <summary>What <c>documents upload</c> sends, each file by a name of its own: the server takes a second one of the same name for the first one's new content.</summary>
internal static class UploadFiles
{
    public const string StandardInput = "-";

    /// <summary>Between folders in a name. The server takes what stands before a slash for the sender's folders, and leaves it away.</summary>
    private const string Between = " - ";

    /// <param name="named">Files and folders as they were named.</param>
    /// <param name="name">Of the only file; null: none was given.</param>
    /// <exception cref="CliException">Two would have one name. Nothing was uploaded.</exception>
    public static IReadOnlyList<UploadFile> Of(IEnumerable<string> named, string? name, Terminal terminal)
    {
        var found = named.SelectMany(one => Directory.Exists(one) ? InFolder(one, terminal) : [new Found(one, Path.GetFileName(one))]).DistinctBy(static f => f.Place, StringComparer.Ordinal).ToList();
        if (name is not null && found.Count > 1)
        {
            throw new CliException(ExitCodes.Usage, "--name is the name of one document, and there are several files. Nothing was uploaded. Leave it away, or upload them one by one.");
        }

        if (name is null && found.Exists(static f => f.Path == StandardInput))
        {
            throw new CliException(ExitCodes.Usage, "What comes from stdin needs a name: --name notes.md");
        }

        var taken = found.CountBy(static f => Kept(f.Name), StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        List<UploadFile> files = [.. found.Select(f => new UploadFile(f.Path, name ?? (taken[Kept(f.Name)] > 1 ? f.Below : f.Name)))];
        return files.GroupBy(static f => Kept(f.Name), StringComparer.Ordinal).FirstOrDefault(static g => g.Count() > 1) is { } same
            ? throw new CliException(ExitCodes.Usage, $"{same.First().Path} and {same.Last().Path} would both be called '{same.Key}', and only one of them would be there afterwards. Nothing was uploaded. Give one of them another name, or upload them to two collections.")
            : files;
    }

    /// <summary>What the server makes of a name.</summary>
    private static string Kept(string name) => UploadReader.CleanName(name);

    /// <summary>Links are not followed: they can lead out of the folder, or round in it.</summary>
    private static List<Found> InFolder(string folder, Terminal terminal)
    {
        var found = new List<Found>();
        var folders = new Stack<string>();
        folders.Push(folder);
        while (folders.TryPop(out var next))
        {
            foreach (var entry in new DirectoryInfo(next).EnumerateFileSystemInfos())
            {
                var path = Path.Combine(next, entry.Name);
                if (entry.LinkTarget is not null)
                {
                    terminal.Warn($"{path} is a link and was left out. Name it on the command line to upload what it leads to.");
                }
                else if (entry is DirectoryInfo)
                {
                    folders.Push(path);
                }
                else
                {
                    var below = Path.GetRelativePath(folder, path).Split(Path.DirectorySeparatorChar);
                    found.Add(new Found(path, entry.Name) { Below = string.Join(Between, below) });
                }
            }
        }

        return [.. found.OrderBy(static f => f.Path, StringComparer.Ordinal)];
    }

    /// <param name="Name">The file's own.</param>
    private sealed record Found(string Path, string Name)
    {
        /// <summary>The name with the folders between the one that was named and the file.</summary>
        public string Below { get; init; } = Name;

        /// <summary>The same however it was named.</summary>
        public string Place => Path == StandardInput ? Path : System.IO.Path.GetFullPath(Path);
    }
}
