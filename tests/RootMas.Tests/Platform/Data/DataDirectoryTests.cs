using System.Diagnostics;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("rootmas-test-");

    [Fact]
    public void One_owner_at_a_time_and_the_second_learns_who_it_is()
    {
        using var first = new DataDirectory(folder.FullName);
        using var second = new DataDirectory(folder.FullName);
        Assert.Null(second.ReadOwner());
        Assert.True(first.TryAcquire());
        Assert.True(first.TryAcquire());
        first.Announce("http://127.0.0.1:8000");

        Assert.False(second.TryAcquire());
        Assert.Equal(new DataOwner(Environment.ProcessId, "http://127.0.0.1:8000"), second.ReadOwner());
        var refused = Assert.Throws<StartupRefusedException>(second.Acquire);
        Assert.Equal(5, refused.ExitCode);
        Assert.Contains("http://127.0.0.1:8000", refused.Message, StringComparison.Ordinal);

        first.Dispose();
        Assert.Null(second.ReadOwner());
        Assert.True(second.TryAcquire());
    }

    /// <summary>Only root is refused, and only root can give a folder away: elsewhere there is nothing to see.</summary>
    [Fact]
    public async Task Root_is_refused_where_the_directory_is_another_users()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            return;
        }

        using var directory = new DataDirectory(folder.FullName);
        await Shell.DoAsync("chown", ["65534", folder.FullName]);
        var refused = Assert.Throws<StartupRefusedException>(directory.Acquire);
        Assert.Contains(folder.FullName, refused.Message, StringComparison.Ordinal);
        Assert.Contains("'sudo rootmas …'", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.FullName));

        await Shell.DoAsync("chown", ["0", folder.FullName]);
        Assert.True(directory.TryAcquire());
    }

    [Fact]
    public async Task A_killed_process_frees_the_lock_and_while_it_lives_it_holds()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var directory = new DataDirectory(folder.FullName);
        await File.WriteAllTextAsync(directory.File("lock"), "");
        await File.WriteAllTextAsync(directory.File("owner.json"), """{"pid":1,"url":"http://127.0.0.1:1"}""");
        using var other = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exec 9<>lock; flock -x 9; echo held; read x"])
        {
            WorkingDirectory = directory.Path,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        })!;
        Assert.Equal("held", await other.StandardOutput.ReadLineAsync());
        Assert.False(directory.TryAcquire());
        Assert.Equal("http://127.0.0.1:1", directory.ReadOwner()?.Url);

        other.Kill();
        await other.WaitForExitAsync();
        Assert.Null(directory.ReadOwner());
        Assert.True(directory.TryAcquire());
        using var late = Process.Start("/usr/bin/flock", ["-n", directory.File("lock"), "true"]);
        await late.WaitForExitAsync();
        Assert.Equal(1, late.ExitCode);
    }

    [Fact]
    public async Task Somebody_who_keeps_looking_does_not_keep_the_owner_out()
    {
        using var looker = new DataDirectory(folder.FullName);
        using var stop = new CancellationTokenSource();
        var looking = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                looker.ReadOwner();
            }
        });
        for (var i = 0; i < 200; i++)
        {
            using var owner = new DataDirectory(folder.FullName);
            await Wait.UntilAsync(owner.TryAcquire); // whoever looks may have been stopped in the middle of it
        }

        await stop.CancelAsync();
        await looking;
    }

    [Fact]
    public async Task A_second_database_on_the_directory_is_refused_whoever_asks_first()
    {
        await using var first = new TestDatabase(folder: folder.FullName);
        await first.Database.OpenAsync();
        await using var second = new TestDatabase(folder: folder.FullName);
        var write = second.ExecuteAsync("DELETE FROM outbox");
        Assert.Equal(5, (await Assert.ThrowsAsync<StartupRefusedException>(() => write)).ExitCode);
        await Assert.ThrowsAsync<StartupRefusedException>(second.Database.OpenAsync);
        await Assert.ThrowsAsync<StartupRefusedException>(() => second.ScalarAsync("SELECT 1"));
    }

    public void Dispose() => folder.Delete(recursive: true);
}
