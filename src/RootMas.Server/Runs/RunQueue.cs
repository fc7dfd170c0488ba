namespace RootMas.Server.Runs;

/// <summary>
/// Runs of this process that need a worker. Runs that go on and children come first, those that processes died with one at a time; new root runs take turns by user, each user up to a number of root runs at once;
/// those that nobody sits in front of follow when no others are left.
/// In memory: what is in here is queued in the database too.
/// </summary>
internal sealed class RunQueue(int rootRunsPerUser)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Queue<ReadyRun> _first = new();
    private readonly PriorityQueue<ReadyRun, int> _suspects = new();
    private string? _suspect;
    private readonly Lane _interactive = new();
    private readonly Lane _background = new();
    private readonly Dictionary<string, HashSet<string>> _roots = new(StringComparer.Ordinal);
    private Dictionary<string, int> _elsewhere = [];

    /// <summary>Root runs of each user that other workers have: they count too.</summary>
    public Dictionary<string, int> Elsewhere
    {
        set
        {
            lock (_gate)
            {
                _elsewhere = value;
            }
        }
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _known.Count;
            }
        }
    }

    /// <summary>Whether <see cref="TryTake"/> would find something.</summary>
    public bool MayTake
    {
        get
        {
            lock (_gate)
            {
                return _first.Count > 0 || (_suspect is null && _suspects.Count > 0) || _interactive.Turns.Any(MayStart) || _background.Turns.Any(MayStart);
            }
        }
    }

    /// <summary>How many users have as many root runs as they may.</summary>
    public int UsersAtLimit
    {
        get
        {
            lock (_gate)
            {
                return _roots.Keys.Union(_elsewhere.Keys, StringComparer.Ordinal).Count(owner => !MayStart(owner));
            }
        }
    }

    /// <summary>False: the run has to wait for others of its user.</summary>
    public bool MayStart(ReadyRun run)
    {
        lock (_gate)
        {
            return !run.IsRoot || !run.IsFresh || MayStart(run.OwnerId);
        }
    }

    /// <summary>False: it is in the queue already.</summary>
    /// <param name="isSaid">Somebody said so just now; false: it was found in the database.</param>
    public bool Add(ReadyRun run, bool isSaid = false)
    {
        lock (_gate)
        {
            if (!_known.Add(run.RunId))
            {
                return isSaid && run is { IsRoot: true, IsFresh: false, Suspicion: 0 } && Hasten(run);
            }

            if (run.Suspicion > 0)
            {
                _suspects.Enqueue(run, run.Suspicion);
                return true;
            }

            if (!run.IsRoot || !run.IsFresh)
            {
                _first.Enqueue(run);
                return true;
            }

            (run.IsBackground ? _background : _interactive).Add(run);
            return true;
        }
    }

    /// <summary>There is a word for a run that waits for its turn, to cancel it above all: that need not wait until its user may start another one.</summary>
    private bool Hasten(ReadyRun run)
    {
        if ((_interactive.Remove(run) ?? _background.Remove(run)) is not { } waiting)
        {
            return false;
        }

        if (run.Offer is not null)
        {
            waiting.Offer?.Done(); // answered with the newer one
        }

        _first.Enqueue(run with { Offer = run.Offer ?? waiting.Offer });
        return true;
    }

    /// <summary>The next run that may start; a root run counts for its user from here on.</summary>
    public bool TryTake(out ReadyRun run)
    {
        lock (_gate)
        {
            if (!_first.TryDequeue(out run) && !TryTakeSuspect(out run) && !TryTakeFresh(_interactive, out run) && !TryTakeFresh(_background, out run))
            {
                return false;
            }

            _known.Remove(run.RunId);
            if (run.IsRoot)
            {
                CountRoot(run.OwnerId, run.RunId);
            }

            return true;
        }
    }

    /// <summary>Counts a new root run that starts past the queue. False: the user has as many as allowed, or others of theirs wait already.</summary>
    public bool TryStartRoot(string ownerId, string runId)
    {
        lock (_gate)
        {
            if (_interactive.Holds(ownerId) || !MayStart(ownerId))
            {
                return false;
            }

            CountRoot(ownerId, runId);
            return true;
        }
    }

    /// <summary>The run is out of the worker's hands.</summary>
    public void Left(string runId)
    {
        lock (_gate)
        {
            _suspect = _suspect == runId ? null : _suspect;
        }
    }

    /// <summary>The root run no longer counts: it ended, or waits for a person or a time. True: somebody who waited may start now.</summary>
    public bool RootLeft(string ownerId, string runId)
    {
        lock (_gate)
        {
            if (!_roots.TryGetValue(ownerId, out var own) || !own.Remove(runId))
            {
                return false;
            }

            if (own.Count == 0)
            {
                _roots.Remove(ownerId);
            }

            return _interactive.Holds(ownerId) || _background.Holds(ownerId);
        }
    }

    /// <summary>One at a time: when the process dies with it, it is known who it was.</summary>
    private bool TryTakeSuspect(out ReadyRun run)
    {
        run = default;
        if (_suspect is not null || !_suspects.TryDequeue(out run, out _))
        {
            return false;
        }

        _suspect = run.RunId;
        return true;
    }

    private bool TryTakeFresh(Lane lane, out ReadyRun run)
    {
        for (var turn = lane.Turns.First; turn is not null; turn = turn.Next)
        {
            if (MayStart(turn.Value))
            {
                run = lane.Take(turn);
                return true;
            }
        }

        run = default;
        return false;
    }

    private bool MayStart(string ownerId) => (_roots.TryGetValue(ownerId, out var running) ? running.Count : 0) + _elsewhere.GetValueOrDefault(ownerId) < rootRunsPerUser;

    private void CountRoot(string ownerId, string runId)
    {
        if (!_roots.TryGetValue(ownerId, out var own))
        {
            _roots.Add(ownerId, own = new HashSet<string>(StringComparer.Ordinal));
        }

        own.Add(runId);
    }

    /// <summary>New root runs by user, and whose turn it is.</summary>
    private sealed class Lane
    {
        private readonly Dictionary<string, Queue<ReadyRun>> _runs = new(StringComparer.Ordinal);

        public LinkedList<string> Turns { get; } = new();

        public bool Holds(string ownerId) => _runs.ContainsKey(ownerId);

        public void Add(ReadyRun run)
        {
            if (!_runs.TryGetValue(run.OwnerId, out var own))
            {
                _runs.Add(run.OwnerId, own = new Queue<ReadyRun>());
                Turns.AddLast(run.OwnerId);
            }

            own.Enqueue(run);
        }

        /// <summary>Null: it is not in here.</summary>
        public ReadyRun? Remove(ReadyRun run)
        {
            if (!_runs.TryGetValue(run.OwnerId, out var own) || !own.Any(r => r.RunId == run.RunId))
            {
                return null;
            }

            var waiting = own.First(r => r.RunId == run.RunId);
            if (own.Count == 1)
            {
                _runs.Remove(run.OwnerId);
                Turns.Remove(run.OwnerId);
            }
            else
            {
                _runs[run.OwnerId] = new Queue<ReadyRun>(own.Where(r => r.RunId != run.RunId));
            }

            return waiting;
        }

        public ReadyRun Take(LinkedListNode<string> turn)
        {
            var owner = turn.Value;
            var own = _runs[owner];
            Turns.Remove(turn);
            if (own.Count == 1)
            {
                _runs.Remove(owner);
            }
            else
            {
                Turns.AddLast(owner);
            }

            return own.Dequeue();
        }
    }
}
