
namespace RootMas.Benchmarks.Targets;

/// <summary>A PostgreSQL of its own, if the machine has the programs.</summary>
internal sealed class Postgres : IAsyncDisposable
{
    private readonly Child? _child;

    private Postgres(Child? child, string? url, string? missing)
    {
        _child = child;
        Url = url;
        Missing = missing;
    }

    public string? Url { get; }

    /// <summary>Its first process; each connection has one under it.</summary>
    public Child? Process => _child;

    /// <summary>A database of that name, made now. The server must be there.</summary>
    public async Task<(string Url, string ConnectionString)> MakeDatabaseAsync(string name)
    {
        var port = new Uri(Url!).Port;
        string Connection(string database) => $"Host=127.0.0.1;Port={port};Username=bench;Database={database}";
        await using var connection = new Npgsql.NpgsqlConnection(Connection("postgres"));
        await connection.OpenAsync();
        await using var make = new Npgsql.NpgsqlCommand($"CREATE DATABASE {name}", connection);
        await make.ExecuteNonQueryAsync();
        return ($"postgresql://bench@127.0.0.1:{port}/{name}", Connection(name));
    }

    /// <summary>Bytes on disk, after a checkpoint.</summary>
    public static async Task<long> SizeAsync(string connectionString)
    {
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var ask = new Npgsql.NpgsqlCommand("CHECKPOINT; SELECT pg_database_size(current_database())", connection);
        return (long)(await ask.ExecuteScalarAsync())!;
    }

    public string? Missing { get; }

    public static async Task<Postgres> StartAsync(string folder, int? core = Machine.TestedCore)
    {
        var bin = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).LastOrDefault() : null;
        var programs = bin is null ? Path.GetDirectoryName(Child.Find("initdb")) : Path.Combine(bin, "bin");
        if (programs is null || !File.Exists(Path.Combine(programs, "initdb")))
        {
            return new Postgres(null, null, "PostgreSQL is not installed");
        }

        // It refuses to run as root; Debian's package made a user for it.
        var asRoot = OperatingSystem.IsLinux() && Environment.UserName == "root";
        var data = Path.Combine(folder, "postgres");
        Directory.CreateDirectory(data);
        string[] prefix = asRoot ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : [];
        string Program(string name) => asRoot ? "setpriv" : Path.Combine(programs, name);
        string[] Arguments(string name, params string[] rest) => asRoot ? [.. prefix, Path.Combine(programs, name), .. rest] : rest;
        if (asRoot)
        {
            _ = await Child.RunAsync("chown", ["-R", "postgres", folder], null, TimeSpan.FromSeconds(10));
        }

        var (exit, output) = await Child.RunAsync(Program("initdb"), Arguments("initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-sync"), null, TimeSpan.FromMinutes(1));
        if (exit != 0)
        {
            return new Postgres(null, null, $"initdb failed: {output}");
        }

        var port = ReverseProxies.FreePort();
        var child = Child.Start(Program("postgres"), Arguments("postgres", "-D", data, "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-k", data), core);
        for (var i = 0; i < 100; i++)
        {
            var (ready, _) = await Child.RunAsync(Path.Combine(programs, "pg_isready"), ["-h", "127.0.0.1", "-p", $"{port}", "-q"], null, TimeSpan.FromSeconds(5));
            if (ready == 0)
            {
                return new Postgres(child, $"postgresql://bench@127.0.0.1:{port}/postgres", null);
            }

            await Task.Delay(100);
        }

        var log = child.Log;
        await child.DisposeAsync();
        return new Postgres(null, null, $"did not start: {log}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_child is not null)
        {
            // Immediate shutdown: its children end with it.
            await _child.SignalAsync(3);
            await _child.EndedAsync(TimeSpan.FromSeconds(10));
            await _child.DisposeAsync();
        }
    }
}
