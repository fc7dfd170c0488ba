using System.Text.Json;

namespace RootMas.Server.Platform.Data;

/// <summary>Who owns a data directory now.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="Url">Where it listens; null: it does not (yet).</param>
public sealed record DataOwner(int Pid, string? Url);

/// <summary>
/// The directory with database, keys and files: mode 700, files in it 600. One process at a time owns it, by a lock of the operating system on <c>lock</c> which the kernel
/// frees when the process ends, however it ends: a free lock means that the owner is dead. <c>owner.json</c> says who holds it and where it listens, for those who come second.
/// </summary>
public sealed class DataDirectory(string path) : IDisposable
{
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode PrivateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Somebody who only looks (<see cref="ReadOwner"/>) holds the lock for some microseconds; these attempts, some tens of milliseconds together, outlast that.</summary>
    private const int LockAttempts = 60;

    /// <summary>More rights would not help then, so <see cref="ReadOnlyCure"/> speaks of none.</summary>
    internal const string ReadOnlyCause = "its file system is mounted read-only";

    internal const string ReadOnlyCure = "Mount it so that it can be written (one that became so by itself has errors: look at dmesg and at the disk), or choose another directory with --data DIR.";

    private readonly Lock gate = new();
    private FileStream? held;

    /// <summary>Absolute.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    public string DatabasePath => File("rootmas.db");

    /// <summary>Whether this process owns the directory.</summary>
    public bool IsOwned
    {
        get
        {
            lock (gate)
            {
                return held is not null;
            }
        }
    }

    private string LockPath => File("lock");

    private string OwnerPath => File("owner.json");

