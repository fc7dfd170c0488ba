using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>Who listens to the descendants of a run, within one root's tree.</summary>
internal sealed class TreeChannel(string rootRunId)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _parents = new(StringComparer.Ordinal);
    private readonly List<(string RunId, RunSubscription Subscription)> _listeners = [];

    /// <summary>How much of each log was shown, where a mirror reads too: what is done here may be read from the store before it is told.</summary>
    private Dictionary<string, long>? _shown;
    private int _pins;
    private bool _removed;

    public string RootRunId => rootRunId;

    /// <summary>Keeps the channel for a mirror. False: this object is out of use, get another.</summary>
    public bool TryPin()
    {
        lock (_gate)
        {
            _pins += _removed ? 0 : 1;
            return !_removed;
        }
    }

    /// <summary>True: nobody needs the channel any more.</summary>
    public bool Unpin()
    {
        lock (_gate)
        {
            _shown = --_pins == 0 ? null : _shown;
            return _removed = _pins == 0 && _listeners.Count == 0;
        }
    }

    /// <summary>Somebody sees what is shown from now on.</summary>
    public bool HasReaders
    {
        get
        {
            lock (_gate)
            {
                return _listeners.Count > 0;
            }
        }
    }

    /// <summary>A mirror begins; what these runs have done so far is not shown.</summary>
    public void Begin(IEnumerable<Descendant> runs)
    {
        lock (_gate)
        {
            if (_shown is not null)
            {
                return; // it has begun already, for an earlier reader
            }

            _shown = new(StringComparer.Ordinal);
            foreach (var run in runs)
            {
                (_parents[run.RunId], _shown[run.RunId]) = (run.ParentRunId, run.LastSeq);
            }
        }
    }

    /// <summary>How much of a run's log was shown.</summary>
    public long SeqOf(string runId)
    {
        lock (_gate)
        {
            return _shown is null ? long.MaxValue : _shown.GetValueOrDefault(runId);
        }
    }

    /// <summary>False: this object is out of use, get another.</summary>
    public bool TryAdd(string runId, RunSubscription subscription, IEnumerable<KeyValuePair<string, string>> parents)
    {
        lock (_gate)
        {
            if (_removed)
            {
                return false;
            }

            foreach (var (child, parent) in parents)
            {
                _parents[child] = parent;
            }

            _listeners.Add((runId, subscription));
            return true;
        }
    }

    /// <summary>True: nobody listens any more.</summary>
    public bool Remove(RunSubscription subscription)
    {
        lock (_gate)
        {
            _listeners.RemoveAll(l => l.Subscription == subscription);
            return _removed = _pins == 0 && _listeners.Count == 0;
        }
    }

    public void Publish(string runId, string parentRunId, IReadOnlyList<EventRecord> events)
    {
        lock (_gate)
        {
            _parents[runId] = parentRunId;
            foreach (var (e, json) in events)
            {
                Show(runId, e.Seq, new StreamItem(null, RunEventNames.Of(e), json, IsFinal: false));
            }
        }
    }

    /// <summary>Events as they were read from the store, in their order.</summary>
    public void TakeStored(string runId, string parentRunId, IReadOnlyList<StoredEvent> events)
    {
        lock (_gate)
        {
            _parents[runId] = parentRunId;
            foreach (var e in events)
            {
                Show(runId, e.Seq, new StreamItem(null, e.Type, e.Json, IsFinal: false));
            }
        }
    }

    /// <summary>A piece that was heard from another instance.</summary>
    public void Take(string runId, string parentRunId, in StreamItem piece)
    {
        lock (_gate)
        {
            _parents[runId] = parentRunId;
            Send(runId, piece);
        }
    }

    public void Publish(string runId, string parentRunId, LivePiece piece, ref byte[]? json)
    {
        lock (_gate)
        {
            _parents[runId] = parentRunId;
            Send(runId, new StreamItem(null, RunEventNames.Of(piece), json ??= RunJson.Serialize(piece), IsFinal: false));
        }
    }

    private void Show(string runId, long seq, in StreamItem item)
    {
        if (_shown is not null)
        {
            if (seq <= _shown.GetValueOrDefault(runId))
            {
                return;
            }

            _shown[runId] = seq;
        }

        Send(runId, item);
    }

    private void Send(string runId, in StreamItem item)
    {
        foreach (var (listensTo, subscription) in _listeners)
        {
            if (listensTo == rootRunId || IsBelow(runId, listensTo))
            {
                subscription.OfferDescendant(item);
            }
        }
    }

    private bool IsBelow(string runId, string ancestor)
    {
        var at = runId;
        for (var depth = 0; depth < 64 && _parents.TryGetValue(at, out var parent); depth++)
        {
            if (parent == ancestor)
            {
                return true;
            }

            at = parent;
        }

        return false;
    }
}
