using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>The same two requests of a server whose limits and budgets are counted on Redis, and of one without: a plain read, and a chat with a priced model.</summary>
internal static class SharedLimitsCase
{
    private const string With = $"{Installation.Prefix}, Redis: limits and budgets";
    private const string Without = $"{Installation.Prefix}, Redis: neither";

    private const string Read = "a read (GET /api/v1/auth/me)";
    private const string Chat = "a chat with one model call";

    /// <summary>Production refuses to go without limits; so both have this.</summary>
    private static readonly (string, string) Lax = ("ROOTMAS__Server__Environment", "Development");

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("limits");
        var (_, other) = await installation.Postgres.MakeDatabaseAsync("no_limits");
        RootMasServer[] servers =
        [
            await installation.StartAsync(context, new ServerPlan(With) { Core = null, Settings = [.. Redis(installation, database), ("ROOTMAS__Limits__Enabled", "true"), Lax, ("ROOTMAS__Budgets__All", "1000000"), ("ROOTMAS__Budgets__User", "1000000")] }),
            await installation.StartAsync(context, new ServerPlan(Without) { Core = null, Settings = [.. Redis(installation, other), ("ROOTMAS__Limits__Enabled", "false"), Lax] }),
        ];
        await context.Model.InstantAsync();
        for (var round = -1; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(() =>
            {
                foreach (var server in servers)
                {
                    Round(context, server, round);
                }

                return Task.CompletedTask;
            });
        }

        await installation.StopAsync(servers);
    }

    private static IReadOnlyList<(string, string)> Redis(Installation installation, string database) =>
        [.. installation.OnPostgres(database), ("ROOTMAS__Redis__ConnectionString", installation.Redis.ConnectionString!)];

    /// <summary>Round -1 warms up.</summary>
    private static void Round(BenchContext context, RootMasServer server, int round)
    {
        if (server.Target.Missing is { } reason)
        {
            foreach (var row in (string[])[Read, Chat])
            {
                context.Report.Missing("Limits on Redis", row, server.Target.Name, "p50", "ms", reason);
            }

            return;
        }

        var count = context.Options.Quick ? 300 : 1_500;
        var read = HttpConnection.Get(server.Target.Address!, "/api/v1/auth/me", token: server.Target.Token);
        var chat = server.Chat("one", "go");
        Add(context, Read, server, round, RequestLoad.Sequential(server.Target.Address!, _ => read, count, TimeSpan.FromSeconds(10), "username"));
        Add(context, Chat, server, round, RequestLoad.Sequential(server.Target.Address!, _ => chat, count / 3, TimeSpan.FromSeconds(10), ModelServer.Text));
    }

    private static void Add(BenchContext context, string row, RootMasServer server, int round, Samples samples)
    {
        if (round >= 0 && samples.Failed)
        {
            context.Report.Missing("Limits on Redis", row, server.Target.Name, "p50", "ms", samples.Error ?? "no answer");
        }
        else if (round >= 0)
        {
            context.Report.Add("Limits on Redis", row, server.Target.Name, "p50", "ms", samples.P50);
        }
    }
}
