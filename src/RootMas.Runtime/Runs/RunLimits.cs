namespace RootMas.Runtime.Runs;

/// <summary>Guards, counted over the root's whole tree. Zero or less: no limit (tokens and cost only).</summary>
public sealed record RunLimits
{
    /// <summary>Model calls and tool batches. Default 200.</summary>
    public int MaxSteps { get; init; } = 200;

    /// <summary>Child runs. Default 64.</summary>
    public int MaxChildren { get; init; } = 64;

    /// <summary>Depth of delegation below the root. Default 4.</summary>
    public int MaxDepth { get; init; } = 4;

    /// <summary>Input plus output tokens. Default 2,000,000.</summary>
    public long MaxTokens { get; init; } = 2_000_000;

    /// <summary>Micro-dollars. Default 5 USD.</summary>
    public long MaxCostMicroUsd { get; init; } = 5_000_000;

    /// <summary>Seconds in which the root or any run below it is worked on: neither while all of them wait for people or for a worker, nor while no worker runs. Default 3,600.</summary>
    public int MaxWallSeconds { get; init; } = 3600;
}
