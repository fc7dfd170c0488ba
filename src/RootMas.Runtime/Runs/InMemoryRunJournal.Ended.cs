namespace RootMas.Runtime.Runs;

/// <summary>How long what has ended is kept.</summary>
public sealed partial class InMemoryRunJournal
{
    /// <summary>Roots that have ended with all below them, in the order of that.</summary>
    private readonly LinkedList<Entry> _ended = new();
    private int _keepEnded = 1_000;

    /// <summary>
    /// How many root runs stay after they have ended, with all below them (1,000): of those that ended before them there is neither log nor ledger any more. 0: none, <see cref="int.MaxValue"/>: all.
    /// </summary>
    public int KeepEnded
    {
        get => _keepEnded;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            lock (_gate)
            {
                _keepEnded = value;
                ForgetOldest();
            }
        }
    }

    /// <summary>A root run has ended, and so has all below it.</summary>
    internal Action<string> TreeEnded { get; set; } = static _ => { };

    /// <summary>Forgets a root run that has ended, with all below it, before its turn comes (<see cref="KeepEnded"/>). False: it is not there, it is no root, or something of it works or waits still.</summary>
    public bool Forget(string rootRunId)
    {
        lock (_gate)
        {
            if (_runs.GetValueOrDefault(rootRunId)?.Ended is not { } ended)
            {
                return false;
            }

            Remove(ended);
            return true;
        }
    }

    /// <summary>If this run was the last one of its tree that had not ended.</summary>
    private void EndTreeWith(Entry run)
    {
        if (!run.Status.IsFinal() || !run.Root.Members.TrueForAll(static m => m.Status.IsFinal()))
        {
            return;
        }

        run.Root.Ended = _ended.AddLast(run.Root);
        TreeEnded(run.Root.New.RunId);
        ForgetOldest();
    }

    private void ForgetOldest()
    {
        while (_ended.Count > _keepEnded)
        {
            Remove(_ended.First!);
        }
    }

    private void Remove(LinkedListNode<Entry> ended)
    {
        _ended.Remove(ended);
        foreach (var member in ended.Value.Members)
        {
            _runs.Remove(member.New.RunId);
        }
    }
}
