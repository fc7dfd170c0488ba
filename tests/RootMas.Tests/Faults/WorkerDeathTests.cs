using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using Xunit.Abstractions;

namespace RootMas.Tests.Faults;

/// <summary>F5, and what becomes of the runs of a worker that is gone: real processes, really killed and really stopped.</summary>
[Collection(RabbitCollection.Name)]
public sealed class WorkerDeathTests(RabbitServer rabbit, ITestOutputHelper output)
{
    /// <summary>Five times what is promised of the median: this machine may be slow and busy.</summary>
    private static readonly TimeSpan AtMost = 5 * TimeSpan.FromSeconds(1);

    private const string Script = """default: { text: "Done." }""";

    [PostgresFact]
    public async Task The_runs_of_a_killed_worker_go_on_at_another_by_what_the_database_says()
    {
        await using var world = await WorkerProcesses.StartAsync(Script, workers: 2);
        await KillSomeAsync(world, deaths: 5);
    }

    [RabbitFact]
    public async Task The_runs_of_a_killed_worker_go_on_at_another_by_what_the_broker_says()
    {
        await using var world = await WorkerProcesses.StartAsync(Script, workers: 2, rabbit);
        await KillSomeAsync(world, deaths: 5);
    }

    [RabbitFact]
    public async Task A_worker_that_stood_still_beyond_its_lease_finds_its_run_finished_by_another()
    {
        await using var world = await WorkerProcesses.StartAsync(Script, workers: 2, rabbit, StandingStill);
        await StandStillAsync(world, HoldPoint.Before);
    }

    [PostgresFact]
    public async Task What_the_model_of_a_worker_that_stood_still_has_written_is_paid_once_and_in_no_doubt()
    {
        await using var world = await WorkerProcesses.StartAsync("""default: { text: "Done, and at some length, so that half of it is on its way." }""", workers: 2, settings: StandingStill);
        await StandStillAsync(world, HoldPoint.Middle);
    }

    private static (string Key, string Value)[] StandingStill => [("Runs:Lease", "00:00:08"), ("Runs:Renewal", "00:00:01"), ("Models:InputPrice", "10"), ("Models:OutputPrice", "10")];

    private static async Task StandStillAsync(WorkerProcesses world, HoldPoint point)
    {
        var hold = world.Sim.Hold(new HoldSpec { Call = 1, At = point });
        var id = await world.AskAsync("hello");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        var owner = await world.OwnerAsync(id);
        owner.Stop();
        var run = await world.EndAsync(id); // its lock is held all the while: the lease ends
        Assert.Equal(2, run.GetProperty("attempt").GetInt32());

        hold.Release(); // what it was told while it stood still is the first thing that it hears
        owner.Continue();
        await IdleAsync(owner);
        var after = await world.RunAsync(id);
        Assert.All((string[])["status", "attempt", "last_seq", "answer", "ended_at"], name => Assert.Equal(run.GetProperty(name).ToString(), after.GetProperty(name).ToString()));
        await world.CheckLogAsync(id);
        var rows = await world.Checker.LedgerAsync(id);
        Assert.DoesNotContain(rows, static r => r.Outcome == "in_doubt"); // what it had asked is known now
        Assert.Equal(world.Sim.Calls.Count, rows.Count);
        Assert.True(CostOf(after) > CostOf(run), $"{run}\n{after}");
        await world.EndAsync(await world.AskAsync("again"));
        await world.Checker.CheckAsync(); // I4 above all
    }

    /// <summary>Kills again and again the worker that has a run while it waits for its model, and sees the run finished elsewhere: soon, at the median.</summary>
    private async Task KillSomeAsync(WorkerProcesses world, int deaths)
    {
        List<TimeSpan> took = [];
        for (var death = 1; death <= deaths; death++)
        {
            var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
            var id = await world.AskAsync("hello");
            await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
            var owner = await world.OwnerAsync(id);
            await owner.KillAsync();
            var began = Stopwatch.GetTimestamp();
            await world.WaitAsync(id, static r => r.GetProperty("attempt").GetInt32() == 2);
            took.Add(Stopwatch.GetElapsedTime(began));
            hold.Release();
            Assert.Equal(2, (await world.EndAsync(id)).GetProperty("attempt").GetInt32());
            await world.CheckLogAsync(id);
            if (death < deaths)
            {
                await owner.StartAgainAsync();
            }
        }

        var median = took.Order().ElementAt(deaths / 2);
        var all = string.Join(", ", took.Select(static t => t.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture)));
        output.WriteLine($"From the death of a worker to the next attempt, in ms: {all}; median {median.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture)}");
        Assert.True(median <= AtMost, $"{all} ms");
    }

    private static decimal CostOf(JsonElement run) => decimal.Parse(run.GetProperty("cost_usd").GetString()!, CultureInfo.InvariantCulture);

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
