using System.Diagnostics;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>Many accepted runs, and how long it takes until none of them is open.</summary>
internal static class Drain
{
    private const string Open = "SELECT count(*) FROM runs WHERE status NOT IN ('completed', 'failed', 'cancelled')";

    public static async Task FillAsync(RootMasServer server, int runs, string team)
    {
        var request = HttpConnection.Post(server.Target.Address!, "/api/v1/chat", $$"""{"message":"go","team":"{{team}}"}""", HttpConnection.Fresh + "Prefer: wait=0\r\n", token: server.Target.Token);
        var left = runs;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            using var connection = new HttpConnection(server.Target.Address!);
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var status = await connection.SendAsync(request);
                if (status is not (200 or 202))
                {
                    throw new InvalidOperationException($"a run was not accepted: {status}");
                }
            }
        })));
    }

    /// <summary>Seconds until no run is open. Asked of the database: what asks the servers would be part of their load.</summary>
    public static async Task<double> UntilEmptyAsync(string connectionString, TimeSpan atMost)
    {
        var began = Stopwatch.GetTimestamp();
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand(Open, connection);
        while ((long)(await ask.ExecuteScalarAsync())! > 0)
        {
            if (Stopwatch.GetElapsedTime(began) > atMost)
            {
                throw new TimeoutException($"runs are still open after {atMost.TotalSeconds:0} s");
            }

            await Task.Delay(20);
        }

        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}
