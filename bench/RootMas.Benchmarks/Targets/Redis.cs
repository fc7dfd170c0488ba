namespace RootMas.Benchmarks.Targets;

/// <summary>A Redis of its own, in memory only, if the machine has the program.</summary>
internal sealed class Redis : IAsyncDisposable
{
    private readonly Child? _child;

    private Redis(Child? child, string? connectionString, string? missing)
    {
        _child = child;
        ConnectionString = connectionString;
        Missing = missing;
    }

    public string? ConnectionString { get; }

    public Child? Process => _child;

    public string? Missing { get; }

    public static async Task<Redis> StartAsync(string folder)
    {
        if (Child.Find("redis-server") is not { } program)
        {
            return new Redis(null, null, "Redis is not installed");
        }

        Directory.CreateDirectory(folder);
        var port = ReverseProxies.FreePort();
        var child = Child.Start(program, ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder], core: null);
        if (await Listening.AnswersAsync(port, child, TimeSpan.FromSeconds(20)))
        {
            return new Redis(child, $"127.0.0.1:{port}", null);
        }

        var log = child.Log;
        await child.DisposeAsync();
        return new Redis(null, null, $"did not start: {log}");
    }

    public ValueTask DisposeAsync() => _child?.DisposeAsync() ?? ValueTask.CompletedTask;
}
