using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace RootMas.Tests.Support.Clusters;

/// <summary>HAProxy or nginx from Debian's package before several servers, on a free port. A shell stands between: it ends the program by its process id, also when these tests are killed, because its input ends then.</summary>
internal sealed class LoadBalancer : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rootmas-balancer-").FullName;
    private Process _keeper = null!;

    private LoadBalancer(int port) => Url = $"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";

    public string Url { get; }

    /// <summary>Null: one of them can be started here. Else why not.</summary>
    public static string? Missing { get; } = HasHaproxy || HasNginx ? null : "Neither HAProxy nor nginx is installed here: apt-get install haproxy";

    private static bool HasHaproxy => File.Exists("/usr/sbin/haproxy");

    private static bool HasNginx => File.Exists("/usr/sbin/nginx");

    public static async Task<LoadBalancer> StartAsync(IReadOnlyList<Uri> servers, bool nginx = false)
    {
        var port = ServerProcess.FreePort();
        var balancer = new LoadBalancer(port);
        nginx |= !HasHaproxy;
        var settings = Path.Combine(balancer._folder, "settings");
        await File.WriteAllTextAsync(settings, nginx ? balancer.Nginx(port, servers) : Haproxy(port, servers));
        string[] command = nginx ? ["/usr/sbin/nginx", "-p", balancer._folder, "-c", settings] : ["/usr/sbin/haproxy", "-db", "-f", settings];
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true };
        foreach (var argument in (string[])["-c", "exec 2>/dev/null; \"$@\" >out 2>&1 & server=$!; cat >/dev/null; kill -TERM $server 2>/dev/null; wait $server", "sh", .. command])
        {
            start.ArgumentList.Add(argument);
        }

        start.WorkingDirectory = balancer._folder;
        balancer._keeper = Process.Start(start)!;
        try
        {
            await Wait.UntilAsync(() => Listens(port));
            return balancer;
        }
        catch (Exception e)
        {
            var said = await File.ReadAllTextAsync(Path.Combine(balancer._folder, "out"));
            await balancer.DisposeAsync();
            throw new InvalidOperationException($"the load balancer did not start: {said}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _keeper.StandardInput.Close();
        await _keeper.WaitForExitAsync();
        _keeper.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A server gets requests while it says that it is ready. No client is bound to one. How long it may take to say so is not the time between two questions, which it would be by default: a busy machine would have no servers.</summary>
    private static string Haproxy(int port, IReadOnlyList<Uri> servers) => $"""
        global
          maxconn 4000
        defaults
          mode http
          timeout connect 2s
          timeout check 3s
          timeout client 180s
          timeout server 180s
          option redispatch
          retries 2
        frontend all
          bind 127.0.0.1:{port}
          default_backend servers
        backend servers
          balance roundrobin
          option httpchk
          http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host 127.0.0.1
          http-check expect status 200
          default-server inter 300ms fastinter 100ms fall 2 rise 1 check
        {string.Join('\n', servers.Select(static (s, i) => $"  server s{i} {s.Authority}"))}

        """.ReplaceLineEndings("\n");

    private string Nginx(int port, IReadOnlyList<Uri> servers) => $$"""
        daemon off;
        master_process off;
        pid {{_folder}}/pid;
        error_log {{_folder}}/log;
        events { worker_connections 4096; }
        http {
          access_log off;
          client_body_temp_path {{_folder}}/body; proxy_temp_path {{_folder}}/proxy; fastcgi_temp_path {{_folder}}/f; uwsgi_temp_path {{_folder}}/u; scgi_temp_path {{_folder}}/s;
          upstream servers {
        {{string.Join('\n', servers.Select(static s => $"    server {s.Authority} max_fails=1 fail_timeout=1s;"))}}
          }
          server {
            listen 127.0.0.1:{{port}};
            location / {
              proxy_pass http://servers;
              proxy_http_version 1.1;
              proxy_set_header Connection "";
              proxy_set_header Host 127.0.0.1;
              proxy_buffering off;
              proxy_read_timeout 180s;
              proxy_next_upstream error timeout http_503 non_idempotent;
            }
          }
        }

        """.ReplaceLineEndings("\n");

    private static bool Listens(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>A test of many real processes; skipped by name where one of the servers is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProcessesFactAttribute : FactAttribute
{
    public ProcessesFactAttribute() => Skip = Reason;

    internal static string? Reason => RabbitServer.Missing ?? RedisServer.Missing ?? LoadBalancer.Missing;
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProcessesTheoryAttribute : TheoryAttribute
{
    public ProcessesTheoryAttribute() => Skip = ProcessesFactAttribute.Reason;
}
