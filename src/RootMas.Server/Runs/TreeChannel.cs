using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>Who listens to the descendants of a run, within one root's tree.</summary>
internal sealed class TreeChannel(string rootRunId)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _parents = new(StringComparer.Ordinal);
    private readonly List<(string RunId, RunSubscription Subscription)> _listeners = [];
    private bool _removed;

    public string RootRunId => rootRunId;

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
            return _removed = _listeners.Count == 0;
        }
    }

    public void Publish(string runId, string parentRunId, IReadOnlyList<EventRecord> events)
    {
        lock (_gate)
        {
            _parents[runId] = parentRunId;
            foreach (var (e, json) in events)
            {
                Send(runId, new StreamItem(null, RunEventNames.Of(e), json, IsFinal: false));
            }
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
