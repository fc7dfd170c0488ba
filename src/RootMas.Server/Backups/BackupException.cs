namespace RootMas.Server.Backups;

/// <summary>Why a backup, a check or a restore did not go on.</summary>
public enum BackupFailure
{
    /// <summary>There is no such backup.</summary>
    NotFound,

    /// <summary>The archive is not what was written.</summary>
    Damaged,

    /// <summary>Its keys were encrypted with another key, or there is none.</summary>
    OtherKey,

    /// <summary>It does not fit: another kind of database, another schema name, an older server.</summary>
    Mismatch,

    /// <summary>Its schema is newer than this program.</summary>
    Newer,

    /// <summary>There is data where it should go.</summary>
    NotEmpty,

    /// <summary>A server runs there, or another backup is under way.</summary>
    Busy,

    /// <summary>Programs or rights are missing.</summary>
    Unable,

    /// <summary>The other side cannot be reached or refuses.</summary>
    Unreachable,

    /// <summary>Anything else that its message explains.</summary>
    Failed,
}

/// <summary>A refusal or failure whose message is for people: what happened, what was kept, what to do next. Holds no secrets.</summary>
public sealed class BackupException(BackupFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    public BackupFailure Failure { get; } = failure;
}
