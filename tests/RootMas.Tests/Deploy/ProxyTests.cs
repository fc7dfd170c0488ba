using System.Diagnostics;
using System.Globalization;
using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>The proxy of the compose files, really run in front of a real server.</summary>
public sealed class ProxyTests
{
    private static readonly string Settings = Repository.PathOf("deploy", "compose", "Caddyfile");

    [InstalledFact("caddy")]
    public async Task It_speaks_https_passes_requests_on_and_keeps_figures_inside()
    {
        using var home = new TempFolder();
        await using var server = await ServerProcess.StartAsync(new ServerSettings
        {
            Config = Repository.PathOf("config"),
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["ROOTMAS__Server__TrustedProxies__0"] = "127.0.0.1" },
        });
        var (http, https, health) = (ServerProcess.FreePort(), ServerProcess.FreePort(), ServerProcess.FreePort());
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["HOME"] = home.Path, ["XDG_DATA_HOME"] = home.Path, ["XDG_CONFIG_HOME"] = home.Path, ["ROOTMAS_DOMAIN"] = "localhost",
            ["CADDY_HTTP_PORT"] = Text(http), ["CADDY_HTTPS_PORT"] = Text(https), ["CADDY_HEALTH_PORT"] = Text(health),
            ["ROOTMAS_UPSTREAM"] = "127.0.0.1", ["ROOTMAS_UPSTREAM_PORT"] = Text(new Uri(server.BaseUrl).Port),
        };
        Assert.Equal(File.ReadAllText(Settings), await Shell.DoAsync("caddy", ["fmt", Settings], environment));

        using var caddy = Start(environment);
        try
        {
#pragma warning disable CA5359 // the proxy made its certificate itself a moment ago, in a folder of the test
            using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true } };
#pragma warning restore CA5359
            using var client = new HttpClient(handler);
            async Task<bool> SpeaksAsync(Uri address)
            {
                try
                {
                    using var answer = await client.GetAsync(address);
                    return answer.StatusCode == HttpStatusCode.OK;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            }

            await Wait.UntilAsync(() => caddy.HasExited || Answers(health));
            Assert.False(caddy.HasExited);

            // It answers for its own health a moment before it has made its certificate.
            await Wait.UntilAsync(SpeaksAsync, new Uri($"https://localhost:{https}/health/ready"), "The proxy made no certificate");
            using var ready = await client.GetAsync(new Uri($"https://localhost:{https}/health/ready"));
            Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
            Assert.Single(ready.Headers.GetValues("Strict-Transport-Security"));
            foreach (var path in (string[])["/metrics", "/metrics/", "/METRICS", "/Metrics/", "/%6Detrics"])
            {
                using var figures = await client.GetAsync(new Uri($"https://localhost:{https}{path}"));
                Assert.True(figures.StatusCode == HttpStatusCode.NotFound, $"{path}: {figures.StatusCode}");
            }

            using var redirected = await client.GetAsync(new Uri($"http://localhost:{http}/health"));
            Assert.Equal("https", redirected.Headers.Location?.Scheme);
        }
        finally
        {
            caddy.Kill();
            await caddy.WaitForExitAsync();
        }
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    private static Process Start(Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(InstalledFactAttribute.Find("caddy")!, ["run", "--adapter", "caddyfile", "--config", Settings]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static bool Answers(int port)
    {
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }
}
