namespace RootMas.Server.Models.Pipeline;

/// <summary>A model in the place it has in a tier.</summary>
internal sealed record Candidate(string Tier, int Rank, ModelEndpoint Endpoint);

/// <summary>
/// Which model is asked next. On failure: the rest of the tier, then the tiers above, then those below. On bad quality: the tiers above, at most three times.
/// Where a usable answer is kept, none but those above are asked.
/// When the prompt is too long for a model, none with as little room is asked any more. No model is asked twice in one call.
/// </summary>
internal sealed class RouteCursor(IReadOnlyList<Candidate> order)
{
    private const int MaxEscalations = 3;

    private readonly HashSet<ModelEndpoint> _tried = [];
    private int _escalations;
    private int _tooSmall;
    private int _floor = int.MinValue;
    private Candidate? _last;

    public Candidate? Current { get; private set; } = order.Count > 0 ? order[0] : null;

    /// <summary>From now on only tiers above this one are asked.</summary>
    public void OnlyAbove(int rank) => _floor = rank;

    /// <summary>Nobody else is asked.</summary>
    public void End() => MoveTo(static _ => false);

    /// <summary>After a failure.</summary>
    public void Next() => MoveTo(c => true);

    /// <summary>After a model that had too little room for the prompt: whoever comes next has more.</summary>
    public void NextLarger()
    {
        _tooSmall = Math.Max(_tooSmall, Current?.Endpoint.Model.ContextTokens ?? 0);
        Next();
    }

    /// <summary>After a bad answer. False: there is no higher tier to ask, or it was done three times; the cursor stays.</summary>
    public bool Escalate()
    {
        var rank = Current?.Rank ?? _last?.Rank ?? int.MaxValue;
        var here = Current;
        if (_escalations == MaxEscalations)
        {
            return false;
        }

        if (MoveTo(c => c.Rank > rank))
        {
            _escalations++;
            return true;
        }

        Current = here;
        return false;
    }

    private bool MoveTo(Func<Candidate, bool> eligible)
    {
        if (Current is { } done)
        {
            _tried.Add(done.Endpoint);
            _last = done;
        }

        Current = order.FirstOrDefault(c => eligible(c) && c.Rank > _floor && c.Endpoint.Model.ContextTokens > _tooSmall && !_tried.Contains(c.Endpoint));
        return Current is not null;
    }
}
