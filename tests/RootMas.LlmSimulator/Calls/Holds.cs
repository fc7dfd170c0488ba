namespace RootMas.LlmSimulator;

/// <summary>Stops matching calls until <see cref="Release"/>: a test waits for <see cref="Reached"/>, does what it wants (kill a process, say), and lets go.</summary>
public sealed class SimHold
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _seen;
    private bool _took;

    internal SimHold(string id, HoldSpec spec)
    {
        Id = id;
        Spec = spec;
    }

    public string Id { get; }

    public HoldSpec Spec { get; }

    /// <summary>Completes when the call has arrived at the point.</summary>
    public Task Reached => _reached.Task;

    public bool IsReleased => _released.Task.IsCompleted;

    public void Release() => _released.TrySetResult();

    /// <summary>Asked once per call, when it arrives, of every hold, and one at a time: it counts the call also when another hold takes it.</summary>
    internal bool IsDue(string? agent, string? rule, string? tool)
    {
        if (IsReleased || Spec.Tool != tool || (Spec.Agent is not null && Spec.Agent != agent) || (Spec.Rule is not null && Spec.Rule != rule))
        {
            return false;
        }

        _seen++;
        return Spec.Call is not { } call || (_seen >= call && !_took); // later, when another hold has the call that it waited for
    }

    internal void Take() => _took = true;

    internal Task StopAsync(CancellationToken cancellationToken)
    {
        _reached.TrySetResult();
        return _released.Task.WaitAsync(cancellationToken);
    }
}

/// <summary>Which call to hold and where.</summary>
public sealed record HoldSpec
{
    public string? Agent { get; init; }

    public string? Rule { get; init; }

    /// <summary>A tool of <c>/_tool</c> instead of a model call.</summary>
    public string? Tool { get; init; }

    /// <summary>The k-th matching call after the hold was set, or when an earlier hold takes that one, the next; null: every one.</summary>
    public int? Call { get; init; }

    public HoldPoint At { get; init; } = HoldPoint.Before;
}

internal sealed class Holds
{
    private readonly Lock _lock = new();
    private readonly List<SimHold> _holds = [];
    private int _next;
    private volatile bool _any;

    public SimHold Add(HoldSpec spec)
    {
        lock (_lock)
        {
            var hold = new SimHold($"hold-{++_next}", spec);
            _holds.Add(hold);
            _any = true;
            return hold;
        }
    }

    public SimHold? Find(string id)
    {
        lock (_lock)
        {
            return _holds.Find(h => h.Id == id);
        }
    }

    /// <summary>The hold that takes this call; the first one that was set wins.</summary>
    public SimHold? Take(string? agent, string? rule, string? tool)
    {
        if (!_any)
        {
            return null;
        }

        lock (_lock)
        {
            SimHold? first = null;
            foreach (var hold in _holds)
            {
                if (hold.IsDue(agent, rule, tool))
                {
                    first ??= hold;
                }
            }

            first?.Take();
            return first;
        }
    }

    /// <summary>Releases one hold, or all.</summary>
    public int Release(string? id)
    {
        lock (_lock)
        {
            var released = _holds.RemoveAll(h =>
            {
                var match = id is null || h.Id == id;
                if (match)
                {
                    h.Release();
                }

                return match;
            });
            _any = _holds.Count > 0;
            return released;
        }
    }
}
