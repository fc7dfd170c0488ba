using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Tests.Support;

/// <summary>
/// A real PostgreSQL server from Debian's package, on a free loopback port and in a folder of its own. <see cref="SharedAsync"/> is one for the whole test run; a test that hurts its server starts its own.
/// A shell stands between: it stops the server by its process id, also when these tests are killed, because its input ends then.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    /// <remarks>Without autovacuum: it comes when it likes, and what a plan costs is then another question in one of a hundred runs (a table that a test emptied has no pages for a moment).</remarks>
    private static readonly Lazy<Task<PostgresServer>> Shared = new(() => StartAsync(settings: "autovacuum = off", inMemory: true));
    private static readonly SemaphoreSlim Making = new(1, 1);
    private static bool templateIsThere;

    private readonly string folder;
    private readonly string settings;
    private readonly IReadOnlyDictionary<string, string> environment;
    private Process keeper = null!;

    private PostgresServer(string folder, string settings, IReadOnlyDictionary<string, string>? environment)
    {
        this.environment = environment ?? new Dictionary<string, string>(StringComparer.Ordinal);
        this.folder = folder;
        this.settings = settings;
    }

    /// <summary>Null: it can be started here. Else why not.</summary>
    public static string? Missing { get; } = Look();

    public int Port { get; private set; } = ServerProcess.FreePort();

    public string Admin => Url("postgres");

    /// <summary>By copying files where there is a choice: through the log, as servers since 15 do it by themselves, it takes three times as long.</summary>
    private static string FromTemplate { get; } = " TEMPLATE rootmas_template" + (Missing is null && int.Parse(Binaries.Split('/')[^2], CultureInfo.InvariantCulture) >= 15 ? " STRATEGY = FILE_COPY" : "");

    private static string Binaries => Directory.GetDirectories("/usr/lib/postgresql").Select(static d => Path.Combine(d, "bin")).Where(static d => File.Exists(Path.Combine(d, "postgres"))).Order(StringComparer.Ordinal).Last();

    public static Task<PostgresServer> SharedAsync() => Shared.Value;

    /// <param name="durable">Commits survive a crash of the server.</param>
    /// <param name="settings">More lines of postgresql.conf.</param>
    /// <param name="environment">More of the server's environment.</param>
    /// <param name="inMemory">Its files lie in memory where there is room: making a database is making a thousand of them.</param>
    public static async Task<PostgresServer> StartAsync(bool durable = false, string settings = "", IReadOnlyDictionary<string, string>? environment = null, bool inMemory = false)
    {
        var place = (inMemory ? PlaceInMemory() : null) ?? Directory.CreateTempSubdirectory("rootmas-pg-").FullName;
        var server = new PostgresServer(place, $"""
            listen_addresses = '127.0.0.1'
            unix_socket_directories = ''
            max_connections = 400
            shared_buffers = 64MB
            fsync = {(durable ? "on" : "off")}
            full_page_writes = {(durable ? "on" : "off")}
            max_wal_size = 512MB
            {settings}
            """, environment);
        try
        {
            await RunAsync($"""
                chown -R "$as" "$folder" && run initdb -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions
                """, place);
            server.Port = ServerProcess.FreePort(); // anew: making the data folder takes long enough for others to take it
            await server.StartAgainAsync();
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) => server.Kill();
        return server;
    }

    /// <summary>A standby that follows this server, and may be read. It is disposed of first.</summary>
    public async Task<PostgresServer> StandbyAsync()
    {
        var standby = new PostgresServer(PlaceInMemory() ?? Directory.CreateTempSubdirectory("rootmas-pg-").FullName, settings, environment);
        try
        {
            await RunAsync($"""
                chown -R "$as" "$folder" && run pg_basebackup --host=127.0.0.1 --port={Port.ToString(CultureInfo.InvariantCulture)} --username=postgres --pgdata="$folder/data" --write-recovery-conf --wal-method=stream --checkpoint=fast --no-sync
                """, standby.folder);
            standby.Port = ServerProcess.FreePort();
            await standby.StartAgainAsync();
        }
        catch
        {
            await standby.DisposeAsync();
            throw;
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) => standby.Kill();
        return standby;
    }

    public string Url(string database) => $"postgres://postgres@127.0.0.1:{Port}/{database}";

    /// <summary>Starts it (again) on the same data and port, and waits until it answers.</summary>
    public async Task StartAgainAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(folder, "rootmas.conf"), settings);
        var start = Script("""
            run postgres -D "$folder/data" -c config_file="$folder/data/postgresql.conf" -p "$port" $(sed -n "s/^ *\([a-z_]*\) = \(.*\)$/-c \1=\2/p" "$folder/rootmas.conf" | tr -d "'" ) >"$folder/log" 2>&1 &
            server=$!
            cat >/dev/null
            kill -INT $server 2>/dev/null
            wait $server
            """, folder, Port);
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        keeper = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString("postgres"));
                await connection.OpenAsync(limit.Token);
                return;
            }
            catch (NpgsqlException) when (!limit.IsCancellationRequested && !keeper.HasExited)
            {
                await Task.Delay(30);
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"PostgreSQL did not start: {(File.Exists(Path.Combine(folder, "log")) ? await File.ReadAllTextAsync(Path.Combine(folder, "log")) : "no log")}", error);
            }
        }
    }

    /// <summary>A fast shutdown: connections are cut, nothing that was committed is lost.</summary>
    public async Task StopAsync()
    {
        keeper.StandardInput.Close();
        await keeper.WaitForExitAsync();
    }

    /// <summary>At once, whatever it does, also in the middle of its recovery, in which a fast shutdown may wait for ever; the next start recovers.</summary>
    public async Task CrashAsync()
    {
        if (File.Exists(Path.Combine(folder, "data", "postmaster.pid")))
        {
            await RunAsync($"kill -QUIT {PidOf()} 2>/dev/null || true", folder);
        }

        await StopAsync();
    }

    /// <summary>SIGSTOP and SIGCONT for the server's main process and all its sessions: it neither answers nor refuses.</summary>
    /// <remarks>A session may end between the look and the signal.</remarks>
    public Task PauseAsync(bool paused) => RunAsync($"kill -{(paused ? "STOP" : "CONT")} $(pgrep -P {PidOf()}) {PidOf()} 2>/dev/null || kill -0 {PidOf()}", folder);

    /// <summary>An empty database; with <paramref name="migrated"/> the program's own schema is in it.</summary>
    public async Task<string> NewDatabaseAsync(bool migrated)
    {
        var name = "t" + Guid.NewGuid().ToString("N");
        if (migrated)
        {
            await MakeTemplateAsync();
        }

        await ExecuteAsync($"CREATE DATABASE {name}{(migrated ? FromTemplate : "")}");
        return name;
    }

    /// <summary>A database of this name with the program's schema, unless it is there.</summary>
    public async Task EnsureDatabaseAsync(string name)
    {
        if (await ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = '{name}'", "postgres") == 0)
        {
            await MakeTemplateAsync();
            await ExecuteAsync($"CREATE DATABASE {name}{FromTemplate}");
        }
    }

    public Task DropAsync(string database) => ExecuteAsync($"DROP DATABASE IF EXISTS {database} WITH (FORCE)");

    public async Task ExecuteAsync(string sql, string database = "postgres")
    {
        await using var connection = new NpgsqlConnection(ConnectionString(database));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql, string database)
    {
        await using var connection = new NpgsqlConnection(ConnectionString(database));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        if (keeper is { HasExited: false })
        {
            await StopAsync();
        }

        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public string ConnectionString(string database) => OfUrl(Url(database));

    /// <summary>The same database as <see cref="Url"/> names.</summary>
    public static string OfUrl(string url) => new Uri(url) is var uri ? $"Host={uri.Host};Port={uri.Port.ToString(CultureInfo.InvariantCulture)};Username=postgres;Database={uri.AbsolutePath[1..]};Pooling=false;Timeout=10" : "";

    /// <summary>Null: there is no such place, or too little room. What killed processes left there goes.</summary>
    private static string? PlaceInMemory()
    {
        const string Memory = "/dev/shm", Prefix = "rootmas-pg-";
        if (!Directory.Exists(Memory) || new DriveInfo(Memory).AvailableFreeSpace < 4L << 30)
        {
            return null;
        }

        foreach (var left in Directory.GetDirectories(Memory, Prefix + "*").Where(static d => !Directory.Exists($"/proc/{d.Split('-')[2]}")))
        {
            Directory.Delete(left, recursive: true);
        }

        var place = Directory.CreateDirectory(Path.Combine(Memory, $"{Prefix}{Environment.ProcessId}-{Guid.NewGuid():N}")).FullName;
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return place;
    }

    private async Task MakeTemplateAsync()
    {
        await Making.WaitAsync();
        try
        {
            if (!ReferenceEquals(this, await SharedAsync()) || !templateIsThere)
            {
                await ExecuteAsync("DROP DATABASE IF EXISTS rootmas_template");
                await ExecuteAsync("CREATE DATABASE rootmas_template");
                var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = Url("rootmas_template") };
                await new PostgresMigrator(options, Migration.Embedded("postgres"), TimeProvider.System, NullLogger<PostgresMigrator>.Instance).MigrateAsync(CancellationToken.None);
                templateIsThere |= ReferenceEquals(this, await SharedAsync());
            }
        }
        finally
        {
            Making.Release();
        }
    }

    private int PidOf() => int.Parse(File.ReadLines(Path.Combine(folder, "data", "postmaster.pid")).First(), CultureInfo.InvariantCulture);

    private void Kill()
    {
        if (keeper is { HasExited: false })
        {
            keeper.StandardInput.Close();
            keeper.WaitForExit(10_000);
        }

        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string? Look() =>
        !Directory.Exists("/usr/lib/postgresql") || !Directory.GetDirectories("/usr/lib/postgresql").Any(static d => File.Exists(Path.Combine(d, "bin", "postgres")))
            ? "PostgreSQL is not installed here: apt-get install postgresql"
            : null;

    private static async Task RunAsync(string script, string place)
    {
        using var process = Process.Start(Script(script, place, 0))!;
        process.StandardInput.Close();
        var said = process.StandardOutput.ReadToEndAsync();
        var wrong = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{script}\n{await said}\n{await wrong}");
        }
    }

    /// <summary>PostgreSQL refuses to run as root, so root becomes the package's user.</summary>
    private static ProcessStartInfo Script(string script, string place, int port)
    {
        var text = new StringBuilder().AppendLine("""
            cd /
            if [ "$(id -u)" = 0 ]; then
              as=postgres
              run() { program=$1; shift; exec setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/$program" "$@"; }
            else
              as=$(id -un)
              run() { program=$1; shift; exec "$bin/$program" "$@"; }
            fi
            """).Append(script).ToString();
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, ArgumentList = { "-c", text.ReplaceLineEndings("\n") } };
        start.Environment["folder"] = place;
        start.Environment["bin"] = Binaries;
        start.Environment["port"] = port.ToString(CultureInfo.InvariantCulture);
        return start;
    }
}
