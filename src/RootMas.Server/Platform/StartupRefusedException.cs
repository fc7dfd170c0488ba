using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform;

/// <summary>The program may not start as things are. The message is for the operator: what was found and what to do. The command line prints it without a stack and ends with <see cref="ExitCode"/>.</summary>
public sealed class StartupRefusedException(string message, int exitCode = 2) : Exception(message)
{
    /// <summary>1: the disk of the data directory takes nothing. 2: settings or data do not fit this program. 5: somebody else owns the data directory. 7: the database did not answer.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>That of a PostgreSQL that cannot be used. Where it lets nobody in, or has no such database, a person must do something; whatever else it is may be over at the next start.</summary>
    /// <param name="kind">As <see cref="PostgresErrors.ClassOf"/> calls it.</param>
    internal static int CodeOf(string kind) => kind is "login_refused" or "sqlstate_3D000" or PostgresErrors.StartupParameter ? 2 : 7;

    /// <summary>True for what the command line answers with one line when the program may not start: not a failure of the program, so the console shows no log line and no stack for it.</summary>
    internal static bool IsAnswer(Exception? exception) =>
        exception is StartupRefusedException or IOException { InnerException: Microsoft.AspNetCore.Connections.AddressInUseException };
}
