using System.CommandLine;
using System.Runtime.InteropServices;

namespace RootMas.Server.Cli;

/// <summary>What a command has around it: streams, Ctrl-C and environment. Those of the process, unless another program runs commands inside itself.</summary>
internal sealed class CliConsole : InvocationConfiguration
{
    public CliConsole()
    {
        EnableDefaultExceptionHandler = false;
        ProcessTerminationTimeout = null;
    }

    public TextReader Input { get; init; } = Console.In;

    /// <summary>The next key that is pressed, without showing it.</summary>
    public Func<ConsoleKeyInfo> ReadKey { get; init; } = static () => Console.ReadKey(intercept: true);

    /// <summary>Whether one was pressed already.</summary>
    public Func<bool> IsKeyWaiting { get; init; } = static () => Console.KeyAvailable;

    public bool IsInputRedirected { get; init; } = Console.IsInputRedirected;

    public bool IsOutputRedirected { get; init; } = Console.IsOutputRedirected;

    public bool IsErrorRedirected { get; init; } = Console.IsErrorRedirected;

    /// <summary>Null: the environment of the process.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Null: the current directory.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Calls back for every Ctrl-C, which ends nothing by itself then, until the registration is disposed.</summary>
    public Func<Action, IDisposable> OnInterrupt { get; init; } = OfProcess;

    public static CliConsole Of(ParseResult parsed) => (CliConsole)parsed.InvocationConfiguration;

    private static PosixSignalRegistration OfProcess(Action pressed) => PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
    {
        context.Cancel = true;
        pressed();
    });
}
