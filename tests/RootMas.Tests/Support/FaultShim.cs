using System.Buffers.Binary;
using System.Diagnostics;

namespace RootMas.Tests.Support;

/// <summary>Makes the disk of a real server process full, unreliable or read-only, and its clock wrong, while it runs: a small library (Faults/shim.c) that is loaded before the C library. It is compiled here, so it needs a C compiler and Linux; no rights.</summary>
internal sealed class FaultShim : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly byte[] _state = new byte[16];

    private readonly string? _path;

    private FaultShim(string? path) => _path = path;

    /// <summary>Null: it can be made here. Else why not.</summary>
    public static string? Missing { get; } = !OperatingSystem.IsLinux() ? "needs Linux" : File.Exists("/usr/bin/cc") ? null : "there is no C compiler here: apt-get install gcc libc6-dev";

    /// <summary>For the process to be hurt.</summary>
    public IReadOnlyDictionary<string, string> Environment
    {
        get
        {
            var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["LD_PRELOAD"] = Library, ["FAULT_STATE"] = State };
            if (_path is not null)
            {
                environment["FAULT_PATH"] = _path;
            }

            return environment;
        }
    }

    private string Library => Path.Combine(_folder.Path, "shim.so");

    private string State => Path.Combine(_folder.Path, "state");

    /// <param name="path">A part of the path of the files that are concerned; null: those of the embedded database.</param>
    public static async Task<FaultShim> MakeAsync(string? path = null)
    {
        var shim = new FaultShim(path);
        shim.Write();
        using var compiler = Process.Start("/usr/bin/cc", ["-shared", "-fPIC", "-O1", "-o", shim.Library, Repository.PathOf("tests/RootMas.Tests/Faults/shim.c"), "-ldl"]);
        await compiler.WaitForExitAsync();
        Assert.Equal(0, compiler.ExitCode);
        if (OperatingSystem.IsLinux())
        {
            // PostgreSQL runs as a user of its own.
            File.SetUnixFileMode(shim._folder.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        }

        return shim;
    }

    public void FillDisk() => Set(1, 0);

    /// <summary>So many of a hundred calls that write fail.</summary>
    public void FailCalls(int percent) => Set(2, percent);

    /// <summary>So many of a hundred reads fail.</summary>
    public void FailReads(int percent) => Set(3, percent);

    /// <summary>After so many writes the process stands still before the next.</summary>
    public void StopWriting(int after)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_state.AsSpan(2), (ushort)after);
        Set(4, 0);
    }

    /// <summary>Until the process stands still; it must not end before.</summary>
    public async Task StandsAsync(Process process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (!File.Exists(State + ".stands"))
        {
            Assert.False(process.HasExited, "it ended, and never wrote so much");
            await Task.Delay(10, limit.Token);
        }
    }

    /// <summary>As a file system that is mounted read-only.</summary>
    public void MountReadOnly() => Set(5, 0);

    public void MendDisk() => Set(0, 0);

    public void SetClock(TimeSpan ahead)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_state.AsSpan(8), (long)ahead.TotalSeconds);
        Write();
    }

    public void Dispose() => _folder.Dispose();

    private void Set(int kind, int percent)
    {
        (_state[0], _state[1]) = ((byte)kind, (byte)percent);
        Write();
    }

    /// <summary>In place: the process has it mapped.</summary>
    private void Write()
    {
        using var file = new FileStream(State, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        file.Write(_state);
        file.Flush();
    }
}

/// <summary>A test with a <see cref="FaultShim"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ShimFactAttribute : FactAttribute
{
    public ShimFactAttribute() => Skip = FaultShim.Missing;
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ShimTheoryAttribute : TheoryAttribute
{
    public ShimTheoryAttribute() => Skip = FaultShim.Missing;
}

/// <summary>A test with a <see cref="FaultShim"/> and PostgreSQL.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PostgresShimFactAttribute : FactAttribute
{
    public PostgresShimFactAttribute() => Skip = FaultShim.Missing ?? PostgresServer.Missing;
}
