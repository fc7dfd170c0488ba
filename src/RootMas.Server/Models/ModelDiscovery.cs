using System.Text.Json;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Models;

/// <summary>What asking a provider for its models showed.</summary>
/// <param name="ErrorClass">Null: it answered.</param>
internal sealed record ProviderProbe(IReadOnlyList<string> Ids, string? ErrorClass, double LatencyMs);

/// <summary>Asks providers which models they have (<c>GET /models</c>). Costs no tokens.</summary>
internal sealed class ModelDiscovery(ProviderTransport transport, OutboundPolicies outbound, TimeProvider clock)
{
    /// <param name="isGuess">Nobody said that there is such a server: that nobody listens is the answer, and not asked again. A start does not wait for it.</param>
    public async Task<ProviderProbe> ProbeAsync(ModelProvider provider, TimeSpan atMost, CancellationToken cancellationToken, bool isGuess = false)
    {
        var started = clock.GetTimestamp();
        using var timeout = new CancellationTokenSource(atMost, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var ids = await outbound.Get("discovery", provider.Name).ExecuteAsync(token => AskAsync(provider, token), isGuess ? JudgeGuess : Judge, both.Token);
            return new ProviderProbe(ids, null, Elapsed(started));
        }
        catch (OutboundUnavailableException e)
        {
            return new ProviderProbe([], e.IsTimeout ? "timeout" : "unreachable", Elapsed(started));
        }
        catch (EndpointException e)
        {
            return new ProviderProbe([], e.ErrorClass, Elapsed(started));
        }
        catch (Exception e) when (e is IOException or HttpRequestException or JsonException or InvalidOperationException)
        {
            return new ProviderProbe([], e is IOException or HttpRequestException ? "unreachable" : "invalid_answer", Elapsed(started));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new ProviderProbe([], "timeout", Elapsed(started));
        }
    }

    private async ValueTask<IReadOnlyList<string>> AskAsync(ModelProvider provider, CancellationToken cancellationToken)
    {
        var answer = await transport.ReadAsync(provider, HttpMethod.Get, "/models", body: null, cancellationToken);
        return answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Array
            ? [.. data.EnumerateArray().Select(IdOf).OfType<string>()]
            : [];
    }

    /// <summary>What an answer says is no failure: servers without a list say 404, and a refused key stays refused.</summary>
    private static OutboundVerdict Judge(IReadOnlyList<string>? ids, Exception? error) => error switch
    {
        null or JsonException or InvalidOperationException => OutboundVerdict.Answered, // the latter: text that is not valid Unicode
        EndpointException { IsTransient: false } => OutboundVerdict.Answered,
        EndpointException failure => OutboundVerdict.Again(failure.RetryAfter),
        _ => OutboundVerdict.Again(),
    };

    private static OutboundVerdict JudgeGuess(IReadOnlyList<string>? ids, Exception? error) =>
        error is EndpointException { Kind: FailureKind.Unreachable } ? OutboundVerdict.Answered : Judge(ids, error);

    private double Elapsed(long started) => clock.GetElapsedTime(started).TotalMilliseconds;

    private static string? IdOf(JsonElement model) =>
        model.ValueKind == JsonValueKind.Object && model.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String && id.GetString() is { Length: > 0 and <= 200 } text ? text : null;
}
