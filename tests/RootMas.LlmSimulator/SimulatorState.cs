namespace RootMas.LlmSimulator;

/// <summary>What the endpoints share.</summary>
internal sealed class SimulatorState(SimScript script)
{
    private volatile Rules _rules = new(script);

    public TimeProvider Clock { get; } = TimeProvider.System;

    public Rules Rules => _rules;

    public CallLog Calls { get; } = new();

    public Holds Holds { get; } = new();

    public ToolCounts Tools { get; } = new();

    public string BaseUrl { get; set; } = "";

    public long UnixSeconds => Clock.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Counters of rules start again; recorded calls stay.</summary>
    public void Use(SimScript script) => _rules = new Rules(script);

    public void Reset()
    {
        Holds.Release(null);
        Calls.Reset();
        Tools.Reset();
        Use(Rules.Script);
    }
}
