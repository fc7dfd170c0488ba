using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace RootMas.LlmSimulator;

/// <summary>A request to the model, as it was recorded.</summary>
public sealed class SimCall
{
    /// <summary>From 1, over all kinds.</summary>
    public required long Number { get; init; }

    /// <summary>chat or embeddings.</summary>
    public required string Kind { get; init; }

    public required DateTimeOffset Time { get; init; }

    public string? Agent { get; init; }

    public required string Model { get; init; }

    public bool Stream { get; init; }

    /// <summary>Of the body's bytes: equal requests have equal hashes.</summary>
    public required string Hash { get; init; }

    /// <summary>The rule that answered; null: the default answer.</summary>
    public string? Rule { get; init; }

    public string LastRole { get; init; } = "";

    public IReadOnlyList<string> ToolsOffered { get; init; } = [];

    public string? Authorization { get; init; }

    /// <summary>Null when bodies are not recorded.</summary>
    public string? Body { get; init; }

    /// <summary>The client went away before the answer was complete.</summary>
    public bool Aborted { get; internal set; }

    /// <summary>running, ok, aborted, or the fault.</summary>
    public string Outcome { get; internal set; } = "running";

    public double? DurationMs { get; internal set; }
}

/// <param name="Duplicates">Requests whose bytes were seen before; null when one came that was only counted, for then nobody knows.</param>
public sealed record SimStats(
    long Calls,
    long Chat,
    long Embeddings,
    long Aborted,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long? Duplicates,
    long Running,
    IReadOnlyDictionary<string, long> ByAgent,
    IReadOnlyDictionary<string, long> ByModel,
    IReadOnlyDictionary<string, long> ByRule);

/// <summary>Records calls and wakes those who wait for them.</summary>
internal sealed class CallLog
{
    private const int KeptCalls = 200_000;
    private readonly Lock _lock = new();
    private readonly List<(long Calls, TaskCompletionSource Reached)> _waiters = [];
    private readonly TimeProvider _clock = TimeProvider.System;
    private ConcurrentQueue<SimCall> _calls = new();
    private ConcurrentDictionary<UInt128, int> _hashes = new();
    private long _number;
    private long _begun;
    private int _waiting;
    private long _embeddings;
    private long _aborted;
    private long _duplicates;
    private long _finished;
    private volatile bool _onlyCounted;

    public long Count => Interlocked.Read(ref _number);

    public IReadOnlyList<SimCall> Calls => [.. _calls];

    public long NextNumber(bool embeddings)
    {
        if (embeddings)
        {
            Interlocked.Increment(ref _embeddings);
        }

        return Interlocked.Increment(ref _number);
    }

    /// <summary>Null when only totals are kept.</summary>
    public SimCall? Begin(long number, Recording recording, string kind, ChatRequest request, string? rule, ReadOnlySpan<byte> body, string? authorization)
    {
        SimCall? call = null;
        if (recording != Recording.Counts)
        {
            var hash = Hash(body);
            if (_hashes.AddOrUpdate(hash, 1, static (_, n) => n + 1) > 1)
            {
                Interlocked.Increment(ref _duplicates);
            }

            call = new SimCall
            {
                Number = number,
                Kind = kind,
                Time = _clock.GetUtcNow(),
                Agent = request.Agent,
                Model = request.Model,
                Stream = request.Stream,
                Hash = hash.ToString("x32", null),
                Rule = rule,
                LastRole = request.LastRole,
                ToolsOffered = request.ToolsOffered,
                Authorization = authorization,
                Body = recording == Recording.Full ? System.Text.Encoding.UTF8.GetString(body) : null,
            };
            _calls.Enqueue(call);
            if (_calls.Count > KeptCalls)
            {
                _calls.TryDequeue(out _);
            }
        }
        else if (!_onlyCounted)
        {
            _onlyCounted = true; // once: under load all cores read it
        }

        // Only now: whoever waits for calls finds them recorded.
        WakeWaiters(Interlocked.Increment(ref _begun));
        return call;
    }

    public void End(SimCall? call, string outcome, bool aborted)
    {
        if (call is not null)
        {
            call.DurationMs = (_clock.GetUtcNow() - call.Time).TotalMilliseconds;
            call.Aborted = aborted;
            call.Outcome = outcome;
        }

        if (aborted)
        {
            Interlocked.Increment(ref _aborted);
        }

        Interlocked.Increment(ref _finished); // last: of what is not running any more everything is known
    }

    /// <summary>Completes when at least <paramref name="calls"/> requests have arrived.</summary>
    public Task WaitAsync(long calls)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _waiters.Add((calls, waiter));
            Interlocked.Increment(ref _waiting); // before the look: a call that begins now sees the waiter, or is seen
        }

        WakeWaiters(Interlocked.Read(ref _begun));
        return waiter.Task;
    }

    public SimStats Stats()
    {
        var calls = _calls.ToArray();
        return new SimStats(
            Count,
            Count - _embeddings,
            _embeddings,
            _aborted,
            _onlyCounted ? null : _duplicates,
            Count - _finished,
            CountBy(calls, c => c.Agent ?? "-"),
            CountBy(calls, c => c.Model),
            CountBy(calls, c => c.Rule ?? "-"));
    }

    public void Reset()
    {
        lock (_lock)
        {
            _calls = new();
            _hashes = new();
            _number = _begun = _embeddings = _aborted = _duplicates = _finished = 0;
            _onlyCounted = false;
        }
    }

    private static Dictionary<string, long> CountBy(SimCall[] calls, Func<SimCall, string> key) =>
        calls.GroupBy(key).OrderBy(g => g.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.LongCount());

    private void WakeWaiters(long begun)
    {
        if (Volatile.Read(ref _waiting) == 0)
        {
            return;
        }

        lock (_lock)
        {
            foreach (var waiter in _waiters.Where(w => begun >= w.Calls).ToArray())
            {
                waiter.Reached.TrySetResult();
                _waiters.Remove(waiter);
                Interlocked.Decrement(ref _waiting);
            }
        }
    }

    /// <summary>Fast and good enough to tell requests apart; not meant against an attacker.</summary>
    private static UInt128 Hash(ReadOnlySpan<byte> body)
    {
        ulong a = 0x9E3779B97F4A7C15, b = 0xC2B2AE3D27D4EB4F ^ (ulong)body.Length;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(body))
        {
            a = BitOperations.RotateLeft(a ^ (word * 0x87C37B91114253D5), 27) * 0x9FB21C651E98DF25;
            b = (BitOperations.RotateLeft(b, 31) + word) * 0xFF51AFD7ED558CCD;
        }

        foreach (var rest in body[(body.Length & ~7)..])
        {
            a = (a ^ rest) * 0x9FB21C651E98DF25;
            b = (BitOperations.RotateLeft(b, 5) + rest) * 0xFF51AFD7ED558CCD;
        }

        return new UInt128(a ^ (b >> 29), b ^ (a >> 32));
    }
}

/// <summary>Where a held call stops.</summary>
public enum HoldPoint
{
    /// <summary>The request has arrived, nothing is sent. A tool: before its effect.</summary>
    Before,

    /// <summary>The stream has sent half of its pieces; a plain answer, half of its bytes.</summary>
    Middle,

    /// <summary>Everything but the end is sent (stream: all but the last frame). A tool: after its effect, before its answer.</summary>
    After,
}
