namespace RootMas.Server.Runs;

/// <summary>For looks at all that waits, which take the longer the more it is: they may take a fiftieth of the time. What is found so late was lost on the way, as nothing should be.</summary>
internal sealed class Pace(TimeProvider clock)
{
    private const int Share = 50;

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private TimeSpan _pause;
    private long _ended;

    /// <summary>Looks, or does nothing because it is too soon after the last look.</summary>
    public async Task RunAsync(Func<Task> look)
    {
        if (clock.GetElapsedTime(_ended) < _pause)
        {
            return;
        }

        _pause = TimeSpan.Zero; // one that fails says nothing of what it costs
        var began = clock.GetTimestamp();
        await look();
        _ended = clock.GetTimestamp();
        var pause = clock.GetElapsedTime(began, _ended) * Share;
        _pause = pause < Longest ? pause : Longest;
    }
}
