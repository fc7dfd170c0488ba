using System.Net.Http.Headers;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Tools.Outbound;

/// <summary>Tools' calls under the policies <c>http</c> and <c>search</c>, with a circuit per origin. Only calls that may be repeated are: reading ones, and those that the other side takes once per key.</summary>
internal sealed class RetryPolicy(OutboundPolicies policies)
{
    public const string Web = "http";
    public const string Search = "search";

    /// <summary>Sends it until there is an answer or the policy gives up.</summary>
    public Task<OutboundResponse> ExecuteAsync(string client, Uri url, Func<CancellationToken, Task<OutboundResponse>> send, CancellationToken cancellationToken) =>
        ExplainAsync(Of(client, url).ExecuteAsync(async token => await send(token), Judge, cancellationToken), url);

    /// <summary>Sends it once: nobody knows whether a call that failed was received.</summary>
    public Task<OutboundResponse> ExecuteOnceAsync(string client, Uri url, Func<CancellationToken, Task<OutboundResponse>> send, CancellationToken cancellationToken) =>
        ExplainAsync(Of(client, url).ExecuteOnceAsync(async token => await send(token), Judge, cancellationToken), url);

    private OutboundPolicy Of(string client, Uri url) => policies.Get(client, OutboundUrl.Origin(url));

    private static OutboundVerdict Judge(OutboundResponse? response, Exception? error) => error switch
    {
        OutboundException { Failure: OutboundFailure.Unreachable or OutboundFailure.TimedOut } or OutboundUnavailableException => OutboundVerdict.Again(),
        null when response is { Status: 429 or 502 or 503 or 504 } => OutboundVerdict.Again(response.RetryAfter),
        _ => OutboundVerdict.Answered,
    };

    private static async Task<OutboundResponse> ExplainAsync(ValueTask<OutboundResponse> call, Uri url)
    {
        try
        {
            return await call;
        }
        catch (OutboundUnavailableException late) when (late.IsTimeout)
        {
            throw new OutboundException(OutboundFailure.TimedOut, $"{url.Host} did not answer in time.", sent: true, late);
        }
        catch (OutboundUnavailableException broken)
        {
            throw new OutboundException(OutboundFailure.Unreachable, $"{url.Host} failed too often and is left alone for {Math.Max(1, Math.Ceiling(broken.RetryAfter?.TotalSeconds ?? 1)):0} s.", inner: broken);
        }
    }
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
