namespace RootMas.Server.Backups;

/// <summary>The exchange of a configuration, as the plan of a restore keeps it. What comes in lies in the folder <c>config</c> of what is staged.</summary>
/// <param name="Target">The config directory.</param>
/// <param name="Outgoing">Files that are there, relative to it, and have nothing in their place.</param>
internal sealed record ConfigExchange(string Target, IReadOnlyList<string> Outgoing)
{
    public const string Folder = "config";

    /// <summary>Can be done again from any point: what was there is kept aside before the sign.</summary>
    public async Task FinishAsync(string staged, CancellationToken cancellationToken)
    {
        foreach (var (name, path) in BackupContent.Below(Path.Combine(staged, Folder), ""))
        {
            await RestoredConfig.PutFileAsync(path, Path.Combine(Target, name), cancellationToken);
        }

        foreach (var name in Outgoing)
        {
            File.Delete(Path.Combine(Target, name));
        }
    }
}

/// <summary>Agents, teams, models, prompts and settings of a backup: into an empty config directory, or in place of what is there if that was asked for.</summary>
internal sealed class RestoredConfig(BackupSetup setup)
{
    private string Target => setup.Tree.ConfigPath;

    /// <summary>Changes nothing, and finds out whether it will be possible.</summary>
    /// <returns>What is to be done; null: nothing. And what to tell.</returns>
    /// <exception cref="BackupException">It was asked for, and cannot be written.</exception>
    public async Task<(ConfigExchange? Exchange, List<string> Notes)> PlanAsync(string staged, bool replace, CancellationToken cancellationToken)
    {
        var incoming = BackupContent.Below(Path.Combine(staged, ConfigExchange.Folder), "").ToList();
        var present = Present();
        if (incoming.Count == 0)
        {
            return (null, []);
        }

        if (present.Count > 0 && !replace)
        {
            var differing = await DifferingAsync(incoming, present, cancellationToken);
            return (null, differing.Count == 0 ? [] : [$"The configuration in {Target} was left as it is; in the backup these are different or more: {string.Join(", ", differing)}. --with-config takes those of the backup."]);
        }

        if (await ObstacleAsync(incoming.Select(static f => f.Name), cancellationToken) is { } obstacle)
        {
            return replace
                ? throw new BackupException(BackupFailure.Unable, $"The configuration of the backup cannot be put into {Target}: {obstacle} Nothing was changed. Let this user write there, or restore without --with-config and take it from the archive (tar -xzf).")
                : (null, [$"The configuration of the backup was not put into {Target}: {obstacle} Take it from the archive (tar -xzf)."]);
        }

        return (new ConfigExchange(Target, [.. present.Keys.Where(name => !incoming.Exists(i => i.Name == name))]), [$"The configuration in {Target} is that of the backup."]);
    }

    /// <summary>Copies what is there, before the sign.</summary>
    public async Task KeepAsync(string aside, CancellationToken cancellationToken)
    {
        foreach (var (name, path) in Present())
        {
            await PutFileAsync(path, Path.Combine(aside, ConfigExchange.Folder, name), cancellationToken);
        }
    }

    public static async Task PutFileAsync(string from, string to, CancellationToken cancellationToken)
    {
        PrivateFiles.Folder(Path.GetDirectoryName(to)!);
        await PrivateFiles.CopyAsync(from, to, cancellationToken);
    }

    private Dictionary<string, string> Present() => BackupContent.ConfigBelow(Target, "").ToDictionary(static f => f.Name, static f => f.Path, StringComparer.Ordinal);

    /// <summary>Why a file cannot be made in each of the folders; null: it can.</summary>
    private async Task<string?> ObstacleAsync(IEnumerable<string> names, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var folder in names.Select(n => Path.GetDirectoryName(Path.Combine(Target, n))!).Distinct(StringComparer.Ordinal))
            {
                var trial = Path.Combine(PrivateFiles.Folder(folder), ".restore-trial");
                await PrivateFiles.WriteAsync(trial, Array.Empty<byte>(), cancellationToken);
                File.Delete(trial);
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
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
