using RootMas.LlmSimulator;

namespace RootMas.Benchmarks.Targets;

/// <summary>The model: our simulator as a process of its own beside the load, with the scripts of the cases.</summary>
internal sealed class ModelServer : IAsyncDisposable
{
    private readonly Child _child;
    private readonly HttpClient _http;

    private ModelServer(Child child, string url)
    {
        _child = child;
        Url = url;
        _http = new HttpClient { BaseAddress = new Uri(url) };
    }

    public const string Text = "Simulated answer.";

    public string Url { get; }

    public Uri Address => new(Url);

    public Target Direct => new("direct", Address, _child);

    /// <param name="core">Null: wherever there is room.</param>
    public static async Task<ModelServer> StartAsync(int? core = Machine.LoadCore)
    {
        var program = typeof(Simulator).Assembly.Location;
        var child = Child.Start("dotnet", [program], core, readsLines: true);
        var url = await child.ReadLineAsync(TimeSpan.FromSeconds(20)) ?? throw new InvalidOperationException($"the simulator did not start: {child.Log}");
        return new ModelServer(child, url);
    }

    /// <summary>Replaces the script; it records totals only.</summary>
    public async Task UseAsync(string script)
    {
        using var response = await _http.PutAsync("/_sim/script", new StringContent(script));
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException(await response.Content.ReadAsStringAsync());
        }

        using var reset = await _http.PostAsync("/_sim/reset", null);
    }

    public Task InstantAsync() => UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{Text}\"}}}}");

    public Task<string> GetAsync(string path) => _http.GetStringAsync(path);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _child.DisposeAsync();
    }
}
