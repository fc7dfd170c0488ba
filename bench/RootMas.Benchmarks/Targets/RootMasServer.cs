using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace RootMas.Benchmarks.Targets;

internal enum ServerMode
{
    /// <summary>As shipped: everything on, every acknowledged step survives a power failure.</summary>
    Durable,

    /// <summary>The same path with what can be switched off switched off: commits survive the program's death but not the machine's, no telemetry.</summary>
    Bare,
}

/// <summary>How the program is started.</summary>
/// <param name="Name">As the tables call it.</param>
internal sealed record ServerPlan(string Name)
{
    public ServerMode Mode { get; init; } = ServerMode.Durable;

    /// <summary><c>serve</c> or <c>worker</c>.</summary>
    public string Command { get; init; } = "serve";

    /// <summary>Null: wherever there is room.</summary>
    public int? Core { get; init; } = Machine.TestedCore;

    public IReadOnlyList<(string Name, string Value)> Settings { get; init; } = [];

    /// <summary>Programs that do a part of its work, such as its database.</summary>
    public IReadOnlyList<Child> Beside { get; init; } = [];
}

/// <summary>The built program as a process, with the bench's own small catalog.</summary>
internal sealed class RootMasServer : IAsyncDisposable
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(30);

    // A bench asks more of one user than people do; the limits count all the same.
    private static readonly (string, string)[] Unlimited =
    [
        .. ((string[])["Requests", "Reads", "Address", "StaticFiles", "Health", "Login", "Frames"]).Select(static name => ($"ROOTMAS__Limits__{name}", "999999999/1s")),
        ("ROOTMAS__Limits__StreamsPerUser", "100000"),
        ("ROOTMAS__Limits__SocketsPerUser", "100000"),
        ("ROOTMAS__Runs__UnfinishedPerUser", "1000000"),
    ];

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private readonly List<string> _arguments;
    private readonly Dictionary<string, string> _environment;
    private readonly string _data;
    private readonly int? _core;

    private RootMasServer(ServerPlan plan, List<string> arguments, Dictionary<string, string> environment, string data, Uri address)
    {
        _data = data;
        _core = plan.Core;
        _arguments = arguments;
        _environment = environment;
        _http.BaseAddress = address;
        _http.DefaultRequestHeaders.CacheControl = new() { NoCache = true };
        Target = new Target(plan.Name, address, null) { Model = "one", Version = typeof(Server.ServerHost).Assembly.GetName().Version!.ToString(3), Beside = plan.Beside };
    }

    public Target Target { get; private set; }

    public HttpClient Http => _http;

    /// <summary>Of the last start: from the start of the process to the first ready answer.</summary>
    public TimeSpan TimeToReady { get; private set; }

    public static Task<RootMasServer> StartAsync(BenchContext context, ServerMode mode, string? name = null, params (string Name, string Value)[] settings) =>
        StartAsync(context, new ServerPlan(name ?? (mode == ServerMode.Durable ? "Root-MAS, all on" : "Root-MAS, bare")) { Mode = mode, Settings = settings });

    public static async Task<RootMasServer> StartAsync(BenchContext context, ServerPlan plan)
    {
        var folder = Path.Combine(context.Folder, plan.Name.Replace(", ", "-").Replace(' ', '-'));
        var config = Path.Combine(folder, "config");
        await BenchCatalog.WriteAsync(config, context.Model.Url);
        var address = new Uri($"http://127.0.0.1:{ReverseProxies.FreePort()}");
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["BENCH_KEY"] = "k" };
        if (plan.Mode == ServerMode.Bare)
        {
            environment["ROOTMAS__Database__Durability"] = "normal";
        }

        foreach (var (setting, value) in Unlimited.Concat(plan.Settings))
        {
            environment[setting] = value;
        }

        var program = Program(context.Options.Repository);
        var data = Path.Combine(folder, "data");
        var server = new RootMasServer(plan, [program, plan.Command, "--urls", address.GetLeftPart(UriPartial.Authority), "--data", data, "--config", config], environment, data, address);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>What <c>./rootmas serve</c> starts, as that script says; without it the plain build beside the bench.</summary>
    private static string Program(string repository) => Environment.GetEnvironmentVariable("ROOTMAS_BENCH_PROGRAM")
        ?? Path.Combine(repository, "src", "RootMas.Server", "bin", Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!, "net10.0", "rootmas.dll");

    /// <summary>Starts the process (again) on the same data, and waits until it is ready.</summary>
    public async Task StartAgainAsync()
    {
        var began = Stopwatch.GetTimestamp();
        var child = Child.Start("dotnet", _arguments, _core, _environment);
        while (!child.HasExited && Stopwatch.GetElapsedTime(began) < ReadyWithin)
        {
            try
            {
                using var ready = await _http.GetAsync("/health/ready");
                if (ready.IsSuccessStatusCode)
                {
                    TimeToReady = Stopwatch.GetElapsedTime(began);
                    var tokenFile = Path.Combine(_data, "local-token");
                    var token = File.Exists(tokenFile) ? (await File.ReadAllTextAsync(tokenFile)).Trim() : "";
                    _http.DefaultRequestHeaders.Authorization = new("Bearer", token);
                    Target = Target with { Process = child, Missing = null, Token = token };
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(2);
        }

        var log = child.Log;
        await child.DisposeAsync();
        Target = Target with { Process = null, Missing = $"did not become ready: {log}" };
    }

    public async Task KillAsync()
    {
        var process = Target.Process!;
        await process.SignalAsync(9);
        await process.DisposeAsync();
    }

    /// <summary>Lets it stand still: it keeps what it has and does nothing.</summary>
    public Task PauseAsync() => Target.Process!.SignalAsync(19);

    public Task GoOnAsync() => Target.Process!.SignalAsync(18);

    public byte[] Chat(string team, string message) =>
        Load.HttpConnection.Post(Target.Address!, "/api/v1/chat", $$"""{"message":"{{message}}","team":"{{team}}"}""", token: Target.Token);

    /// <summary>Starts a run and does not wait for it. Returns its id.</summary>
    public async Task<string> StartRunAsync(string team, string message)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message, team }) };
        request.Headers.Add("Prefer", "wait=0");
        using var response = await _http.SendAsync(request);
        var answer = await response.Content.ReadAsStringAsync();
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"starting a run: {(int)response.StatusCode} {answer}");
        }

        using var document = JsonDocument.Parse(answer);
        return document.RootElement.GetProperty("run_id").GetString()!;
    }

    public async Task CancelAsync(string run)
    {
        using var response = await _http.PostAsJsonAsync($"/api/v1/runs/{run}/cancel", new { });
    }

    public async Task<JsonElement> GetAsync(string path) => await _http.GetFromJsonAsync<JsonElement>(path);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (Target.Process is { } process)
        {
            await process.DisposeAsync();
        }
    }
}
