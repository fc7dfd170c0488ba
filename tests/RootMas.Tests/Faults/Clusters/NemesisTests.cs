using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using RootMas.Tests.Support;
using RootMas.Tests.Support.Clusters;
using Xunit.Abstractions;

namespace RootMas.Tests.Faults.Clusters;

/// <summary>
/// Three servers and three workers as real processes behind a load balancer, under a mixed load, while a nemesis does its worst; then everything is well again, and what CHECKS.md promises is proved.
/// <c>ROOTMAS_TEST_SEED</c> chooses the seed, <c>./rootmas test --long</c> three minutes for each of three seeds; the short form is 35 seconds of one seed, in which each server is hurt once.
/// </summary>
[Collection(RabbitCollection.Name)]
public sealed class NemesisTests(RabbitServer rabbit, ITestOutputHelper output)
{
    private static readonly TimeSpan Rage = TimeSpan.FromSeconds(TestLength.IsLong ? 180 : 35);

    /// <summary>Seeds that failed once stay.</summary>
    public static TheoryData<int> Seeds() => TestLength.Seeds(first: TestLength.Seed ?? 401, usually: 1, inTheLongForm: TestLength.Seed is null ? 3 : 1);

    private const string Unended = "SELECT string_agg(id || ' ' || status || ' ' || coalesce(worker, '-') || ' attempt ' || attempt || ' slot ' || coalesce(branch_slot, '-') || ' inbox ' || inbox_done || '/' || inbox_seq || ' seq ' || last_seq, E'\\n') FROM runs WHERE ended_at IS NULL";

    [ProcessesTheory]
    [MemberData(nameof(Seeds))]
    public async Task Whatever_happens_to_machines_and_servers_nothing_accepted_is_lost_and_nothing_is_done_twice(int seed)
    {
        await using var world = await ClusterWorld.StartAsync(
            new ClusterPlan
            {
                Script = ClusterLoad.Script,
                Settings = new Dictionary<string, string> { ["Runs:Lease"] = "6s", ["Runs:Renewal"] = "2s", ["Database:PoolMax"] = "8" },
            },
            rabbit);
        var nemesis = new Nemesis(world, seed);
        try
        {
            await ProveAsync(world, nemesis, seed);
        }
        catch (Exception e)
        {
            var kept = Keep(seed, nemesis, world);
            throw new InvalidOperationException($"seed {seed} ({kept}): {e.Message}\n{nemesis.Log}", e);
        }
    }

    private async Task ProveAsync(ClusterWorld world, Nemesis nemesis, int seed)
    {
        ClusterUser[] users = [await world.UserAsync("alice"), await world.UserAsync("bob")];
        var load = new ClusterLoad(users, await world.UserAsync("root_of_all", "admin"), seed);
        using var stop = new CancellationTokenSource();
        using var decided = new CancellationTokenSource();
        var deciding = load.DecideAsync(decided.Token);
        var acting = load.RunAsync(clients: 8, stop.Token);
        await nemesis.RageAsync(Rage);
        await world.HealAsync(new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token);
        await stop.CancelAsync();
        try
        {
            await acting;
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n{await world.ScalarAsync<string>(Unended)}", e);
        }

        await QuietAsync(world);
        await decided.CancelAsync();
        await deciding;
        await QuietAsync(world); // what the last decisions set going
        output.WriteLine($"seed {seed}: {load.Acts} acts, {load.Accepted.Count} runs accepted, {load.Unanswered} answers lost\n{nemesis.Log}");
        Assert.True(load.Acts > 5, $"only {load.Acts} acts");
        await new ClusterProof(world, users, load).CheckAsync(seed);
    }

    /// <summary>I7: soon nothing runs or waits for a worker any more; what is left waits for people.</summary>
    internal static async Task QuietAsync(ClusterWorld world)
    {
        const string Restless = "SELECT count(*) FROM runs WHERE ended_at IS NULL AND status NOT IN ('waiting_approval', 'waiting_input', 'needs_review')";
        var began = Stopwatch.GetTimestamp();
        while (await world.ScalarAsync<long>(Restless) > 0)
        {
            if (Stopwatch.GetElapsedTime(began) > TimeSpan.FromMinutes(2))
            {
                throw new TimeoutException($"I7: {await world.ScalarAsync<string>(Unended)}");
            }

            await Task.Delay(200);
        }
    }

    private static string Keep(int seed, Nemesis nemesis, ClusterWorld world)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "nemesis")).FullName;
        var path = Path.Combine(folder, seed.ToString(CultureInfo.InvariantCulture) + ".log");
        File.WriteAllText(path, $"{nemesis.Log}\n\n{world.Said()}");
        return path;
    }
}
