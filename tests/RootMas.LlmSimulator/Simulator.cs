using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace RootMas.LlmSimulator;

/// <summary>
/// An OpenAI-compatible model server that answers from a script, with a counting tool server, search engines and web pages beside it.
/// <c>await using var sim = await Simulator.StartAsync(script)</c> in a test; <c>rootmas-llmsim</c> as a program.
/// </summary>
public sealed class Simulator : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly SimulatorState _state;

    private Simulator(WebApplication app, SimulatorState state)
    {
        _app = app;
        _state = state;
    }

    /// <summary><c>http://127.0.0.1:port</c>, without a slash at the end.</summary>
    public string BaseUrl => _state.BaseUrl;

    /// <summary>What clients call their base URL: <see cref="BaseUrl"/> + <c>/v1</c>.</summary>
    public string OpenAiUrl => BaseUrl + "/v1";

    /// <summary>Recorded requests to the model, oldest first.</summary>
    public IReadOnlyList<SimCall> Calls => _state.Calls.Calls;

    public SimStats Stats => _state.Calls.Stats();

    /// <summary>What the tool server has counted, by tool.</summary>
    public IReadOnlyDictionary<string, ToolCount> ToolCounts => _state.Tools.Counts();

    public static Task<Simulator> StartAsync(string script, string url = "http://127.0.0.1:0") => StartAsync(ScriptReader.Read(script), url);

    public static async Task<Simulator> StartAsync(SimScript? script = null, string url = "http://127.0.0.1:0")
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var address = new Uri(url);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.AllowSynchronousIO = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MaxResponseBufferSize = 256 * 1024;
            kestrel.Listen(IPAddress.Parse(address.Host == "localhost" ? "127.0.0.1" : address.Host), address.Port, o => o.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromMilliseconds(200));
        var app = builder.Build();
        var state = new SimulatorState(script ?? SimScript.Empty);
        SimulatorRoutes.Map(app, state);
        await app.StartAsync();
        state.BaseUrl = app.Urls.First();
        return new Simulator(app, state);
    }

    /// <summary>Replaces the script; counters of rules start again, recorded calls stay.</summary>
    public void Use(string script) => Use(ScriptReader.Read(script));

    public void Use(SimScript script) => _state.Use(script);

    public SimHold Hold(HoldSpec spec) => _state.Holds.Add(spec);

    /// <summary>Releases every hold.</summary>
    public void ReleaseAll() => _state.Holds.Release(null);

    /// <summary>Completes when at least <paramref name="calls"/> requests have arrived at the model.</summary>
    public Task WaitForCallsAsync(long calls, TimeSpan? atMost = null) => _state.Calls.WaitAsync(calls).WaitAsync(atMost ?? TimeSpan.FromMinutes(2));

    /// <summary>Forgets calls and counts, releases holds, starts the script's counters again.</summary>
    public void Reset() => _state.Reset();

    public Task WaitForShutdownAsync() => _app.WaitForShutdownAsync();

    public async ValueTask DisposeAsync()
    {
        _state.Holds.Release(null);
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
