using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace RootMas.Benchmarks.Targets;

/// <summary>What only forwards: nginx, a bare .NET hop, and the Portkey gateway.</summary>
internal static class ReverseProxies
{
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static async Task<Target> NginxAsync(Uri upstream, string folder)
    {
        if (Child.Find("nginx") is not { } program)
        {
            return Target.Absent("nginx", "not installed (Debian package nginx-light)");
        }

        var port = FreePort();
        var root = Directory.CreateDirectory(Path.Combine(folder, "nginx")).FullName;
        await File.WriteAllTextAsync(Path.Combine(root, "nginx.conf"), $$"""
            daemon off; master_process off; pid {{root}}/nginx.pid; error_log stderr error; worker_rlimit_nofile 65536;
            events { worker_connections 16384; }
            http {
              access_log off; client_body_temp_path {{root}}/body; proxy_temp_path {{root}}/proxy; fastcgi_temp_path {{root}}/f; uwsgi_temp_path {{root}}/u; scgi_temp_path {{root}}/s;
              client_body_buffer_size 1m; client_max_body_size 16m; keepalive_requests 10000000;
              upstream model { server {{upstream.Authority}}; keepalive 1024; keepalive_requests 10000000; }
              server { listen 127.0.0.1:{{port}} backlog=4096; location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 600s; } }
            }
            """);
        var child = Child.Start(program, ["-p", root, "-c", Path.Combine(root, "nginx.conf")], Machine.TestedCore);
        var (_, version) = await Child.RunAsync(program, ["-v"], null, TimeSpan.FromSeconds(5));
        return await WhenReadyAsync(new Target("nginx", new Uri($"http://127.0.0.1:{port}"), child) { Version = version.Trim() }, "/health");
    }

    public static async Task<Target> HopAsync(Uri upstream)
    {
        var child = Child.Start("dotnet", [Environment.GetCommandLineArgs()[0], "hop", "--upstream", upstream.ToString()], Machine.TestedCore, readsLines: true);
        var url = await child.ReadLineAsync(TimeSpan.FromSeconds(20));
        return url is null
            ? Target.Absent("bare .NET hop", child.Log)
            : await WhenReadyAsync(new Target("bare .NET hop", new Uri(url), child) { Version = Environment.Version.ToString() }, "/health");
    }

    public static async Task<Target> PortkeyAsync(Uri upstream, Peers peers)
    {
        var installed = await peers.InstallAsync("portkey");
        if (installed.Problem is not null)
        {
            return Target.Absent("Portkey", installed.Problem);
        }

        var port = FreePort();
        var child = Child.Start(
            "node",
            [Path.Combine(installed.Folder, "node_modules/@portkey-ai/gateway/build/start-server.js"), $"--port={port}", "--headless"],
            Machine.TestedCore,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_ENV"] = "production", ["TRUSTED_CUSTOM_HOSTS"] = "127.0.0.1,localhost" });
        return await WhenReadyAsync(
            new Target("Portkey", new Uri($"http://127.0.0.1:{port}"), child)
            {
                Headers = $"x-portkey-provider: openai\r\nx-portkey-custom-host: {upstream.GetLeftPart(UriPartial.Authority)}/v1\r\n",
                Version = installed.Versions,
            },
            "/");
    }

    /// <summary>The target once it answers, or an absent one with its last words.</summary>
    public static async Task<Target> WhenReadyAsync(Target target, string path)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(30) && !target.Process!.HasExited)
        {
            try
            {
                using var response = await http.GetAsync(new Uri(target.Address!, path));
                return target;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(20);
            }
        }

        var log = target.Process!.Log;
        await target.Process.DisposeAsync();
        return Target.Absent(target.Name, $"did not start: {log}");
    }
}
