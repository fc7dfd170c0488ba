namespace RootMas.Server.Platform.Data;

/// <summary>
/// The sign that a restore has begun and not ended: a file in the data directory, and on PostgreSQL a table, written before the first change and removed after the last.
/// Whoever opens the database looks for it, so that a restore which was killed midway is never mistaken for a fresh installation.
/// </summary>
public static class HalfRestored
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "restoring.json";

    /// <summary>Name of the table.</summary>
    public const string Table = "restore_in_progress";

    /// <summary>The advisory lock that whoever changes the schema of a PostgreSQL database holds; the same for every version of this program.</summary>
    public const long MigrationLock = 0x526f6f744d4153; // "RootMAS"

    private const string Advice = "A restore of this installation was interrupted midway. What stood there before was kept aside. Repeat 'rootmas backup restore' with the same backup: it goes on where it was.";

    /// <exception cref="StartupRefusedException">The directory holds the sign.</exception>
    public static void Refuse(DataDirectory directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        if (File.Exists(directory.File(FileName)))
        {
            throw Refusal();
        }
    }

    public static StartupRefusedException Refusal() => new(Advice);
}
