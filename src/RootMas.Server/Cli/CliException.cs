using System.Net;

namespace RootMas.Server.Cli;

/// <summary>Exit codes as API.md lists them.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int NotAllowed = 4;
    public const int Conflict = 5;
    public const int Limit = 6;
    public const int Unreachable = 7;
    public const int Interrupted = 130;

    public static int Of(HttpStatusCode status) => (int)status switch
    {
        400 or 413 or 415 or 422 => Usage,
        401 or 403 => NotAllowed,
        404 or 410 => NotFound,
        409 or 412 or 428 => Conflict,
        402 or 429 => Limit,
        502 or 503 or 504 => Unreachable,
        _ => Failed,
    };
}

/// <summary>A command that cannot go on: a message for people, and the exit code.</summary>
internal sealed class CliException : Exception
{
    public CliException(int exitCode, string message, Exception? inner = null)
        : base(message, inner) => ExitCode = exitCode;

    public int ExitCode { get; }

    /// <summary>Null: it was no request.</summary>
    public CallFailure? Failure { get; init; }

    /// <summary>The message ends with what to do next.</summary>
    public bool SaysWhatToDo { get; init; }

    /// <summary>When the server wants to be asked again; null: it did not say.</summary>
    public TimeSpan? After { get; init; }
}

/// <summary>How a request came to no answer that counts.</summary>
internal enum CallFailure
{
    /// <summary>The server has said no, or that it could not.</summary>
    Refused,

    /// <summary>It never arrived.</summary>
    Unreached,

    /// <summary>It arrived, perhaps, and nobody waited for its answer any longer: the server may be at it.</summary>
    CutOff,

    /// <summary>The server is at it, by an earlier request with the same key.</summary>
    Running,

    /// <summary>The server wants to be asked later.</summary>
    Later,
}
