namespace RootMas.Server.Backups;

/// <summary>Agents, teams, models, prompts and settings of a backup: into an empty config directory, or in place of what is there if that was asked for.</summary>
internal sealed class RestoredConfig(BackupSetup setup)
{
    /// <returns>What to tell.</returns>
    public async Task<List<string>> PutAsync(string staged, string aside, bool replace, CancellationToken cancellationToken)
    {
        var target = setup.Tree.ConfigPath;
        var incoming = BackupContent.Below(Path.Combine(staged, "config"), "").ToList();
        var present = BackupContent.Below(target, "").ToDictionary(static f => f.Name, static f => f.Path, StringComparer.Ordinal);
        if (incoming.Count == 0)
        {
            return [];
        }

        if (present.Count > 0 && !replace)
        {
            var differing = await DifferingAsync(incoming, present, cancellationToken);
            return differing.Count == 0 ? [] : [$"The configuration in {target} was left as it is; in the backup these are different or more: {string.Join(", ", differing)}. --with-config takes those of the backup."];
        }

        foreach (var (name, path) in present)
        {
            await PutFileAsync(path, Path.Combine(aside, "config", name), cancellationToken);
        }

        foreach (var (name, path) in incoming)
        {
            await PutFileAsync(path, Path.Combine(target, name), cancellationToken);
        }

        foreach (var (name, path) in present.Where(p => !incoming.Exists(i => i.Name == p.Key)))
        {
            File.Delete(path);
        }

        return [$"The configuration in {target} is that of the backup."];
    }

    private static async Task PutFileAsync(string from, string to, CancellationToken cancellationToken)
    {
        PrivateFiles.Folder(Path.GetDirectoryName(to)!);
        await PrivateFiles.CopyAsync(from, to, cancellationToken);
    }

    private static async Task<List<string>> DifferingAsync(IEnumerable<(string Name, string Path)> incoming, Dictionary<string, string> present, CancellationToken cancellationToken)
    {
        var differing = new List<string>();
        foreach (var (name, path) in incoming)
        {
            if (!present.TryGetValue(name, out var other) || await PrivateFiles.HashAsync(path, cancellationToken) != await PrivateFiles.HashAsync(other, cancellationToken))
            {
                differing.Add(name);
            }
        }

        return differing;
    }
}
