using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>
/// What this instance follows of the runs that others work on (decision 24). Over the bus it says what it wants to hear of, and hears pieces and that there is more in the database; while nobody can be heard it asks the database
/// every half second, for all runs at once, and shows no pieces.
/// </summary>
internal sealed partial class RunsElsewhere : SupervisedService
{
    /// <summary>How often the database is asked while nobody can be heard.</summary>
    public static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(500);

    /// <summary>Beats between two looks while others can be heard: for notes that were lost.</summary>
    private const int Patient = 4;

    /// <summary>Beats between two sayings of what is wanted.</summary>
    private const int Renewal = 10;

    private const int KeysAtOnce = 500;
    private static readonly TimeSpan BetweenAsks = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<string, Followed> _followed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _asked = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly string _instance = Guid.NewGuid().ToString("N");
    private readonly StreamHub _hub;
    private readonly RunReader _reader;
    private readonly IClusterBus _bus;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Interests _interests;
    private readonly FollowTools _tools;
    private readonly IDisposable _subscription;

    public RunsElsewhere(StreamHub hub, RunReader reader, IClusterBus bus, Interests interests, TimeProvider clock, ILogger<RunsElsewhere> logger)
    {
        (_hub, _reader, _bus, _interests, _clock, _logger) = (hub, reader, bus, interests, clock, logger);
        _tools = new FollowTools(reader, AskForText, LogNotLooked);
        _hub.Released += Released;
        _subscription = bus.Subscribe(RunRelay.TopicOf(_instance), Hear, Missed);
    }

    /// <summary>Others can be heard now.</summary>
    private bool Hears => _bus is { IsShared: true, IsConnected: true };

    /// <summary>Somebody waits for a run and should look at it again.</summary>
    public Action<string>? Settled { get; set; }

    /// <summary>An owner (first) has a new root run (second).</summary>
    public Action<string, string>? Started { get; set; }

    /// <summary>Feeds the channel as long as it is held. Take it before reading the store.</summary>
    public MirrorHold Follow(RunChannel channel)
    {
        var mirror = (RunMirror)Add(WishKey.Run(channel.RunId), () =>
        {
            channel.Mirror(on: true);
            return new RunMirror(channel, _tools);
        });
        return new MirrorHold(mirror, () => Drop(mirror, () => channel.Mirror(on: false)));
    }

