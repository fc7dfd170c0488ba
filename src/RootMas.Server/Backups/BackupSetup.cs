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
        Folder = Options.Folder.Length > 0 ? tree.Resolve(Options.Folder) : data.File("backups");
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

    public PostgresCopy Postgres() => new(Database, new PostgresPrograms(Options.PostgresPrograms, Tree.Variables.Get("PATH")), Time);

    /// <summary>Keys that can check the audit chain of a copy: that of settings, that of the archive, that of the data directory.</summary>
    public IReadOnlyList<AuditKey> AuditKeys(IReadOnlyDictionary<string, byte[]> fromArchive)
    {
        var keys = new List<AuditKey>();
        if (KeyFile.Parse(Audit.Key ?? "") is { } given)
        {
            keys.Add(new AuditKey(given));
        }

        if (fromArchive.TryGetValue(BackupContent.KeyPrefix + AuditKey.FileName, out var text) && KeyFile.Parse(System.Text.Encoding.ASCII.GetString(text)) is { } archived)
        {
            keys.Add(new AuditKey(archived));
        }

        if (File.Exists(KeyFile.PathOf(Data, AuditKey.FileName)))
        {
            keys.Add(new AuditKey(KeyFile.Read(KeyFile.PathOf(Data, AuditKey.FileName))));
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
    }
}
