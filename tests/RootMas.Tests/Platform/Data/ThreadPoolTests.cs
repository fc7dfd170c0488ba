using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>Changes the process's thread pool, so nothing runs beside it.</summary>
[Collection("alone")]
public sealed class ThreadPoolTests
{
    [Fact]
    public async Task Slow_delegates_and_full_queues_hold_no_pool_thread()
    {
        ThreadPool.GetMaxThreads(out var workers, out var ports);
        ThreadPool.GetMinThreads(out var minWorkers, out var minPorts);
        var few = Math.Max(8, Environment.ProcessorCount); // no less than one per processor, and the test host itself blocks some
        await using var test = new TestDatabase(new DatabaseOptions { QueueLength = 4, Readers = 2 }, sql: "CREATE TABLE item (id INTEGER PRIMARY KEY);");
        using var release = new ManualResetEventSlim();
        try
        {
            ThreadPool.SetMinThreads(1, 1);
            Assert.True(ThreadPool.SetMaxThreads(few, ports));
            Func<DbSession, ValueTask<bool>> slow = _ =>
            {
                release.Wait();
                return ValueTask.FromResult(Thread.CurrentThread.IsThreadPoolThread);
            };
            var waiting = Enumerable.Range(0, few * 20).SelectMany(_ => new[] { test.Database.WriteAsync(slow, default), test.Database.ReadAsync(slow, default) }).ToList();

            // Far more callers wait than the pool has threads: it still runs other work at once.
            for (var i = 0; i < few * 20; i++)
            {
                await Task.Run(static () => { }).WaitAsync(TimeSpan.FromMinutes(2));
            }

            Assert.All(waiting, task => Assert.False(task.IsCompleted));
            release.Set();
            Assert.All(await Task.WhenAll(waiting), Assert.False);
        }
        finally
        {
            release.Set();
            ThreadPool.SetMaxThreads(workers, ports);
            ThreadPool.SetMinThreads(minWorkers, minPorts);
        }
    }
}
