using System.Diagnostics;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>Many accepted runs, and how long it takes until none of them is open.</summary>
internal static class Drain
{
    /// <summary>Asked again and again, so by the index: of a table that was filled just now the planner would rather read all.</summary>
    private const string Open = """
        SELECT (SELECT count(*) FROM (SELECT 1 FROM runs WHERE status = 'queued' AND ended_at IS NULL ORDER BY id LIMIT 1) AS one)
            + (SELECT count(*) FROM (SELECT 1 FROM runs WHERE status = 'running' AND ended_at IS NULL ORDER BY id LIMIT 1) AS one)
        """;

    /// <summary>How many runs needed how many attempts.</summary>
    public const string Attempts = "SELECT string_agg(concat(attempt, ': ', runs), ', ') FROM (SELECT attempt, count(*) AS runs FROM runs GROUP BY attempt) AS counted";

    private const string BegunAgain = """
        SELECT max(e.created_at) FROM run_events e JOIN runs r ON r.id = e.run_id WHERE e.type = 'run.started' AND r.attempt > 1 AND e.created_at > @killed GROUP BY e.run_id
        """;

    private const string Steps = "SELECT count(*) FROM run_events WHERE type = 'model.completed' AND created_at > @since";

    /// <summary>How many runs each worker has now.</summary>
    public const string Workers = "SELECT string_agg(concat(coalesce(worker, 'nobody'), ': ', runs), ', ') FROM (SELECT worker, count(*) AS runs FROM runs WHERE ended_at IS NULL GROUP BY worker) AS counted";

    /// <summary>Of the newest ends. The first quarter is left out: workers begin one after the other.</summary>
    private const string Rate = "SELECT CAST(count(*) AS double precision) * 1000000 / greatest(max(ended_at) - min(ended_at), 1) FROM (SELECT ended_at FROM runs ORDER BY ended_at DESC LIMIT @last) AS ends";

    public static async Task FillAsync(RootMasServer server, int runs, string team)
    {
        var request = HttpConnection.Post(server.Target.Address!, "/api/v1/chat", $$"""{"message":"go","team":"{{team}}"}""", HttpConnection.Fresh + "Prefer: wait=0\r\n", token: server.Target.Token);
        var left = runs;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            using var connection = new HttpConnection(server.Target.Address!);
            using var patience = new CancellationTokenSource();
            try
            {
                while (Interlocked.Decrement(ref left) >= 0)
                {
                    patience.CancelAfter(HttpConnection.Patience);
                    var status = await connection.SendAsync(request, cancellationToken: patience.Token);
                    if (status is not (200 or 202))
                    {
                        throw new InvalidOperationException($"a run was not accepted: {status}");
                    }
                }
            }
            catch (OperationCanceledException late)
            {
                throw new TimeoutException($"a run was not accepted within {HttpConnection.Patience.TotalSeconds:0} s", late);
            }
        })));
    }

    /// <summary>How many runs have not ended.</summary>
    public static async Task<long> OpenAsync(string connectionString)
    {
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand("SELECT count(*) FROM runs WHERE ended_at IS NULL", connection);
        return (long)(await ask.ExecuteScalarAsync())!;
    }

    public static async Task<string> AskAsync(string connectionString, string question)
    {
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand(question, connection);
        return await ask.ExecuteScalarAsync() as string ?? "none";
    }

    /// <summary>Milliseconds from the kill until each run that was begun again went on.</summary>
    public static async Task<List<double>> BegunAgainAsync(string connectionString, DateTimeOffset killed)
    {
        var since = Micros(killed);
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand(BegunAgain, connection);
        ask.Parameters.AddWithValue("killed", since);
        await using var rows = await ask.ExecuteReaderAsync();
        var gaps = new List<double>();
        while (await rows.ReadAsync())
        {
            gaps.Add((rows.GetInt64(0) - since) / 1_000.0);
        }

        return gaps;
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

    /// <summary>Until so many model calls were made, however slow the machine is.</summary>
    public static async Task UntilStepsAsync(string connectionString, DateTimeOffset since, int steps)
    {
        var began = Stopwatch.GetTimestamp();
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand(Steps, connection);
        ask.Parameters.AddWithValue("since", Micros(since));
        while ((long)(await ask.ExecuteScalarAsync())! < steps && Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(20))
        {
            await Task.Delay(10);
        }
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

    private static long Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
