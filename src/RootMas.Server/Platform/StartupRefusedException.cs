namespace RootMas.Server.Platform;

/// <summary>The program may not start as things are. The message is for the operator: what was found and what to do. The command line prints it without a stack and ends with <see cref="ExitCode"/>.</summary>
public sealed class StartupRefusedException(string message, int exitCode = 2) : Exception(message)
{
    /// <summary>2: settings or data do not fit this program. 5: somebody else owns the data directory.</summary>
    public int ExitCode { get; } = exitCode;
}