    /// <summary>Feeds a tree from now on.</summary>
    public async Task<IDisposable> FollowTreeAsync(string rootRunId, CancellationToken cancellationToken)
    {
        var pin = _hub.PinTree(rootRunId);
        var mirror = (TreeMirror)Add(WishKey.Tree(rootRunId), () => new TreeMirror(pin.Tree, _tools));
        var hold = new Hold(() =>
        {
            Drop(mirror);
            pin.Dispose();
        });
        try
        {
            await mirror.BeginAsync(cancellationToken);
            return hold;
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>Says through <see cref="Settled"/> when the run may have ended or waits for a person. Take it before looking at the run.</summary>
    public IDisposable FollowEnd(string runId)
    {
        var watch = Add(WishKey.End(runId), () => new EndWatch(runId, id => Settled?.Invoke(id)));
        return new Hold(() => Drop(watch));
    }

    /// <summary>Says through <see cref="Started"/> which root runs of an owner begin elsewhere.</summary>
    public async Task<IDisposable> FollowStartsAsync(string ownerId, CancellationToken cancellationToken)
    {
        var watch = (StartWatch)Add(WishKey.Starts(ownerId), () => new StartWatch(ownerId, (owner, run) => Started?.Invoke(owner, run), _tools));
        await watch.BeginAsync(cancellationToken);
        return new Hold(() => Drop(watch));
    }

    public override void Dispose()
    {
        _subscription.Dispose();
        base.Dispose();
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (_clock, _logger);

    private Followed Add(string key, Func<Followed> make)
    {
        Followed? followed;
        lock (_gate)
        {
            if (!_followed.TryGetValue(key, out followed))
            {
                _followed.Add(key, followed = make());
            }

            followed.Followers++;
        }

        Wish([followed]);
        return followed;
    }

    private void Drop(Followed followed, Action? last = null)
    {
        lock (_gate)
        {
            if (--followed.Followers == 0)
            {
                _followed.Remove(followed.Key);
                last?.Invoke();
            }
        }
    }

    private List<Followed> All()
    {
        lock (_gate)
        {
            return [.. _followed.Values];
        }
    }

    private Followed? Find(string key)
    {
        lock (_gate)
        {
            return _followed.GetValueOrDefault(key);
        }
    }

    private void Released(string runId)
    {
        if (Find(WishKey.Run(runId)) is RunMirror mirror)
        {
            Wish([mirror]);
            mirror.Released();
        }
    }

    private void Wish(IReadOnlyList<Followed> all)
    {
        if (!_bus.IsShared)
        {
            return;
        }

        foreach (var some in all.Where(static f => f.IsElsewhere).Chunk(KeysAtOnce))
        {
            Say(new Wishes { Instance = _instance, Keys = [.. some.Select(static f => f.Key)], Texts = [.. some.Select(static f => f.TextWanted).OfType<string>()] });
        }
    }

    /// <summary>Not for each piece that shows the gap anew.</summary>
    private void AskForText(string runId)
    {
        var now = _clock.GetTimestamp();
        lock (_gate)
        {
            if (_asked.TryGetValue(runId, out var before) && _clock.GetElapsedTime(before, now) < BetweenAsks)
            {
                return;
            }

            _asked[runId] = now;
        }

        Say(new Wishes { Instance = _instance, Keys = [WishKey.Run(runId)], Texts = [runId] });
    }

    private void Say(Wishes wishes) => _bus.Publish(RunRelay.Wishing, JsonSerializer.SerializeToUtf8Bytes(wishes, NoteJson.Default.Wishes));

    private void Hear(ReadOnlyMemory<byte> payload)
    {
        try
        {
            var (note, body) = RunNote.Parse(payload);
            foreach (var key in KeysOf(note))
            {
                Find(key)?.Hear(note, body);
            }
        }
        catch (JsonException e)
        {
            LogNonsense(e.Message);
        }
    }

    private static IEnumerable<string> KeysOf(RunNote note) => note.Kind switch
    {
        NoteKind.Settled => [WishKey.End(note.Run)],
        NoteKind.Started => [WishKey.Starts(note.Owner ?? "")],
        _ when note is { Parent: not null, Root: { } root } => [WishKey.Run(note.Run), WishKey.Tree(root)],
        _ => [WishKey.Run(note.Run)],
    };

    /// <summary>The others can be reached again, or at first: everything is looked up, and said anew.</summary>
    private void Missed()
    {
        var all = All();
        all.ForEach(static f => f.Missed());
        Wish(all);
    }

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Beat, _clock);
        try
        {
            for (var beat = 1L; await timer.WaitForNextTickAsync(stoppingToken); beat++)
            {
                if (!Hears || beat % Patient == 0)
                {
                    await LookAsync(All(), stoppingToken);
                }

                if (beat % Renewal == 0)
                {
                    Renew();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    private void Renew()
    {
        _interests.Expire();
        Wish(All());
        lock (_gate)
        {
            foreach (var runId in _asked.Keys.Where(id => !_followed.ContainsKey(WishKey.Run(id))).ToList())
            {
                _asked.Remove(runId);
            }
        }
    }

    /// <summary>One question for all runs, and one for each tree and owner that is followed.</summary>
    private async Task LookAsync(List<Followed> all, CancellationToken cancellationToken)
    {
        var mirrors = all.OfType<RunMirror>().Where(static m => m.IsElsewhere).ToList();
        var ends = all.OfType<EndWatch>().ToList();
        try
        {
            var standings = mirrors.Count + ends.Count == 0
                ? []
                : await _reader.StandingsAsync([.. mirrors.Select(static m => m.RunId).Concat(ends.Select(static e => e.RunId)).Distinct(StringComparer.Ordinal)], cancellationToken);

            // What descendants did before a run ended is shown before its end.
            await Task.WhenAll(all.Where(static f => f is TreeMirror or StartWatch).Select(static f => f.LookNowAsync()));
            mirrors.ForEach(m => m.SeeLog(standings.GetValueOrDefault(m.RunId).LastSeq));
            ends.Where(e => !standings.TryGetValue(e.RunId, out var run) || run.MaySettle).ToList().ForEach(static e => e.Wake());
        }
        catch (StorageUnavailableException e)
        {
            LogNotLooked(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "What other instances do could not be looked up; it is tried again")]
    private partial void LogNotLooked(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Another instance told of a run in a form that this program does not know: {Reason}")]
    private partial void LogNonsense(string reason);

    private sealed class Hold(Action drop) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                drop();
            }
        }
    }
}

/// <summary>A reader's hold on a mirror.</summary>
internal sealed class MirrorHold(RunMirror mirror, Action drop) : IDisposable
{
    private int _disposed;

    /// <inheritdoc cref="RunMirror.Attached"/>
    public void Attached() => mirror.Attached();

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            drop();
        }
    }
}
