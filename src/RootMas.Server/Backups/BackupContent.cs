using System.Text;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Backups;

/// <summary>What goes into an archive beside the database.</summary>
internal sealed class BackupContent(BackupSetup setup)
{
    public const string KeyPrefix = "keys/";
    public const string ConfigPrefix = "config/";
    public const string UploadPrefix = "files/";
    public const string SettingsName = "settings.json";
    public const string SettingsFile = "settings.yaml";

    private const string WithoutKey =
        "Backups:Key is not set, so the keys of the server are not in this archive. Keep the folder keys of the data directory elsewhere. Restored without it, everybody signs in again, no password is right any more, " +
        "secrets that were entered must be entered again, and the audit log goes on with a new key (Audit:AcceptNewKey).";

    private const string WithoutSettings = $"{ConfigPrefix}{SettingsFile} has secrets in it and goes into an archive only with Backups:Key, which is not set: it is not in this one. Keep a copy of it elsewhere.";

    /// <summary>Files of people; what begins with a dot (<c>.env</c>) is left out, for it holds secrets.</summary>
    private static readonly string[] ConfigEndings = [".yaml", ".yml", ".md", ".json"];

    /// <summary>Whether there are keys, which go into an archive only with the operator's key.</summary>
    public bool HasKeys => Below(setup.Data.File("keys"), KeyPrefix).Any();

    /// <summary>A settings file with passwords goes the way of the keys.</summary>
    public bool SettingsHoldSecrets => setup.Tree.Sections.SelectMany(static s => s.Settings).Any(static s => s is { Secret: not (null or ""), Source: SettingsFile });

    /// <summary>Copies small files into <paramref name="folder"/>, so that nobody changes them between their checksum and their place in the archive; uploaded ones are taken where they are.</summary>
    public async Task<(List<ArchiveFile> Files, SealedPart Keys)> CollectAsync(string id, string folder, CancellationToken cancellationToken)
    {
        var files = new List<ArchiveFile>();
        var secret = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (name, path) in ConfigBelow(setup.Tree.ConfigPath, ConfigPrefix))
        {
            if (name == ConfigPrefix + SettingsFile && SettingsHoldSecrets)
            {
                secret[name] = await File.ReadAllBytesAsync(path, cancellationToken);
            }
            else
            {
                files.Add(await TakeAsync(name, await File.ReadAllBytesAsync(path, cancellationToken), folder, cancellationToken));
            }
        }

        foreach (var (name, path) in Below(setup.Data.File("keys"), KeyPrefix))
        {
            secret[name] = await File.ReadAllBytesAsync(path, cancellationToken);
        }

        files.Add(await TakeAsync(SettingsName, Encoding.UTF8.GetBytes(SettingsReport.PrintJson(setup.Tree)), folder, cancellationToken));
        files.AddRange(Below(setup.Data.File("files"), UploadPrefix).Select(static f => new ArchiveFile(f.Name, f.Path)));
        if (setup.Key is { } key && secret.Count > 0)
        {
            files.Add(await TakeAsync(SealedFiles.EntryName, SealedFiles.Seal(key, id, secret), folder, cancellationToken));
        }

        return (files, PartOf(secret));
    }

    /// <summary>The files of a config directory that are in a backup, and that a restore may replace: certificates, environment files and notes beside them are in none, and stay where they are.</summary>
    public static IEnumerable<(string Name, string Path)> ConfigBelow(string folder, string prefix) =>
        Below(folder, prefix).Where(static f => ConfigEndings.Contains(Path.GetExtension(f.Path), StringComparer.OrdinalIgnoreCase));

    /// <summary>Every file below a folder, by its name in the archive. What begins with a dot is somebody else's (links of mounted volumes, editors).</summary>
    public static IEnumerable<(string Name, string Path)> Below(string folder, string prefix) => !Directory.Exists(folder)
        ? []
        : Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => (Name: Path.GetRelativePath(folder, path).Replace('\\', '/'), Path: path))
            .Where(static f => !f.Name.Split('/').Any(static part => part.StartsWith('.')))
            .Select(f => (prefix + f.Name, f.Path))
            .OrderBy(static f => f.Item1, StringComparer.Ordinal);

    private SealedPart PartOf(SortedDictionary<string, byte[]> secret)
    {
        var part = new SealedPart(setup.Key is not null && secret.Count > 0, [.. secret.Keys], "");
        var (keys, settings) = part.Included
            ? ("The keys of the server are in this archive, encrypted with Backups:Key. Keep that key elsewhere: without it they cannot be read.",
                $"{ConfigPrefix}{SettingsFile} has secrets in it and is in this archive encrypted with Backups:Key. Keep that key elsewhere.")
            : (WithoutKey, WithoutSettings);
        var hasSettings = secret.ContainsKey(ConfigPrefix + SettingsFile);
        return part with
        {
            Note = (part.HasKeys, hasSettings) switch
            {
                (true, true) => $"{keys} {settings}",
                (true, false) => keys,
                (false, true) => settings,
                _ => "There are no keys in the data directory: settings or the database hold them.",
            },
        };
    }

    private static async Task<ArchiveFile> TakeAsync(string name, byte[] content, string folder, CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, "content", name);
        PrivateFiles.Folder(Path.GetDirectoryName(path)!);
        await using var file = PrivateFiles.Create(path);
        await file.WriteAsync(content, cancellationToken);
        return new ArchiveFile(name, path);
    }
}
