namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Rows that were changed, read once more, one round after the other: what is read later is applied later. All that comes while a round runs shares the next one, so nobody waits for more than two.</summary>
/// <param name="read">Reads these rows of a space and applies them.</param>
internal sealed class Rereading(Func<string, IReadOnlyCollection<Guid>, Task> read)
{
    private readonly Lock _gate = new();
    private Dictionary<string, HashSet<Guid>> _waiting = new(StringComparer.Ordinal);
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

    private async Task RoundAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        Dictionary<string, HashSet<Guid>> changed;
        lock (_gate)
        {
            (changed, _waiting) = (_waiting, new(StringComparer.Ordinal));
            (_running, _next) = (_next!, null);
        }

        foreach (var (space, ids) in changed)
        {
            await read(space, ids);
        }
    }
}
