using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Support;

/// <summary>Two transactions on PostgreSQL at once, the one in the way of the other.</summary>
internal static class Beside
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    /// <summary>The first is done and not committed when the second begins, and is when the second waits, or <paramref name="until"/> says so.</summary>
    public static async Task RunAsync(IDatabase database, Func<DbSession, ValueTask> first, Func<IDatabase, Task> second, Func<Task<bool>>? until = null)
    {
        var (done, go) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var one = database.WriteAsync(
            async session =>
            {
                await first(session);
                done.TrySetResult();
                await go.Task;
                return true;
            },
            CancellationToken.None);
        await done.Task.WaitAsync(Long);
        var other = second(database);
        await Wait.UntilAsync(static async look => await look(), until ?? (async () => await WaitingAsync(database) > 0), "Nobody waited");
        go.SetResult();
        await one.WaitAsync(Long);
        await other.WaitAsync(Long);
    }

    /// <summary>Sessions of the database that wait for a lock.</summary>
    public static Task<long> WaitingAsync(IDatabase database) => database.ReadAsync(
        static async session => await session.Prepared("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").Int64Async() ?? 0, CancellationToken.None);
}
