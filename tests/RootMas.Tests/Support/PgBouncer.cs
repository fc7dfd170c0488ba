using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace RootMas.Tests.Support;

/// <summary>
/// A real PgBouncer from Debian's package in session mode, in front of a PostgreSQL server, on a free loopback port and in a folder of its own.
/// A shell stands between, as with <see cref="RedisServer"/>.
/// </summary>
public sealed class PgBouncer : IAsyncDisposable
{
    private const string Binary = "/usr/sbin/pgbouncer";
    private readonly string _folder = Directory.CreateTempSubdirectory("rootmas-pgbouncer-").FullName;
    private readonly Process _keeper;

    private PgBouncer(int server, string databases)
    {
        var settings = Path.Combine(_folder, "pgbouncer.ini");
        File.WriteAllText(settings, $"""
            [databases]
            {databases} = host=127.0.0.1 port={server.ToString(CultureInfo.InvariantCulture)} user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {Port.ToString(CultureInfo.InvariantCulture)}
            unix_socket_dir =
            auth_type = any
            pool_mode = session
            """);
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true };
        foreach (var argument in (string[])
            [
                "-c",
                """
                if [ "$(id -u)" = 0 ]; then chown -R postgres "$1"; as="-u postgres"; fi
                "$2" $as "$1/pgbouncer.ini" >"$1/log" 2>&1 &
                server=$!
                cat >/dev/null
                kill -KILL $server 2>/dev/null
                wait $server
                """,
                "sh", _folder, Binary,
            ])
        {
            start.ArgumentList.Add(argument);
        }

        _keeper = Process.Start(start)!;
    }

    /// <summary>Null: it can be started here. Else why not.</summary>
    public static string? Missing { get; } = PostgresServer.Missing ?? (File.Exists(Binary) ? null : "PgBouncer is not installed here: apt-get install pgbouncer");

    public int Port { get; } = ServerProcess.FreePort();

    /// <param name="databases">The name of the one that it leads to; *: all.</param>
    public static async Task<PgBouncer> StartAsync(PostgresServer server, string databases = "*")
    {
        var bouncer = new PgBouncer(server.Port, databases);
        await Wait.UntilAsync(static b => b.AnswersAsync(), bouncer, "PgBouncer did not start");
        return bouncer;
    }

    public async ValueTask DisposeAsync()
    {
        _keeper.StandardInput.Close();
        await _keeper.WaitForExitAsync();
        _keeper.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<bool> AnswersAsync()
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>Skipped by name where PgBouncer or PostgreSQL is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PgBouncerFactAttribute : FactAttribute
{
    public PgBouncerFactAttribute() => Skip = PgBouncer.Missing;
}
