using System.Net.Http.Headers;
using Polly;
using Polly.Retry;

namespace RootMas.Server.Tools.Outbound;

/// <summary>Three tries, from one second to twenty, with jitter. Only for calls that may be repeated: reading ones, and those that the other side takes once per key.</summary>
internal sealed class RetryPolicy
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);
    private readonly ResiliencePipeline<OutboundResponse> _pipeline;

    public RetryPolicy(TimeProvider clock) => _pipeline = new ResiliencePipelineBuilder<OutboundResponse> { TimeProvider = clock }
        .AddRetry(new RetryStrategyOptions<OutboundResponse>
        {
            MaxRetryAttempts = 2,
            Delay = TimeSpan.FromSeconds(1),
            MaxDelay = Longest,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            ShouldHandle = static arguments => ValueTask.FromResult(arguments.Outcome switch
            {
                { Exception: OutboundException { Failure: OutboundFailure.Unreachable or OutboundFailure.TimedOut } } => true,
                { Result: { Status: 429 or 502 or 503 or 504 } response } => response.RetryAfter is null || response.RetryAfter <= Longest, // who asks for longer is left alone
                _ => false,
            }),
            DelayGenerator = static arguments => ValueTask.FromResult(arguments.Outcome.Result?.RetryAfter),
        })
        .Build();

    public ValueTask<OutboundResponse> ExecuteAsync(Func<CancellationToken, Task<OutboundResponse>> send, CancellationToken cancellationToken) =>
        _pipeline.ExecuteAsync(static async (send, token) => await send(token), send, cancellationToken);
}

internal static class RetryDelay
{
    /// <summary>The header's delay, from either of its forms (RFC 9110 §10.2.3).</summary>
    public static TimeSpan? From(RetryConditionHeaderValue? header, TimeProvider clock)
    {
        var delay = header?.Delta ?? (header?.Date is { } date ? date - clock.GetUtcNow() : null);
        return delay is { } wait && wait < TimeSpan.Zero ? TimeSpan.Zero : delay;
    }
}
