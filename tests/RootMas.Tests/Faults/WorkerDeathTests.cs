using System.Diagnostics;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F5, and what becomes of the runs of a worker that is gone: real processes, really killed and really stopped.</summary>
[Collection(RabbitCollection.Name)]
public sealed class WorkerDeathTests(RabbitServer rabbit)
{
    private const string Script = """default: { text: "Done." }""";

    [PostgresFact]
    public async Task The_runs_of_a_killed_worker_go_on_at_another_by_what_the_database_says()
    {
        await using var world = await WorkerProcesses.StartAsync(Script, workers: 2);
        await KillOneAsync(world);
    }

    [RabbitFact]
    public async Task The_runs_of_a_killed_worker_go_on_at_another_by_what_the_broker_says()
    {
        await using var world = await WorkerProcesses.StartAsync(Script, workers: 2, rabbit);
        await KillOneAsync(world);
    }

    [RabbitFact]
    public async Task A_worker_that_stood_still_beyond_its_lease_finds_its_run_finished_by_another()
    {
        await using var world = await WorkerProcesses.StartAsync(Script, workers: 2, rabbit, ("Runs:Lease", "00:00:03"), ("Runs:Renewal", "00:00:01"));
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var id = await world.AskAsync("hello");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        var owner = await world.OwnerAsync(id);
        owner.Stop();
        var run = await world.EndAsync(id); // its lock is held all the while: the lease ends
        Assert.Equal(2, run.GetProperty("attempt").GetInt32());

        hold.Release(); // what it was told while it stood still is the first thing that it hears
        owner.Continue();
        await IdleAsync(owner);
        Assert.Equal(run.ToString(), (await world.RunAsync(id)).ToString());
        await world.CheckLogAsync(id);
        await world.EndAsync(await world.AskAsync("again"));
    }

    /// <summary>Kills the worker that has the run while it waits for its model, and sees it finished elsewhere.</summary>
    private static async Task KillOneAsync(WorkerProcesses world)
    {
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var id = await world.AskAsync("hello");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        var owner = await world.OwnerAsync(id);
        await owner.KillAsync();
        var began = Stopwatch.GetTimestamp();
        var run = await world.WaitAsync(id, static r => r.GetProperty("attempt").GetInt32() == 2);
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 5); // promised: under a second at the median
        hold.Release();
        run = await world.EndAsync(id);
        Assert.Equal(2, run.GetProperty("attempt").GetInt32());
        await world.CheckLogAsync(id);
    }

    /// <summary>The worker answers again, and has nothing more in its hands.</summary>
    private static async Task IdleAsync(ServerProcess worker)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!(await worker.Http.GetStringAsync("/health", limit.Token)).Contains("0 runs active", StringComparison.Ordinal))
        {
            await Task.Delay(20, limit.Token);
        }
    }
}
