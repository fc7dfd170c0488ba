using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// Thrown by a delegate whose transaction must begin again: somebody else committed between its look and its write, in a way that no lock can prevent. Nothing of it is kept; the database runs the delegate anew.
/// SQLite's one writer never needs it.
/// </summary>
public sealed class WriteConflictException(string message) : Exception(message);

/// <summary>Which of PostgreSQL's errors are outages, which deserve another try, and what to tell about them.</summary>
internal static class PostgresErrors
{
    internal const string DiskFull = "disk_full";
    internal const string ReadOnly = "read_only";
    internal const string Io = "io";

    /// <summary>A parameter of a connection's start is refused: by a pooler, which takes none that it does not know.</summary>
    internal const string StartupParameter = "startup_parameter";

    /// <summary>What is to be said of <see cref="ReadOnly"/>.</summary>
    internal const string TakesNoWrites = "The PostgreSQL server is a standby, or was set to take no writes (default_transaction_read_only)";

    /// <summary>The server ended a session that held a transaction open and did nothing.</summary>
    private const string IdleInTransaction = "25P03";

    /// <summary>The server ended a session that did nothing for as long as it allows.</summary>
    private const string IdleSession = "57P05";

    /// <summary>Nothing was kept, and the same work may well succeed now.</summary>
    public static bool IsConflict(Exception error) => error is WriteConflictException or PostgresException
    {
        SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected,
    };

    /// <summary>A connection that stood is gone, or is good for nothing: the server ended or restarted, or the network did; or it leads to a server that takes no writes, and a new one may not. What was not committed was rolled back.</summary>
    public static bool IsLostConnection(Exception error) => error switch
    {
        PostgresException answer => answer.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow
            or IdleInTransaction or IdleSession or PostgresErrorCodes.ReadOnlySqlTransaction || answer.SqlState.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException => error.InnerException is not TimeoutException,
        _ => IsBroken(error),
    };

    /// <summary>The server's answer to a commit says that nothing was committed: it refused a statement, or had ended the session, which did nothing, before the commit came.</summary>
    public static bool IsNotCommitted(PostgresException answer) => answer.InvariantSeverity == "ERROR" || answer.SqlState is IdleSession or IdleInTransaction;

    /// <summary>The store could not do it, as opposed to: the statement was wrong or broke a constraint.</summary>
    public static bool IsOutage(Exception error) => error is PostgresException answer ? IsOutage(answer.SqlState) : error is NpgsqlException or TimeoutException || IsBroken(error);

    /// <summary>Outages get a message that says what to do; everything else stays as it is.</summary>
    public static Exception Translate(Exception error) =>
        IsOutage(error) ? new StorageUnavailableException(Advice(error), error)
        : IsConflict(error) ? new StorageUnavailableException("Others changed the same rows again and again. Nothing of this was saved; try it anew.", error)
        : error;

    /// <summary>What kind of failure it was, in a word that may be shown.</summary>
    public static string ClassOf(Exception error) => error switch
    {
        PostgresException answer => answer.SqlState switch
        {
            PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => "conflict",
            PostgresErrorCodes.DiskFull => DiskFull,
            PostgresErrorCodes.ReadOnlySqlTransaction => ReadOnly,
            PostgresErrorCodes.IoError => Io,
            IdleInTransaction or IdleSession => "idle_session_ended",
            PostgresErrorCodes.ProtocolViolation when answer.MessageText.Contains("startup parameter", StringComparison.Ordinal) => StartupParameter,
            PostgresErrorCodes.TooManyConnections => "too_many_connections",
            PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow => "shutting_down_or_starting",
            PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.LockNotAvailable => "timeout",
            var code when code.StartsWith("28", StringComparison.Ordinal) => "login_refused",
            var code => "sqlstate_" + code,
        },
        StorageUnavailableException { InnerException: { } cause } => ClassOf(cause),
        StorageUnavailableException => "pool_exhausted",
        TimeoutException or { InnerException: TimeoutException } => "timeout",
        { InnerException: System.Net.Sockets.SocketException socket } => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(socket.SocketErrorCode.ToString()),
        WriteConflictException => "conflict",
        _ => "connection_lost",
    };

    /// <summary>The driver found a part of its own put away: the connection broke at the very moment at which it was taken into use.</summary>
    private static bool IsBroken(Exception error) => error is ObjectDisposedException { StackTrace: { } place } && place.Contains("Npgsql.Internal.", StringComparison.Ordinal);

    /// <summary>Connection (08), login (28), database missing (3D), resources (53), intervention (57), system (58), read-only standby (25006), lock wait (55P03).</summary>
    private static bool IsOutage(string code) =>
        code[..2] is "08" or "28" or "3D" or "53" or "57" or "58" || code is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.LockNotAvailable or IdleInTransaction;

    /// <summary>What to do where a start or a command found it so.</summary>
    public static string StartAdvice(string kind) => kind switch
    {
        ReadOnly => $"{TakesNoWrites}: name the primary in Database:ConnectionString, or let the database take writes.",
        StartupParameter => "What is in front of it, a pooler such as PgBouncer, refuses a parameter that the connection string sends: take Options (and search_path) out of Database:ConnectionString, or let the pooler ignore them (ignore_startup_parameters).",
        _ => "Check Database:ConnectionString, and that the server runs and has this database.",
    };

    private static string Advice(Exception error) => ClassOf(error) switch
    {
        DiskFull => "The disk of the PostgreSQL server is full. Nothing of this was saved; everything earlier is intact. Free some space: saving goes on by itself.",
        ReadOnly => $"{TakesNoWrites}. Nothing of this was saved. Check that Database:ConnectionString names the primary.",
        "too_many_connections" => "The PostgreSQL server takes no more connections. Raise max_connections, or lower Database:PoolMax of those that use it.",
        "login_refused" => "The PostgreSQL server refuses our login. Check Database:ConnectionString and the server's pg_hba.conf.",
        "timeout" => "PostgreSQL did not answer in time. Look at its load and at locks (pg_stat_activity).",
        var kind => $"PostgreSQL does not answer ({kind}). Nothing of this was saved unless it was just being committed; it is tried anew with the next call.",
    };
}
