using System.Diagnostics;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>Many accepted runs, and how long it takes until none of them is open.</summary>
internal static class Drain
{
    private const string Open = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE ended_at IS NULL LIMIT 1) AS one";

    private const string Workers = "SELECT string_agg(concat(coalesce(worker, 'nobody'), ': ', runs), ', ') FROM (SELECT worker, count(*) AS runs FROM runs WHERE ended_at IS NULL GROUP BY worker) AS counted";

    /// <summary>Of the newest ends. The first quarter is left out: workers begin one after the other.</summary>
    private const string Rate = "SELECT CAST(count(*) AS double precision) * 1000000 / greatest(max(ended_at) - min(ended_at), 1) FROM (SELECT ended_at FROM runs ORDER BY ended_at DESC LIMIT @last) AS ends";

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

    /// <summary>How many runs each worker has now.</summary>
    public static async Task<string> ByWorkerAsync(string connectionString)
    {
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand(Workers, connection);
        return await ask.ExecuteScalarAsync() as string ?? "none";
    }

    /// <summary>Runs that ended in a second, of those that ended last.</summary>
    public static async Task<double> RateAsync(string connectionString, int last)
    {
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand(Rate, connection);
        ask.Parameters.AddWithValue("last", last);
        return (double)(await ask.ExecuteScalarAsync())!;
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
