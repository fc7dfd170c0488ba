using System.Runtime.InteropServices;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks;

/// <summary>
/// What must not outlive a run of the bench: its folder, and the programs that it started with what they started in their turn. For a signal that nobody handles .NET runs neither <c>finally</c> nor
/// <c>ProcessExit</c>, so signals are handled here.
/// </summary>
internal sealed class Session : IAsyncDisposable
{
    private static int _interrupted;
    private readonly PosixSignalRegistration[] _signals;

    public Session()
    {
        Folder = MakeFolder();
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(s => PosixSignalRegistration.Create(s, OnSignal))];
    }

    /// <summary>A signal is ending the program: whatever fails now says nothing about what is measured.</summary>
    public static bool IsInterrupted => Volatile.Read(ref _interrupted) != 0;

    /// <summary>Deleted at the end.</summary>
    public string Folder { get; }

    public async ValueTask DisposeAsync()
    {
        Array.ForEach(_signals, static s => s.Dispose());
        await EndAsync(startNoMore: false);
    }

    /// <summary>For everything that this session writes; PostgreSQL, which runs as a user of its own, gets through.</summary>
    private static string MakeFolder()
    {
        var folder = Directory.CreateTempSubdirectory("rootmas-bench-").FullName;
        if (OperatingSystem.IsLinux())
        {
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }

        return folder;
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true; // ended below, when nothing of it is left
        if (Interlocked.Exchange(ref _interrupted, 1) == 0)
        {
            var number = context.Signal switch { PosixSignal.SIGHUP => 1, PosixSignal.SIGINT => 2, _ => 15 };
            Console.Error.WriteLine("[bench] interrupted: what was started is ended and its folder is deleted; cases that were done are in artifacts/bench");
            _ = Task.Run(async () =>
            {
                await EndAsync(startNoMore: true);
                Environment.Exit(128 + number);
            });
        }
    }

    private async Task EndAsync(bool startNoMore)
    {
        await Child.EndAllAsync(startNoMore);
        for (var tries = 1; Directory.Exists(Folder); tries++)
        {
            try
            {
                Directory.Delete(Folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (tries == 20)
                {
                    await Console.Error.WriteLineAsync($"[bench] {Folder} could not be deleted ({e.Message}). Nothing else is kept there; delete it by hand.");
                    return;
                }

                await Task.Delay(100); // what was killed a moment ago may still write
            }
        }
    }
}
