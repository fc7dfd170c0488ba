namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Rows that were changed, read once more, one round after the other: what is read later is applied later. All that comes while a round runs shares the next one, so nobody waits for more than two.</summary>
/// <param name="read">Reads these rows of a space and applies them, but for those that were changed since the round began.</param>
internal sealed class Rereading(Func<string, IReadOnlyCollection<Guid>, ChangedSince, Task> read)
{
    private readonly Lock _gate = new();
    private Dictionary<string, HashSet<Guid>> _waiting = new(StringComparer.Ordinal);
    private ChangedSince? _since;
    private Task _running = Task.CompletedTask;
    private Task? _next;

    /// <summary>Completes when they were read, by a reading that began after this call. Fails with the round.</summary>
    public Task ReadAsync(string space, IEnumerable<Guid> ids)
    {
        lock (_gate)
        {
            if (!_waiting.TryGetValue(space, out var waiting))
            {
                _waiting.Add(space, waiting = []);
            }

            waiting.UnionWith(ids);
            return _next ??= RoundAsync(_running);
        }
    }

    /// <summary>These were changed just now, and the change will be applied: what a round that runs has read of them may be older. Whoever says so asks for them afterwards.</summary>
    public void Changed(string space, IReadOnlyCollection<Guid> ids)
    {
        lock (_gate)
        {
            _since?.Add(space, ids);
        }
    }

    private async Task RoundAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        Dictionary<string, HashSet<Guid>> changed;
        var since = new ChangedSince();
        lock (_gate)
        {
            (changed, _waiting, _since) = (_waiting, new(StringComparer.Ordinal), since);
            (_running, _next) = (_next!, null);
        }

        try
        {
            foreach (var (space, ids) in changed)
            {
                await read(space, ids, since);
            }
        }
        finally
        {
            lock (_gate)
            {
                _since = null; // nobody collects what no round will ask for
            }
        }
    }
}

/// <summary>What was changed here while a round of <see cref="Rereading"/> ran.</summary>
internal sealed class ChangedSince
{
    private readonly Lock _gate = new();
    private readonly HashSet<(string Space, Guid Id)> _ids = [];

    public void Add(string space, IReadOnlyCollection<Guid> ids)
    {
        lock (_gate)
        {
            _ids.UnionWith(ids.Select(id => (space, id)));
        }
    }

    public bool Has(string space, Guid id)
    {
        lock (_gate)
        {
            return _ids.Contains((space, id));
        }
    }
}
