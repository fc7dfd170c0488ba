using Microsoft.Extensions.AI;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Models.Pipeline;

/// <summary>One model at one provider with everything that is remembered about it: circuit, open requests, last failure.</summary>
internal sealed class ModelEndpoint : IDisposable
{
    private const string Outbound = "model";

    private readonly LedgerStore _ledger;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _room;
    private readonly CircuitBreakerStateProvider _circuitState = new();
    private readonly ResiliencePipeline _circuit;
    private readonly ResiliencePipeline _requests;
    private readonly OutboundTraffic _traffic;
    private readonly TimeSpan _breakFor;
    private long _opened;
    private int _mostOutput = int.MaxValue;

    public ModelEndpoint(ModelSpec model, IChatClient client, LedgerStore ledger, TimeProvider clock, OutboundPolicies outbound)
    {
        var settings = Settings(outbound.SettingsOf(Outbound), model.Provider);
        (_traffic, _breakFor) = (outbound.Traffic, settings.BreakFor);
        if (model.Provider.Kind != ProviderKind.Offline)
        {
            outbound.Watch(Outbound, model.Name, () => Circuit);
        }

        Model = model;
        Client = client;
        _ledger = ledger;
        _clock = clock;
        _room = new SemaphoreSlim(model.Provider.MaxConcurrency, model.Provider.MaxConcurrency);
        _circuit = new ResiliencePipelineBuilder { TimeProvider = clock }.AddCircuitBreaker(CircuitOptions(settings)).Build();
        var requests = new ResiliencePipelineBuilder { TimeProvider = clock };
        if (settings.Tries > 1)
        {
            requests.AddRetry(RetryOptions(settings));
        }

        _requests = requests.AddPipeline(_circuit).Build();
    }

    public ModelSpec Model { get; }

    public IChatClient Client { get; }

    public EndpointHealth Health { get; } = new();

    /// <summary>The largest limit of an answer that it is sent where the caller named none: it refused larger ones.</summary>
    public int MostOutput => Volatile.Read(ref _mostOutput);

    /// <summary>closed, open, half_open: half open also when the next request is the try, which Polly says only once somebody asks.</summary>
    public string Circuit => _circuitState.CircuitState switch
    {
        CircuitState.Open or CircuitState.Isolated when Refuses => "open",
        CircuitState.Open or CircuitState.Isolated or CircuitState.HalfOpen => "half_open",
        _ => "closed",
    };

    /// <summary>Polly calls a circuit open until somebody asks again, even when it is long due for a try; this says whether a request would be refused.</summary>
    public bool Refuses => _circuitState.CircuitState is CircuitState.Open or CircuitState.Isolated && _clock.GetElapsedTime(Volatile.Read(ref _opened)) < _breakFor;

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
        catch (Exception e)
        {
            Release();
            NoteGivenUp(e);
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
            return await _requests.ExecuteAsync(static (state, token) => state.Endpoint.CountAsync(state.Request, token), (Endpoint: this, Request: request), cancellationToken);
        }
        catch (BrokenCircuitException e)
        {
            throw Broken(e);
        }
        catch (EndpointException e)
        {
            NoteGivenUp(e);
            throw;
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

    public void TakesAtMost(int tokens) => Volatile.Write(ref _mostOutput, Math.Min(tokens, MostOutput));

    public void Release() => _room.Release();

    public void Dispose() => _room.Dispose();

    private EndpointException Broken(BrokenCircuitException e)
    {
        _traffic.Rejected(Outbound);
        return new(FailureKind.CircuitOpen, "Too many failures; not asked for a while.", e.RetryAfter, e);
    }

    private void NoteGivenUp(Exception failure)
    {
        if (failure is EndpointException { IsTransient: true })
        {
            _traffic.GaveUp(Outbound);
        }
    }

    private void NoteAttempt(EndpointException? failure) =>
        _traffic.Attempted(Outbound, failure is not { IsTransient: true } ? "ok" : failure.Kind == FailureKind.Timeout ? "timeout" : "error");

    private async ValueTask<T> CountAsync<T>(Func<CancellationToken, ValueTask<T>> request, CancellationToken cancellationToken)
    {
        try
        {
            var result = await request(cancellationToken);
            NoteAttempt(null);
            return result;
        }
        catch (EndpointException e)
        {
            NoteAttempt(e);
            throw;
        }
    }

    /// <summary>What <c>Resilience:Model</c> says, and what models.yaml says of this provider instead.</summary>
    private static OutboundSettings Settings(OutboundSettings usual, ModelProvider provider) => usual with
    {
        Tries = provider.Kind == ProviderKind.Offline ? 1 : provider.Attempts ?? usual.Tries,
        Base = provider.RetryDelay ?? usual.Base,
        Longest = provider.MaxRetryDelay ?? usual.Longest,
        BreakFor = provider.BreakDuration ?? usual.BreakFor,
    };

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
            NoteAttempt(null);
            return attempt;
        }
        catch (EndpointException e)
        {
            Health.Failed(e.ErrorClass, _clock.GetUtcNow());
            NoteAttempt(e);
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
    private static bool NeverLeft(EndpointException failure) => failure is { Kind: FailureKind.Unreachable, HadBegun: false };

    private async Task AbandonAsync(ModelAttempt attempt, string outcome, bool unbilled)
    {
        await attempt.CloseAsync();
        await _ledger.AppendAsync(attempt.Settle(outcome, unbilled), CancellationToken.None);
    }

    private CircuitBreakerStrategyOptions CircuitOptions(OutboundSettings settings) => new()
    {
        FailureRatio = 0.5,
        MinimumThroughput = settings.BreakAfter,
        SamplingDuration = TimeSpan.FromSeconds(30),
        BreakDuration = settings.BreakFor,
        StateProvider = _circuitState,
        OnOpened = _ =>
        {
            Volatile.Write(ref _opened, _clock.GetTimestamp());
            return default;
        },
        ShouldHandle = static args => new ValueTask<bool>(args.Outcome.Exception is EndpointException { IsTransient: true }),
    };

    private RetryStrategyOptions RetryOptions(OutboundSettings settings) => new()
    {
        MaxRetryAttempts = settings.Tries - 1,
        Delay = settings.Base,
        MaxDelay = settings.Longest,
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        // A time-out has already cost the user a minute: the next model is asked instead.
        ShouldHandle = args => new ValueTask<bool>(
            args.Outcome.Exception is EndpointException { Kind: FailureKind.Unreachable or FailureKind.RateLimited or FailureKind.ServerError } e &&
            (e.RetryAfter ?? TimeSpan.Zero) <= settings.Longest),
        DelayGenerator = static args => new ValueTask<TimeSpan?>((args.Outcome.Exception as EndpointException)?.RetryAfter),
        OnRetry = _ =>
        {
            _traffic.Retried(Outbound);
            return default;
        },
    };
}
