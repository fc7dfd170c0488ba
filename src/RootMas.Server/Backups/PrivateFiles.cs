using System.Security.Cryptography;

namespace RootMas.Server.Backups;

/// <summary>Files and folders that only this user may read: an archive holds everything.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode FileModeBits = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode FolderMode = FileModeBits | UnixFileMode.UserExecute;
    private const int BufferBytes = 1 << 17;

    public static FileStream Create(string path)
    {
        var how = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = BufferBytes, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
        {
            how.UnixCreateMode = FileModeBits;
        }

        return new FileStream(path, how);
    }

    public static FileStream Read(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes, FileOptions.Asynchronous | FileOptions.SequentialScan);

    /// <summary>With those above it. A folder that was there keeps its mode.</summary>
    public static string Folder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else if (!Directory.Exists(path))
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } above)
            {
                Folder(above); // made by the call below it would be open to others
            }

            Directory.CreateDirectory(path, FolderMode);
        }

        return path;
    }

    /// <summary>To the disk under another name, then renamed: a crash leaves the whole file or none.</summary>
    public static async Task WriteAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var partial = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}{BackupFolder.Partial}";
        try
        {
            await using (var file = Create(partial))
            {
                await file.WriteAsync(content, cancellationToken);
                await FlushToDiskAsync(file, cancellationToken);
            }

            File.Move(partial, path, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    public static async Task CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        var partial = to + BackupFolder.Partial;
        File.Delete(partial);
        try
        {
            await using (var source = Read(from))
            await using (var file = Create(partial))
            {
                await source.CopyToAsync(file, cancellationToken);
                await FlushToDiskAsync(file, cancellationToken);
            }

            File.Move(partial, to, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>A sync may take seconds, and there is no asynchronous one: it has a thread of its own.</summary>
    public static async Task FlushToDiskAsync(FileStream file, CancellationToken cancellationToken)
    {
        await file.FlushAsync(cancellationToken);
        await OwnThread.RunAsync(() => RandomAccess.FlushToDisk(file.SafeFileHandle));
    }

    public static async Task<(long Size, string Sha256)> HashAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = Read(path);
        var hash = await SHA256.HashDataAsync(file, cancellationToken);
        return (file.Length, Convert.ToHexStringLower(hash));
    }
}

/// <summary>For calls that block for long (SQLite, syncs): never a thread of the pool.</summary>
internal static class OwnThread
{
    public static Task RunAsync(Action work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);

    /// <summary>For work whose asynchronous calls complete where they are made, as SQLite's do.</summary>
    public static Task<T> RunWholeAsync<T>(Func<Task<T>> work) => RunAsync(work).Unwrap();

    public static Task<T> RunAsync<T>(Func<T> work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
}
