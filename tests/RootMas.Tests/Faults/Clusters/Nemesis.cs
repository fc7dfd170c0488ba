using System.Diagnostics;
using System.Globalization;
using RootMas.Tests.Support;
using RootMas.Tests.Support.Clusters;

namespace RootMas.Tests.Faults.Clusters;

/// <summary>Hurts a cluster in every way, chosen by a seed: kills, pauses and restarts its processes and servers, and cuts processes off from servers.</summary>
internal sealed class Nemesis(ClusterWorld world, int seed)
{
    private readonly List<string> _log = [];
    private long _began;
    private Task? _rabbitRestarts;

    /// <summary>What it did, and when.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return string.Join('\n', _log);
            }
        }
    }

    /// <summary>For as long as that, counted from here: what was made ready before takes nothing of it.</summary>
    public async Task RageAsync(TimeSpan duration)
    {
        _began = Stopwatch.GetTimestamp();
        try
        {
            await StrikeForAsync(duration);
        }
        finally
        {
            await (_rabbitRestarts ?? Task.CompletedTask);
        }
    }

    private async Task StrikeForAsync(TimeSpan duration)
    {
        var random = new Random(seed);
        var strikes = 0;
        var servers = new Queue<int>([18, 15, 16, 17]); // whatever the seed says, each server is hurt once, also in the short form; RabbitMQ first, which takes longest to come back
        while (Stopwatch.GetElapsedTime(_began) < duration)
        {
            foreach (var node in world.Nodes.Where(static n => n.Process.HasExited).ToList())
            {
                Say($"starts {node.Name} again");
                node.Process.Launch();
            }

            var kind = random.Next(20);
            await StrikeAsync(++strikes % 2 == 0 && servers.TryDequeue(out var must) ? must : kind, world.Nodes[random.Next(world.Nodes.Count)], random);
            await PauseAsync(random.Next(200, 1500));
        }
    }

    private async Task StrikeAsync(int kind, ClusterNode victim, Random random)
    {
        // Drawn whatever it is used for, so that a seed means the same strikes in the same order.
        var (milliseconds, traffic, way) = (random.Next(500, 6000), (Traffic)random.Next(1, 4), random.Next(4));
        switch (kind)
        {
            case < 5:
                Say($"kills {victim.Name}");
                await victim.KillAsync();
                await PauseAsync(milliseconds / 4);
                break;
            case < 8:
                await StopForAsync(victim, milliseconds * 3 / 2);
                break;
            case < 10:
                Say($"ends {victim.Name}");
                await EndAsync(victim);
                break;
            case < 15:
                await CutOffAsync(victim, way switch { 0 or 1 => victim.Postgres, 2 => victim.Redis, _ => victim.Rabbit }, traffic, milliseconds);
                break;
            default:
                await StrikeServerAsync(kind, milliseconds);
                break;
        }
    }

    private async Task StrikeServerAsync(int kind, int milliseconds)
    {
        switch (kind)
        {
            case 15:
                Say("kills Redis, with all that is in it");
                await world.Redis.KillAsync();
                await PauseAsync(milliseconds / 3);
                await world.Redis.StartAgainAsync();
                break;
            case 16:
                Say("restarts PostgreSQL");
                await world.Postgres.StopAsync();
                await PauseAsync(milliseconds / 6);
                await world.Postgres.StartAgainAsync();
                break;
            case 17:
                Say($"PostgreSQL stands still for {milliseconds / 3} ms");
                await world.Postgres.PauseAsync(true);
                await PauseAsync(milliseconds / 3);
                await world.Postgres.PauseAsync(false);
                break;
            case 18 when TestLength.IsLong || _rabbitRestarts is null:
                await (_rabbitRestarts ?? Task.CompletedTask);
                _rabbitRestarts = RestartRabbitAsync();
                break;
            default:
                Say($"everything is slow for {milliseconds} ms");
                world.Nodes.SelectMany(static n => n.Ways).ToList().ForEach(static w => w.Let(Traffic.Flows, TimeSpan.FromMilliseconds(15)));
                await PauseAsync(milliseconds);
                world.Nodes.SelectMany(static n => n.Ways).ToList().ForEach(static w => w.Let(Traffic.Flows));
                break;
        }
    }

    /// <summary>Erlang starts slowly: the other strikes go on meanwhile, so that this makes nothing longer.</summary>
    private async Task RestartRabbitAsync()
    {
        Say("restarts RabbitMQ");
        await world.Rabbit.StopAsync();
        await world.Rabbit.StartAsync();
        Say("RabbitMQ is back");
    }

    private async Task StopForAsync(ClusterNode victim, int milliseconds)
    {
        Say($"{victim.Name} stands still for {milliseconds} ms");
        victim.Stop();
        await PauseAsync(milliseconds);
        victim.Continue();
    }

    private async Task EndAsync(ClusterNode victim)
    {
        if (victim.Process.HasExited)
        {
            return;
        }

        // A process that is still starting may take its leave with another code; one that is up says 0.
        await victim.Process.TerminateAsync(TimeSpan.FromMinutes(2));
    }

    private async Task CutOffAsync(ClusterNode victim, CuttingProxy way, Traffic traffic, int milliseconds)
    {
        var server = way == victim.Postgres ? "PostgreSQL" : way == victim.Redis ? "Redis" : "RabbitMQ";
        Say($"{victim.Name} to {server}: {traffic} for {milliseconds} ms");
        way.Let(traffic);
        await PauseAsync(milliseconds);
        way.Let(Traffic.Flows);
    }

    private static Task PauseAsync(int milliseconds) => Task.Delay(milliseconds);

    private void Say(string what)
    {
        lock (_log)
        {
            _log.Add(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(_began).TotalSeconds,7:F2} s  {what}"));
        }
    }
}