    /// <summary>The path of a file in it.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Makes the directory if it is not there. An empty one is closed to others; one with something in it keeps its mode, and Production refuses it if others may read it.</summary>
    /// <exception cref="StartupRefusedException">It cannot be made.</exception>
    public void Create()
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(Path);
            }
            else
            {
                Directory.CreateDirectory(Path, DirectoryMode);
                if (System.IO.File.GetUnixFileMode(Path) != DirectoryMode && !Directory.EnumerateFileSystemEntries(Path).Any())
                {
                    System.IO.File.SetUnixFileMode(Path, DirectoryMode);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new StartupRefusedException($"The data directory {Path} cannot be made: {(IsReadOnly(exception) ? $"{ReadOnlyCause}. {ReadOnlyCure}" : $"{exception.Message} Choose another with --data DIR, or give this user the right to write there.")}");
        }
    }

    /// <summary>An existing or new file in it, readable by the owner only.</summary>
    public FileStream Open(string name, FileMode mode, FileAccess access, FileShare share = FileShare.Read)
    {
        var how = new FileStreamOptions { Mode = mode, Access = access, Share = share };
        if (!OperatingSystem.IsWindows() && mode is not FileMode.Open)
        {
            how.UnixCreateMode = PrivateMode;
        }

        return new FileStream(File(name), how);
    }

    /// <summary>Takes the directory for this process, until it ends or disposes this. False: somebody else has it; <see cref="ReadOwner"/> says who.</summary>
    /// <exception cref="StartupRefusedException">It cannot be made or written, or it is another user's and this process is root's.</exception>
    public bool TryAcquire()
    {
        lock (gate)
        {
            if (held is not null)
            {
                return true;
            }

            RefuseClosed();
            Create();
            RefuseRoot();
            var pause = default(SpinWait);
            for (var i = 0; held is null && i < LockAttempts; i++)
            {
                if (i > 0)
                {
                    pause.SpinOnce(); // a looker that lost the processor while it held the lock must get it back
                }

                held = TryOwn();
            }

            if (held is null)
            {
                return false;
            }
        }

        Announce(url: null);
        return true;
    }

    /// <summary>As <see cref="TryAcquire"/>.</summary>
    /// <exception cref="StartupRefusedException">Somebody else has it (exit code 5), or as <see cref="TryAcquire"/>.</exception>
    public void Acquire()
    {
        if (TryAcquire())
        {
            return;
        }

        var owner = ReadOwner();
        var who = owner is null ? "another process" : owner.Url is null ? $"process {owner.Pid}" : $"process {owner.Pid} at {owner.Url}";
        throw new StartupRefusedException($"The data directory {Path} belongs to {who}. One process at a time may own it: use that one, stop it, or choose another directory with --data DIR.", exitCode: 5);
    }

    /// <summary>Tells others where the owner listens.</summary>
    /// <exception cref="StartupRefusedException">It cannot be written: the disk is full, say.</exception>
    public void Announce(string? url)
    {
        var temporary = "owner.json.new";
        try
        {
            using (var file = Open(temporary, FileMode.Create, FileAccess.Write))
            {
                JsonSerializer.Serialize(file, new DataOwner(Environment.ProcessId, url), JsonSerializerOptions.Web);
            }

            System.IO.File.Move(File(temporary), OwnerPath, overwrite: true);
        }
        catch (IOException e)
        {
            Drop(temporary);
            throw new StartupRefusedException(
                $"The data directory {Path} cannot be written ({e.Message.TrimEnd('.')}). What was saved before is kept. Free some space there, or look at its disk, and try again; 'rootmas doctor' looks too.", exitCode: 1);
        }
    }

    /// <summary>The living owner; null: nobody owns the directory, whatever the file says.</summary>
    public DataOwner? ReadOwner()
    {
        if (!System.IO.File.Exists(LockPath) || IsFree())
        {
            return null;
        }

        try
        {
            using var file = Open("owner.json", FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return JsonSerializer.Deserialize<DataOwner>(file, JsonSerializerOptions.Web);
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return new DataOwner(0, null); // it has just taken the lock and not written yet
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            held?.Dispose();
            held = null;
        }
    }

    /// <summary>Root may write everywhere, and the user whose directory it is could not open what root made in it.</summary>
    /// <exception cref="StartupRefusedException">It is another user's, and this process is root.</exception>
    public void RefuseRoot()
    {
        if (Environment.IsPrivilegedProcess && FileOwner.Of(Path) is { } owner and not 0)
        {
            var name = FileOwner.NameOf(owner);
            throw new StartupRefusedException($"The data directory {Path} belongs to user {name}, who could not open what root makes in it. Run it as {name}: 'sudo rootmas …' does where install.sh has put it, 'runuser -u {name} -- …' elsewhere. Nothing was changed.");
        }
    }

    /// <summary>Whoever may not enter it is told of every file in it that it is not there, and would say that there is no database, no server and no backup.</summary>
    /// <exception cref="StartupRefusedException">This user may not look into it.</exception>
    public void RefuseClosed()
    {
        try
        {
            _ = System.IO.File.GetAttributes(LockPath); // File.Exists does not say why it finds nothing
        }
        catch (UnauthorizedAccessException)
        {
            throw Closed();
        }
        catch (IOException)
        {
            // There is no such directory, or nobody has owned it yet.
        }
    }

    /// <summary>EROFS on Linux and macOS, ERROR_WRITE_PROTECT on Windows.</summary>
    internal static bool IsReadOnly(Exception exception) => exception is IOException { HResult: 30 or unchecked((int)0x80070013) };

    /// <exception cref="StartupRefusedException">It cannot be written here.</exception>
    private FileStream? TryOwn()
    {
        try
        {
            return TryLock(FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (IsReadOnly(exception))
        {
            throw new StartupRefusedException($"The data directory {Path} cannot be written: {ReadOnlyCause}. {ReadOnlyCure} Nothing was changed.");
        }
        catch (UnauthorizedAccessException)
        {
            throw Closed();
        }
    }

    private StartupRefusedException Closed() =>
        new($"This user may not write in the data directory {Path}. Run it as the user that owns it (runuser -u NAME -- rootmas …), give it to this one (chown -R), or choose another directory with --data DIR. Nothing was changed.");

    /// <summary>What was begun and is not whole.</summary>
    private void Drop(string name)
    {
        try
        {
            System.IO.File.Delete(File(name));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // 'doctor --fix' removes it when the disk can be written again.
        }
    }

    /// <summary>A shared lock, which two who look may hold at once.</summary>
    private bool IsFree()
    {
        using var probe = TryLock(FileAccess.Read, FileShare.Read);
        return probe is not null;
    }

    private FileStream? TryLock(FileAccess access, FileShare share)
    {
        try
        {
            return Open("lock", access == FileAccess.Read ? FileMode.Open : FileMode.OpenOrCreate, access, share);
        }
        catch (IOException exception) when (IsLocked(exception))
        {
            return null;
        }
    }

    /// <summary>EWOULDBLOCK on Linux and macOS, a sharing violation on Windows.</summary>
    private static bool IsLocked(IOException exception) => exception.HResult is 11 or 35 or unchecked((int)0x80070020);
}
