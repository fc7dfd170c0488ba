using System.Runtime.ExceptionServices;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace RootMas.Server.Platform.Resilience;

/// <summary>How one service is called: how often, how long, and when it is left alone. From <see cref="OutboundPolicies"/>.</summary>
public sealed class OutboundPolicy
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);
    private readonly OutboundSettings _settings;
    private readonly OutboundTraffic _traffic;
    private readonly TimeProvider _clock;
    private readonly Func<Exception, string> _classOf;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline _pipeline;
    private readonly ResiliencePipeline _once;

    /// <param name="classOf">What a failure is, in a word that may be shown.</param>
    internal OutboundPolicy(string client, OutboundSettings settings, OutboundTraffic traffic, TimeProvider clock, Func<Exception, string> classOf)
    {
        Client = client;
        _settings = settings;
        _traffic = traffic;
        _clock = clock;
        _classOf = classOf;
        var circuit = new ResiliencePipelineBuilder { TimeProvider = clock }.AddCircuitBreaker(CircuitOptions()).Build();
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = clock };
        if (settings.Tries > 1)
        {
            pipeline.AddRetry(RetryOptions());
        }

        _pipeline = pipeline.AddPipeline(circuit).Build();
        _once = circuit;
    }

    public string Client { get; }

    public int Tries => _settings.Tries;

    public TimeSpan Base => _settings.Base;

    public TimeSpan Longest => _settings.Longest;

    public TimeSpan Timeout => _settings.Timeout;

    /// <summary>closed, open, half_open. What was left alone, and nobody has asked for since, is closed: the next call is let through, and that it was broken once says nothing of now.</summary>
    public string Circuit => NameOf(_state.CircuitState == CircuitState.Open && _clock.GetElapsedTime(LastUsed) > _settings.BreakFor + Quiet ? CircuitState.Closed : _state.CircuitState);

    /// <summary>Class of the last failure, for people who look at its health.</summary>
    internal string? LastFailure { get; private set; }

    internal long LastUsed { get; private set; }

    /// <summary>For calls that may be repeated: those that read, and those that the other side takes once per key. The work ends soon after its token is cancelled.</summary>
    /// <exception cref="OutboundUnavailableException">The service is being left alone, or did not answer in time.</exception>
    public ValueTask<T> ExecuteAsync<T>(Func<CancellationToken, ValueTask<T>> work, CancellationToken cancellationToken) =>
        RunAsync(_pipeline, new Call<T>(work, static (_, error) => error is null ? OutboundVerdict.Answered : OutboundVerdict.OfError(error)), cancellationToken);

    /// <summary>The same; the caller tells from the result or the error what it was. A time-out within the work is an error like any other.</summary>
    /// <exception cref="OutboundUnavailableException">The service is being left alone, or did not answer in time.</exception>
    public ValueTask<T> ExecuteAsync<T>(Func<CancellationToken, ValueTask<T>> work, Func<T?, Exception?, OutboundVerdict> judge, CancellationToken cancellationToken) =>
        RunAsync(_pipeline, new Call<T>(work, judge), cancellationToken);

    /// <summary>For a call that is sent once, whatever happens: the other side may act on it. It has the time-out and the circuit.</summary>
    /// <exception cref="OutboundUnavailableException">The service is being left alone, or did not answer in time.</exception>
    public ValueTask<T> ExecuteOnceAsync<T>(Func<CancellationToken, ValueTask<T>> work, Func<T?, Exception?, OutboundVerdict> judge, CancellationToken cancellationToken) =>
        RunAsync(_once, new Call<T>(work, judge), cancellationToken);

    internal static string NameOf(CircuitState state) => state switch
    {
        CircuitState.Open or CircuitState.Isolated => "open",
        CircuitState.HalfOpen => "half_open",
        _ => "closed",
    };

    private async ValueTask<T> RunAsync<T>(ResiliencePipeline pipeline, Call<T> call, CancellationToken cancellationToken)
    {
        LastUsed = _clock.GetTimestamp();
        try
        {
            return await pipeline.ExecuteAsync(static (state, token) => state.Policy.TryAsync(state.Call, token), (Policy: this, Call: call), cancellationToken);
        }
        catch (BrokenCircuitException e)
        {
            _traffic.Rejected(Client);
            throw new OutboundUnavailableException($"{Client} failed too often and is left alone for a moment.", e.RetryAfter, isTimeout: false, e);
        }
        catch (FailedTry failed)
        {
            if (failed.Verdict.IsFailure)
            {
                _traffic.GaveUp(Client);
            }

            if (failed.Error is null)
            {
                return ((FailedTry<T>)failed).Result;
            }

            ExceptionDispatchInfo.Throw(failed.Error);
            throw;
        }
    }

    /// <summary>One try. Whatever is not plain success leaves as a <see cref="FailedTry"/>, which carries the verdict to retry and circuit.</summary>
    private async ValueTask<T> TryAsync<T>(Call<T> call, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_settings.Timeout, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        T result;
        try
        {
            result = await call.Work(both.Token);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested)
        {
            var late = new OutboundUnavailableException($"{Client} did not answer within {_settings.Timeout.TotalSeconds:0.###} s.", null, isTimeout: true, e);
            throw Failed<T>(call.Judge(default, late), "timeout", default!, late);
        }
        catch (Exception e)
        {
            throw Failed<T>(call.Judge(default, e), "error", default!, e);
        }

        var verdict = call.Judge(result, null);
        if (!verdict.IsFailure)
        {
            _traffic.Attempted(Client, "ok");
            return result;
        }

        throw Failed(verdict, "refused", result, null);
    }

    private FailedTry<T> Failed<T>(OutboundVerdict verdict, string outcome, T result, Exception? error)
    {
        _traffic.Attempted(Client, verdict.IsFailure ? outcome : "ok");
        if (verdict.IsFailure)
        {
            LastFailure = error is null ? outcome : outcome == "timeout" ? "timeout" : _classOf(error);
        }

        return new FailedTry<T>(verdict, result, error);
    }

    private CircuitBreakerStrategyOptions CircuitOptions() => new()
    {
        FailureRatio = 0.5,
        MinimumThroughput = _settings.BreakAfter,
        SamplingDuration = TimeSpan.FromSeconds(30),
        BreakDuration = _settings.BreakFor,
        StateProvider = _state,
        ShouldHandle = static args => new ValueTask<bool>(args.Outcome.Exception is FailedTry { Verdict.IsFailure: true }),
    };

    private RetryStrategyOptions RetryOptions() => new()
    {
        MaxRetryAttempts = _settings.Tries - 1,
        Delay = _settings.Base,
        MaxDelay = _settings.Longest,
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        // Who asks for a longer wait than ours is left alone.
        ShouldHandle = args => new ValueTask<bool>(args.Outcome.Exception is FailedTry { Verdict: { MayRepeat: true } verdict } && (verdict.After ?? TimeSpan.Zero) <= _settings.Longest),
        DelayGenerator = static args => new ValueTask<TimeSpan?>((args.Outcome.Exception as FailedTry)?.Verdict.After),
        OnRetry = _ =>
        {
            _traffic.Retried(Client);
            return default;
        },
    };

    private readonly record struct Call<T>(Func<CancellationToken, ValueTask<T>> Work, Func<T?, Exception?, OutboundVerdict> Judge);

    private abstract class FailedTry(OutboundVerdict verdict, Exception? error) : Exception("A try failed.", error)
    {
        public OutboundVerdict Verdict { get; } = verdict;

        public Exception? Error { get; } = error;
    }

    private sealed class FailedTry<T>(OutboundVerdict verdict, T result, Exception? error) : FailedTry(verdict, error)
    {
        public T Result { get; } = result;
    }
}
