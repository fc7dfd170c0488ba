using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Tools;
using RootMas.Server.Tools.Outbound;
using RootMas.Server.Tools.Web;

namespace RootMas.Tests.Tools;

/// <summary>The tools as the server puts them together, with a name resolver of the test's own.</summary>
internal sealed class ToolBench : IDisposable
{
    private readonly Meters _meters = new();

    public ToolBench(OutboundOptions? outbound = null, ToolsOptions? tools = null, HostResolver? resolve = null, TimeProvider? clock = null)
    {
        Outbound = outbound ?? new OutboundOptions { Allow = ["127.0.0.1"] };
        var options = tools ?? new ToolsOptions();
        var metrics = new OutboundMetrics(_meters);
        var retry = new RetryPolicy(new OutboundPolicies(new ResilienceOptions { Http = Quick, Search = Quick }, TimeProvider.System));
        Http = new GuardedHttpClient(Outbound, new AddressPolicy(Outbound), resolve ?? ((host, _) => throw new System.Net.Sockets.SocketException(11001)), metrics, clock ?? TimeProvider.System);
        Clients = new ConfiguredHttpClients(Outbound, metrics, TimeProvider.System);
        Fetch = new FetchPageTool(Http, retry);
        Search = new WebSearchTool(options, Clients, retry);
        Request = new HttpRequestTool(options, Http, retry);
    }

    public OutboundOptions Outbound { get; }

    public GuardedHttpClient Http { get; }

    public ConfiguredHttpClients Clients { get; }

    public FetchPageTool Fetch { get; }

    public WebSearchTool Search { get; }

    public HttpRequestTool Request { get; }

    public static JsonElement Json(object value) => JsonSerializer.SerializeToElement(value);

    /// <summary>Checks the arguments as the engine does, then calls.</summary>
    public static async Task<ToolResult> RunAsync(Tool tool, object arguments, TimeProvider? clock = null, CancellationToken cancellationToken = default)
    {
        var json = Json(arguments);
        Assert.Empty(JsonSchemaValidator.Validate(tool.Definition.Schema, json));
        return await tool.InvokeAsync(Context(clock), json, cancellationToken);
    }

    public static async Task<ToolException> FailAsync(Tool tool, object arguments) => await Assert.ThrowsAsync<ToolException>(() => RunAsync(tool, arguments));

    public static HostResolver Names(params (string Host, string Address)[] names) => (host, _) =>
        Task.FromResult(names.Where(n => n.Host == host).Select(n => IPAddress.Parse(n.Address)).ToArray());

    public void Dispose()
    {
        Clients.Dispose();
        _meters.Dispose();
    }

    private static ToolContext Context(TimeProvider? clock) => new()
    {
        RunId = "run", RootRunId = "run", OwnerId = "owner", Agent = "researcher", Call = 3, IdempotencyKey = "run-3", Clock = clock ?? TimeProvider.System, Progress = static _ => { },
    };

    private sealed class Meters : IMeterFactory
    {
        private readonly List<Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            var meter = new Meter(options);
            _meters.Add(meter);
            return meter;
        }

        public void Dispose() => _meters.ForEach(static m => m.Dispose());
    }

    /// <summary>The usual waits, but short.</summary>
    private static OutboundSettings Quick => new() { Tries = 3, Base = TimeSpan.FromMilliseconds(1), Longest = TimeSpan.FromSeconds(20), Timeout = TimeSpan.FromMinutes(1), BreakAfter = 1_000 };
}

internal sealed class FixedClock(DateTimeOffset now) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => now;
}
