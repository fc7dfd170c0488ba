using Microsoft.Extensions.AI;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace RootMas.Server.Models.Pipeline;

/// <summary>One model at one provider with everything that is remembered about it: circuit, open requests, last failure.</summary>
internal sealed class ModelEndpoint : IDisposable
{
    private readonly LedgerStore _ledger;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _room;
    private readonly CircuitBreakerStateProvider _circuitState = new();
    private readonly ResiliencePipeline _circuit;
    private readonly ResiliencePipeline _requests;
    private long _opened;

    public ModelEndpoint(ModelSpec model, IChatClient client, LedgerStore ledger, TimeProvider clock)
    {
        Model = model;
        Client = client;
        _ledger = ledger;
        _clock = clock;
        _room = new SemaphoreSlim(model.Provider.MaxConcurrency, model.Provider.MaxConcurrency);
        _circuit = new ResiliencePipelineBuilder { TimeProvider = clock }.AddCircuitBreaker(CircuitOptions(model.Provider)).Build();
        var requests = new ResiliencePipelineBuilder { TimeProvider = clock };
        if (model.Provider.Attempts > 1)
        {
            requests.AddRetry(RetryOptions(model.Provider));
        }

        _requests = requests.AddPipeline(_circuit).Build();
    }

    public ModelSpec Model { get; }

    public IChatClient Client { get; }

    public EndpointHealth Health { get; } = new();

    /// <summary>closed, open, half_open: as Polly says.</summary>
    public string Circuit => _circuitState.CircuitState switch
    {
        CircuitState.Open or CircuitState.Isolated => "open",
        CircuitState.HalfOpen => "half_open",
        _ => "closed",
    };

    /// <summary>Polly calls a circuit open until somebody asks again, even when it is long due for a try; this says whether a request would be refused.</summary>
    public bool Refuses => _circuitState.CircuitState is CircuitState.Open or CircuitState.Isolated && _clock.GetElapsedTime(Volatile.Read(ref _opened)) < Model.Provider.BreakDuration;

    /// <summary>
    /// Sends the request, again if need be, and returns it once its first token is there. Every failed request has its durable ledger row before the next one leaves.
    /// The attempt must be disposed; only then is its place free again.
    /// </summary>
    /// <exception cref="EndpointException">It will not be answered here.</exception>
    public async ValueTask<ModelAttempt> OpenAsync(AttemptRequest request, CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken);
        try
        {
            return await _requests.ExecuteAsync(static (state, token) => state.Endpoint.StartAsync(state.Request, token), (Endpoint: this, Request: request), cancellationToken);
        }
        catch (BrokenCircuitException e)
        {
            Release();
            throw Broken(e);
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>The same for a request whose answer comes as a whole.</summary>
    /// <exception cref="EndpointException">It will not be answered here.</exception>
    public async ValueTask<T> ExecuteAsync<T>(Func<CancellationToken, ValueTask<T>> request, CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken);
        try
        {
            return await _requests.ExecuteAsync(request, cancellationToken);
        }
        catch (BrokenCircuitException e)
        {
            throw Broken(e);
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Tells the circuit of a failure after the first token.</summary>
    public async ValueTask ReportAsync(EndpointException failure, CancellationToken cancellationToken)
    {
        Health.Failed(failure.ErrorClass, _clock.GetUtcNow());
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        _ = await _circuit.ExecuteOutcomeAsync(static (_, e) => Outcome.FromExceptionAsValueTask<bool>(e), context, failure);
        ResilienceContextPool.Shared.Return(context);
    }

    public void Release() => _room.Release();

    public void Dispose() => _room.Dispose();

    private static EndpointException Broken(BrokenCircuitException e) => new(FailureKind.CircuitOpen, "Too many failures; not asked for a while.", e.RetryAfter, e);

    private async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (!await _room.WaitAsync(Model.Provider.FirstTokenTimeout, cancellationToken))
        {
            throw new EndpointException(FailureKind.RateLimited, $"All {Model.Provider.MaxConcurrency} places at this endpoint are taken.");
        }
    }

    private async ValueTask<ModelAttempt> StartAsync(AttemptRequest request, CancellationToken cancellationToken)
    {
        var attempt = new ModelAttempt(this, request, _clock, cancellationToken);
        try
        {
            attempt.HasFirst = await attempt.MoveNextAsync();
            Health.Answered(attempt.TtftMs ?? 0, _clock.GetUtcNow());
            return attempt;
        }
        catch (EndpointException e)
        {
            Health.Failed(e.ErrorClass, _clock.GetUtcNow());
            request.Call.FailedAttempts.Add($"{Model.Name}: {e.ErrorClass}");
            await AbandonAsync(attempt, e.ErrorClass, e.IsUnbilled || NeverLeft(e));
            throw;
        }
        catch (OperationCanceledException)
        {
            await AbandonAsync(attempt, "cancelled", unbilled: false);
            throw;
        }
    }

    /// <summary>Before the first token, unreachable means that nobody was there to read the request, or that they hung up on it.</summary>
    private static bool NeverLeft(EndpointException failure) => failure.Kind == FailureKind.Unreachable;

    private async Task AbandonAsync(ModelAttempt attempt, string outcome, bool unbilled)
    {
        await attempt.CloseAsync();
        await _ledger.AppendAsync(attempt.Settle(outcome, unbilled), CancellationToken.None);
    }

    private CircuitBreakerStrategyOptions CircuitOptions(ModelProvider provider) => new()
    {
        FailureRatio = 0.5,
        MinimumThroughput = 5,
        SamplingDuration = TimeSpan.FromSeconds(30),
        BreakDuration = provider.BreakDuration,
        StateProvider = _circuitState,
        OnOpened = _ =>
        {
            Volatile.Write(ref _opened, _clock.GetTimestamp());
            return default;
        },
        ShouldHandle = static args => new ValueTask<bool>(args.Outcome.Exception is EndpointException { IsTransient: true }),
    };

    private static RetryStrategyOptions RetryOptions(ModelProvider provider) => new()
    {
        MaxRetryAttempts = provider.Attempts - 1,
        Delay = provider.RetryDelay,
        MaxDelay = provider.MaxRetryDelay,
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        // A time-out has already cost the user a minute: the next model is asked instead.
        ShouldHandle = args => new ValueTask<bool>(
            args.Outcome.Exception is EndpointException { Kind: FailureKind.Unreachable or FailureKind.RateLimited or FailureKind.ServerError } e &&
            (e.RetryAfter ?? TimeSpan.Zero) <= provider.MaxRetryDelay),
        DelayGenerator = static args => new ValueTask<TimeSpan?>((args.Outcome.Exception as EndpointException)?.RetryAfter),
    };
}
