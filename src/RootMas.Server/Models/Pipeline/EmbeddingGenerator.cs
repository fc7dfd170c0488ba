using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Models.Budgets;
using RootMas.Server.Models.OpenAi;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// Vectors from the configured embedding model, in batches, through the same circuit and meter as chat. Every request writes its own ledger row; whose it is says a
/// <see cref="ModelCall"/> in <see cref="EmbeddingGenerationOptions.AdditionalProperties"/> under <see cref="ModelCall.Key"/>.
/// </summary>
internal sealed class EmbeddingGenerator(ModelRouter router, ProviderTransport transport, LedgerStore ledger, SpendGuard spend, TimeProvider clock) : IEmbeddingGenerator<string, Embedding<float>>
{
    private const int BatchSize = 96;

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var table = router.Current;
        var model = options?.ModelId ?? table.Catalog.Embedding?.Name
            ?? throw new ModelException("bad_request", "No model for embeddings is configured. Name one under 'embedding' in models.yaml.");
        var endpoint = table.Find(model) ?? throw new ModelException("bad_request", $"No model '{model}' is configured.");
        var call = options?.AdditionalProperties?.TryGetValue(ModelCall.Key, out var given) is true && given is ModelCall known
            ? known
            : new ModelCall { OwnerId = "system", Purpose = "embed", Tier = "fixed" };
        var result = new GeneratedEmbeddings<Embedding<float>>();
        var usage = TokenUsage.None;
        foreach (var batch in values.Chunk(BatchSize))
        {
            var (vectors, used) = await SendAsync(endpoint, call, batch, cancellationToken);
            usage += used;
            result.AddRange(vectors.Select(v => new Embedding<float>(v) { ModelId = endpoint.Model.Name, CreatedAt = clock.GetUtcNow() }));
        }

        result.Usage = new UsageDetails { InputTokenCount = usage.InputTokens, TotalTokenCount = usage.InputTokens };
        return result;
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        // Router and transport belong to the container.
    }

    private async Task<(float[][] Vectors, TokenUsage Usage)> SendAsync(ModelEndpoint endpoint, ModelCall call, string[] batch, CancellationToken cancellationToken)
    {
        SpendHold? hold = null;
        try
        {
            hold = await spend.EnterAsync(call, endpoint.Model, batch.Sum(TokenEstimate.Of), cancellationToken);
            return await endpoint.ExecuteAsync(token => OnceAsync(endpoint, call, batch, token), cancellationToken);
        }
        catch (EndpointException e)
        {
            throw CascadeFailure.Describe([(new Candidate("fixed", 0, endpoint), e)]);
        }
        finally
        {
            if (hold is not null)
            {
                await spend.LeaveAsync(hold);
            }
        }
    }

    private async ValueTask<(float[][] Vectors, TokenUsage Usage)> OnceAsync(ModelEndpoint endpoint, ModelCall call, string[] batch, CancellationToken cancellationToken)
    {
        var (started, createdAt) = (clock.GetTimestamp(), clock.GetUtcNow());
        using var timeout = new CancellationTokenSource(endpoint.Model.Provider.FirstTokenTimeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var outcome = "cancelled";
        TokenUsage? usage = null;
        var unbilled = false;
        try
        {
            using var response = await transport.SendAsync(endpoint.Model.Provider, HttpMethod.Post, "/embeddings", EmbeddingRequest.Write(endpoint.Model.Id, batch), both.Token);
            await using var body = await response.Content.ReadAsStreamAsync(both.Token);
            (var vectors, usage) = await EmbeddingRequest.ReadAsync(body, batch.Length, both.Token);
            outcome = "ok";
            return (vectors, usage ?? Counted(batch));
        }
        catch (EndpointException e)
        {
            (outcome, unbilled) = (e.ErrorClass, e.IsUnbilled || e.Kind == FailureKind.Unreachable);
            throw;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            outcome = "timeout";
            throw new EndpointException(FailureKind.Timeout, "No vectors in time.");
        }
        finally
        {
            var counted = usage ?? (unbilled ? TokenUsage.None : Counted(batch));
            await ledger.AppendAsync(Row(endpoint.Model, call, counted, outcome, usage is null && !unbilled, createdAt, clock.GetElapsedTime(started)), CancellationToken.None);
        }
    }

    private static TokenUsage Counted(string[] batch) => new(batch.Sum(TokenEstimate.Of), 0, 0);

    private static LedgerEntry Row(ModelSpec model, ModelCall call, TokenUsage usage, string outcome, bool estimated, DateTimeOffset createdAt, TimeSpan latency)
    {
        var cost = model.Price.CostOf(usage);
        ModelMetrics.Used(model, usage);
        call.Usage += usage;
        call.Cost += cost;
        var id = Guid.CreateVersion7(createdAt).ToString();
        call.LastRow = cost > Money.Zero ? id : call.LastRow;
        return new LedgerEntry
        {
            Id = id,
            RunId = call.RunId,
            RootRunId = call.RootRunId,
            OwnerId = call.OwnerId,
            Agent = call.Agent,
            Purpose = call.Purpose,
            Provider = model.Provider.Name,
            Model = model.Name,
            Tier = call.Tier,
            Usage = usage,
            Cost = cost,
            Outcome = outcome,
            Estimated = estimated,
            LatencyMs = latency.TotalMilliseconds,
            CreatedAt = createdAt,
        };
    }
}
