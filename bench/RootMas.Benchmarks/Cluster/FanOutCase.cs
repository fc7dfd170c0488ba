using RootMas.Benchmarks.Cases;

namespace RootMas.Benchmarks.Cluster;

/// <summary>B3 where the runs are advanced by a worker and the streams are served by another process: every event comes through the database, every piece through Redis.</summary>
internal static class FanOutCase
{
    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("streams");
        var worker = await installation.WorkerAsync(context, "worker for streams", database, parallelism: 2_048);
        if (worker.Target.Missing is { } reason)
        {
            context.Report.Missing("B3", "1 stream", worker.Target.Name, "added time to first text p50", "ms", reason);
            return;
        }

        context.Servers.Add(await installation.ServerAsync(context, "streams from a worker", database));
        await Bench.WarmUpAsync(context, most: context.Options.Quick ? 6 : 12);
        await StreamCase.RunAsync(context);
        await installation.StopAsync(worker);
    }
}
