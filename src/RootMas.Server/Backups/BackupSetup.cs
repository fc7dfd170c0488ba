using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Backups;

/// <summary>What a backup is made of and where it goes, as the settings say; the same in the server and on the command line.</summary>
internal sealed class BackupSetup
{
    public const string KeyVariable = "ROOTMAS_BACKUP_KEY";

    public BackupSetup(SettingsTree tree, DataDirectory data, TimeProvider time, OutboundPolicies policies)
    {
        ArgumentNullException.ThrowIfNull(tree);
        (Tree, Data, Time, Policies) = (tree, data, time, policies);
        Options = tree.Take<BackupOptions>("Backups");
        Database = tree.Take<DatabaseOptions>("Database");
        Audit = tree.Take<AuditOptions>("Audit");
        Folder = FolderOf(tree, Options);
        Key = Options.Key.Length > 0 ? Options.Key : tree.Variables.Get(KeyVariable) is { Length: >= BackupOptions.ShortestKey } given ? given : null;
    }

    public SettingsTree Tree { get; }

    public DataDirectory Data { get; }

    public TimeProvider Time { get; }

    public OutboundPolicies Policies { get; }

    public BackupOptions Options { get; }

    public DatabaseOptions Database { get; }

    public AuditOptions Audit { get; }

    /// <summary>Absolute.</summary>
    public string Folder { get; }

    /// <summary>The operator's; null: there is none.</summary>
    public string? Key { get; }

    /// <summary>Of the installation's own database.</summary>
    public IDatabaseCopy Copy() => CopyOf(Database.Kind);

    /// <summary>For archives of that kind.</summary>
    /// <exception cref="BackupException">They cannot be looked at here.</exception>
    public IDatabaseCopy CopyOf(DatabaseKind kind) => kind == DatabaseKind.Sqlite
        ? new SqliteCopy(Data.DatabasePath, Database, Time)
        : Database.Kind == DatabaseKind.Postgres
            ? Postgres()
            : throw new BackupException(BackupFailure.Mismatch, "This is a backup of a PostgreSQL database, and no PostgreSQL server is configured here. Nothing was changed. Set Database:Kind and Database:ConnectionString; to change the kind of database, restore there and use 'rootmas data copy'.");

    public PostgresCopy Postgres() => new(Database, new PostgresPrograms(Options.PostgresPrograms, Tree.Variables.Get("PATH")), Time, Policies);

    /// <summary>Keys that can check the audit chain of a copy: that of settings, that of the archive, that of the data directory, and on PostgreSQL that of the copy itself, which the master key opens.</summary>
    public async Task<IReadOnlyList<AuditKey>> AuditKeysAsync(IReadOnlyDictionary<string, byte[]> fromArchive, IDatabase copy, CancellationToken cancellationToken)
    {
        var keys = AuditKeys(fromArchive);
        if (await SharedAuditKey.FindAsync(copy, Masters(fromArchive), cancellationToken) is { } shared)
        {
            keys.Add(shared);
        }

        return keys;
    }

    private List<byte[]> Masters(IReadOnlyDictionary<string, byte[]> fromArchive)
    {
        var given = MasterKeys.Read(Tree.Variables);
        byte[]?[] all = [given.Current, given.Previous, Archived(fromArchive, MasterKeys.Name), new DataDirectoryKeys(Data).Find(MasterKeys.Name)];
        return [.. all.OfType<byte[]>()];
    }

    private static byte[]? Archived(IReadOnlyDictionary<string, byte[]> fromArchive, string name) =>
        fromArchive.TryGetValue(BackupContent.KeyPrefix + name, out var text) ? KeyFile.Parse(System.Text.Encoding.ASCII.GetString(text)) : null;

    private List<AuditKey> AuditKeys(IReadOnlyDictionary<string, byte[]> fromArchive)
    {
        var keys = new List<AuditKey>();
        if (KeyFile.Parse(Audit.Key ?? "") is { } given)
        {
            keys.Add(new AuditKey(given));
        }

        if (Archived(fromArchive, AuditKey.FileName) is { } archived)
        {
            keys.Add(new AuditKey(archived));
        }

        if (new DataDirectoryKeys(Data).Find(AuditKey.FileName) is { } here)
        {
            keys.Add(new AuditKey(here));
        }

        return keys;
    }

    /// <summary>What is wrong that annotations cannot say.</summary>
    public static void AddProblems(SettingsTree tree)
    {
        if (tree.Variables.Get(KeyVariable) is { Length: < BackupOptions.ShortestKey })
        {
            tree.AddProblem($"{KeyVariable}: is too short; legal: at least {BackupOptions.ShortestKey} characters (openssl rand -base64 32)");
        }

        var options = tree.Take<BackupOptions>("Backups");
        if (options.OffsiteFolder.Length > 0 && IsIn(tree.Resolve(options.OffsiteFolder), FolderOf(tree, options)))
        {
            tree.AddProblem($"Backups:OffsiteFolder: is {FolderOf(tree, options)}, where archives are already, or lies in it; legal: a folder on another machine's disk");
        }
    }

    /// <summary>Where archives lie here; absolute.</summary>
    internal static string FolderOf(SettingsTree tree, BackupOptions options) => options.Folder.Length > 0 ? tree.Resolve(options.Folder) : Path.Combine(tree.DataPath, "backups");

    /// <summary>By name, or by what the name leads to.</summary>
    internal static bool IsIn(string path, string folder) =>
        (Path.TrimEndingDirectorySeparator(path) + Path.DirectorySeparatorChar).StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal) || FileOwner.IsIn(path, folder);
}
