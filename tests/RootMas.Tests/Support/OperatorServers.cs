using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace RootMas.Tests.Support;

/// <summary>
/// A program of the operating system's, run by these tests on a port and in a folder of its own: Prometheus, Alertmanager. A shell stands between: it stops the program by its process id, also when these tests are killed, because its input ends then.
/// </summary>
internal sealed class OperatorServer : IAsyncDisposable
{
    private readonly Process _keeper;
    private readonly string _log;

    private OperatorServer(Process keeper, string log, int port)
    {
        (_keeper, _log, Port) = (keeper, log, port);
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(2) };
    }

    public int Port { get; }

    public HttpClient Http { get; }

    /// <summary>Null: the program is there.</summary>
    public static string? Missing(params string[] programs) =>
        programs.FirstOrDefault(static p => !File.Exists(p)) is { } none ? $"{none} is not installed here: apt-get install prometheus prometheus-alertmanager" : null;

    /// <summary>Starts it and waits until <paramref name="ready"/> answers 200.</summary>
    public static async Task<OperatorServer> StartAsync(string folder, string ready, int port, string program, params string[] arguments)
    {
        var log = Path.Combine(folder, Path.GetFileName(program) + ".log");
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true, ArgumentList = { "-c", "log=$1; shift; \"$@\" >\"$log\" 2>&1 & child=$!; cat >/dev/null; kill $child; wait $child", "sh", log, program } };
        Array.ForEach(arguments, start.ArgumentList.Add);
        var server = new OperatorServer(Process.Start(start)!, log, port);
        try
        {
            await Wait.UntilAsync(server.AnswersAsync, ready, $"{program} did not start");
        }
        catch (Exception e)
        {
            var said = File.Exists(log) ? await File.ReadAllTextAsync(log) : "no log";
            await server.DisposeAsync();
            throw new InvalidOperationException(said, e);
        }

        return server;
    }

    public string Log => File.ReadAllText(_log);

    /// <summary>Runs a program to its end; gives its exit code and all that it said.</summary>
    public static async Task<(int ExitCode, string Said)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        Array.ForEach(arguments, start.ArgumentList.Add);
        using var process = Process.Start(start)!;
        var (said, wrong) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await said + await wrong);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        _keeper.StandardInput.Close();
        await _keeper.WaitForExitAsync();
        _keeper.Dispose();
    }

    private async Task<bool> AnswersAsync(string path)
    {
        try
        {
            using var answer = await Http.GetAsync(path);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}

/// <summary>The receiving ends of Alertmanager: a webhook, and a mail server that takes everything.</summary>
internal sealed class AlertReceivers : IAsyncDisposable
{
    private readonly WebApplication _webhook;
    private readonly TcpListener _smtp = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<(string Alert, string Status)> _hooks = new();
    private readonly ConcurrentQueue<string> _mails = new();
    private Task _serving = Task.CompletedTask;

    private AlertReceivers(WebApplication webhook) => _webhook = webhook;

    public string WebhookUrl => _webhook.Urls.First() + "/rootmas";

    public int SmtpPort => ((IPEndPoint)_smtp.LocalEndpoint).Port;

    /// <summary>The credentials that the webhook saw last.</summary>
    public string? Authorization { get; private set; }

    public IReadOnlyList<(string Alert, string Status)> Hooks => [.. _hooks];

    public IReadOnlyList<string> Mails => [.. _mails];

    public static async Task<AlertReceivers> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static k => k.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRoutingCore();
        var receivers = new AlertReceivers(builder.Build());
        receivers._webhook.Run(receivers.HookAsync);
        await receivers._webhook.StartAsync();
        receivers._smtp.Start();
        receivers._serving = receivers.ServeMailAsync();
        return receivers;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _smtp.Stop();
        await _serving;
        await _webhook.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task HookAsync(HttpContext context)
    {
        Authorization = context.Request.Headers.Authorization;
        using var body = await JsonDocument.ParseAsync(context.Request.Body);
        foreach (var alert in body.RootElement.GetProperty("alerts").EnumerateArray())
        {
            _hooks.Enqueue((alert.GetProperty("labels").GetProperty("alertname").GetString()!, alert.GetProperty("status").GetString()!));
        }
    }

    private async Task ServeMailAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                open.Add(TakeMailAsync(await _smtp.AcceptTcpClientAsync(_stopping.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(open).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>As much of SMTP as a client needs that wants neither TLS nor a login.</summary>
    private async Task TakeMailAsync(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.UTF8);
            await SayAsync("220 test");
            while (await reader.ReadLineAsync(_stopping.Token) is { } line)
            {
                var verb = line.Split(' ')[0].ToUpperInvariant();
                if (verb == "DATA")
                {
                    await SayAsync("354 go on");
                    var mail = new StringBuilder();
                    while (await reader.ReadLineAsync(_stopping.Token) is { } text && text != ".")
                    {
                        mail.AppendLine(text);
                    }

                    _mails.Enqueue(mail.ToString());
                }

                await SayAsync(verb == "QUIT" ? "221 bye" : "250 ok");
                if (verb == "QUIT")
                {
                    return;
                }
            }

            async Task SayAsync(string line) => await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"), _stopping.Token);
        }
    }
}
