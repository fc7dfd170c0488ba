namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Answers to equal requests, in memory; the longest unused goes first. Looking allocates nothing.</summary>
internal sealed class ExactAnswers(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Digest, LinkedListNode<Item>> _items = [];
    private readonly LinkedList<Item> _byUse = [];

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _items.Count;
            }
        }
    }

    /// <summary>Null: not there, or too old.</summary>
    public CachedAnswer? Find(Digest key, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (!_items.TryGetValue(key, out var node))
            {
                return null;
            }

            _byUse.Remove(node);
            if (node.Value.Answer.ExpiresAt <= now)
            {
                _items.Remove(key);
                return null;
            }

            _byUse.AddFirst(node);
            return node.Value.Answer;
        }
    }

    public void Put(Digest key, CachedAnswer answer)
    {
        lock (_lock)
        {
            if (_items.Remove(key, out var old))
            {
                _byUse.Remove(old);
            }
            else if (_items.Count >= capacity && _byUse.Last is { } last)
            {
                _byUse.RemoveLast();
                _items.Remove(last.Value.Key);
            }

            _items[key] = _byUse.AddFirst(new Item(key, answer));
        }
    }

    /// <summary>Another answer than this one to the request is no longer the one to give.</summary>
    public void RemoveOthers(Digest key, Guid id)
    {
        lock (_lock)
        {
            if (_items.TryGetValue(key, out var node) && node.Value.Answer.Id != id)
            {
                _items.Remove(key);
                _byUse.Remove(node);
            }
        }
    }

    /// <summary>How many went.</summary>
    public int Remove(Predicate<CachedAnswer> which)
    {
        lock (_lock)
        {
            var gone = _byUse.Where(item => which(item.Answer)).ToList();
            foreach (var item in gone)
            {
                _items.Remove(item.Key, out var node);
                _byUse.Remove(node!);
            }

            return gone.Count;
        }
    }

    private readonly record struct Item(Digest Key, CachedAnswer Answer);
}

/// <summary>Equal requests at the same time: the first one asks, the others wait for its answer.</summary>
internal sealed class Flights
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Digest, Flight> _flights = [];

    /// <param name="leads">True: nobody asks for this yet. Whoever leads ends the flight, whatever happens.</param>
    public Flight Join(Digest key, out bool leads)
    {
        lock (_lock)
        {
            leads = !_flights.TryGetValue(key, out var flight);
            return leads ? _flights[key] = new Flight() : flight!;
        }
    }

    /// <param name="answer">Null: there is none that others may have.</param>
    /// <param name="mayShare">False: the answer came and is none to be kept, so the others need not wait for the next one.</param>
    public void End(Digest key, Flight flight, CachedAnswer? answer, bool mayShare)
    {
        lock (_lock)
        {
            _flights.Remove(key);
        }

        flight.End(new Landing(answer, mayShare));
    }
}

/// <summary>What came of the first of several equal requests.</summary>
internal readonly record struct Landing(CachedAnswer? Answer, bool MayShare);

internal sealed class Flight
{
    private readonly TaskCompletionSource<Landing> _landed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<Landing> WaitAsync(CancellationToken cancellationToken) => _landed.Task.WaitAsync(cancellationToken);

    public void End(Landing landing) => _landed.TrySetResult(landing);
}
