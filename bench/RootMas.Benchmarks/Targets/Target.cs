using RootMas.Benchmarks.Load;

namespace RootMas.Benchmarks.Targets;

/// <summary>Something that is measured behind an HTTP address. <see cref="Missing"/> says why it could not be started; its rows then show that.</summary>
internal sealed record Target(string Name, Uri? Address, Child? Process)
{
    /// <summary>Path of its OpenAI-compatible chat completions.</summary>
    public string Path { get; init; } = "/v1/chat/completions";

    /// <summary>Header lines, each with its line end.</summary>
    public string Headers { get; init; } = "";

    /// <summary>What it wants to see as a bearer token.</summary>
    public string Token { get; init; } = "k";

    public string Model { get; init; } = "sim-standard";

    public string? Missing { get; init; }

    /// <summary>Something that this machine does not have: a row with its reason, and no failure.</summary>
    public bool IsAbsent { get; init; }

    /// <summary>Programs that do a part of its work: database, Redis, broker.</summary>
    public IReadOnlyList<Child> Beside { get; init; } = [];

    /// <summary>Processor time so far, that of the programs beside it included.</summary>
    public TimeSpan Cpu => Process!.Cpu + (Beside.Count == 0 ? TimeSpan.Zero : ProcessTree.CpuOf(Beside.Select(static c => c.Pid)));

    public string Version { get; init; } = "";

    public static Target Absent(string name, string reason) => new(name, null, null) { Missing = reason, IsAbsent = true };

    public byte[] Completion(string prompt, bool stream = false) => HttpConnection.Post(
        Address!,
        Path,
        $$"""{"model":"{{Model}}","stream":{{(stream ? "true" : "false")}},"messages":[{"role":"user","content":"{{prompt}}"}]}""",
        HttpConnection.Fresh + Headers,
        stream ? "text/event-stream" : "application/json",
        Token);

    public long Memory => Process!.Memory;

    /// <summary>What it has for itself, without garbage.</summary>
    public Task<long> SettledMemoryAsync() => SettledAsync(() => Memory);

    /// <summary>The same when it has had time to notice that nothing more comes.</summary>
    public async Task<long> QuietMemoryAsync()
    {
        await Task.Delay(TimeSpan.FromSeconds(12));
        return await SettledMemoryAsync();
    }

    /// <summary>All that is in memory of it, without garbage.</summary>
    public Task<long> SettledResidentAsync() => SettledAsync(() => Process!.Resident);

    /// <summary>A figure of memory once it has stopped moving.</summary>
    private async Task<long> SettledAsync(Func<long> read)
    {
        await Process!.CollectGarbageAsync();
        await Process.CollectGarbageAsync();
        var last = read();
        for (var i = 0; i < 10; i++)
        {
            await Task.Delay(200);
            var now = read();
            if (Math.Abs(now - last) < 256 * 1024)
            {
                return now;
            }

            last = now;
        }

        return last;
    }
}
