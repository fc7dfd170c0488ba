using System.Text;
using System.Threading.Channels;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Cluster;

/// <summary>
/// Changes that every instance must know of within seconds, whether or not there is a bus: each is a row that is written with the change itself, and every instance reads the new ones once a second, at once when the bus says so.
/// None is missed: a reader takes up where every earlier transaction was over, and knows by id what it has seen. With the embedded database there is nobody to tell, and nothing is written or asked.
/// </summary>
public sealed partial class ChangeFeed(IDatabase database, IClusterBus bus, Instance instance, TimeProvider clock, ILogger<ChangeFeed> logger) : LifecycleService, IDisposable
{
    /// <summary>On the bus: look now.</summary>
    public const string BusTopic = "changes";

    private const string Add = "INSERT INTO shared_changes (writer, origin, topic, subject, created_at) VALUES (pg_current_xact_id()::text::bigint, @origin, @topic, @subject, @now)";

    /// <summary>Transactions below it were over when the answer was made.</summary>
    private const string Horizon = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

    private const string Newer = "SELECT id, origin, topic, subject FROM shared_changes WHERE writer >= @since ORDER BY id";

    private const string Prune = "DELETE FROM shared_changes WHERE created_at < @oldest";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private static readonly TimeSpan PruneInterval = TimeSpan.FromMinutes(10);

    /// <summary>What was remembered longer ago than this, without another look, may be wrong: revoked is revoked within 5 s.</summary>
    private static readonly TimeSpan Trusted = TimeSpan.FromSeconds(4);

    private readonly Channel<bool> _notices = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly List<Listener> _listeners = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly HashSet<long> _seen = [];
    private Task _loop = Task.CompletedTask;
    private IDisposable? _heard;
    private bool _disposed;
    private long _since;
    private long _lastLook;
    private long _lastPrune;

    /// <summary>What others changed until a moment ago is known here. False while the database cannot be asked.</summary>
    public bool IsCurrent => !IsShared || clock.GetElapsedTime(Volatile.Read(ref _lastLook)) < Trusted;

    internal bool IsShared => database.Kind == DatabaseKind.Postgres;

    /// <summary>Hears of the topic's changes that other instances make. Call before the host starts.</summary>
    /// <param name="heard">Called with the subject; if it fails it is called again.</param>
    /// <param name="missed">Something may have been missed: look everything up anew.</param>
    public void Subscribe(string topic, Func<string, Task> heard, Func<Task> missed) => _listeners.Add(new Listener(topic, heard, missed));

    /// <summary>Tells the others with the commit of this session. Who makes the change knows it already, and does not hear of it.</summary>
    public async ValueTask AddAsync(DbSession session, string topic, string subject)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (!IsShared)
        {
            return;
        }

        await session.SendAsync(session.Prepared(Add).Set("origin", instance.Name).Set("topic", topic).Set("subject", subject).Set("now", session.Now));
        session.AfterCommit(() => bus.Publish(BusTopic, Encoding.UTF8.GetBytes(topic)));
    }

    /// <summary>From here on nothing is missed; what is read into memory later is newer.</summary>
    public override async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (!IsShared)
        {
            return;
        }

        await database.OpenAsync();
        _since = await database.LookAsync(static session => session.Prepared(Horizon).Int64Async(), cancellationToken) ?? 0;
        _lastLook = clock.GetTimestamp();
        _lastPrune = _lastLook;
        _heard = bus.Subscribe(BusTopic, _ => _notices.Writer.TryWrite(true), () => _notices.Writer.TryWrite(true));
        _loop = Task.WhenAll(PollAsync(), ServeAsync());
    }

    public override async Task StoppedAsync(CancellationToken cancellationToken)
    {
        _heard?.Dispose();
        await _stopping.CancelAsync();
        await _loop;
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _heard?.Dispose();
        _stopping.Cancel(); // for whoever disposes without stopping first
        _stopping.Dispose();
    }

    private async Task PollAsync()
    {
        using var timer = new PeriodicTimer(Interval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                _notices.Writer.TryWrite(true);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private async Task ServeAsync()
    {
        var failing = false;
        try
        {
            while (await _notices.Reader.WaitToReadAsync(_stopping.Token))
            {
                _notices.Reader.TryRead(out _);
                failing = await TryLookAsync(failing);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    /// <summary>An outage is told once, not each second.</summary>
    private async Task<bool> TryLookAsync(bool failedBefore)
    {
        try
        {
            await LookAsync(_stopping.Token);
            return false;
        }
#pragma warning disable CA1031 // whatever a listener throws: the change stays unseen and is told again, the others are told
        catch (Exception error) when (error is not OperationCanceledException || !_stopping.IsCancellationRequested)
#pragma warning restore CA1031
        {
            if (!failedBefore)
            {
                LogFailed(error);
            }

            return true;
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        if (clock.GetElapsedTime(_lastLook) > Kept / 2)
        {
            // The process stood still, or had no database, for so long that rows may be gone.
            await Task.WhenAll(_listeners.Select(static l => l.Missed()));
        }

        var (horizon, rows) = await database.ReadAsync(
            async session =>
            {
                var below = await session.Prepared(Horizon).Int64Async() ?? 0;
                return (below, await session.Prepared(Newer).Set("since", _since)
                    .ListAsync(static r => new Change(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3))));
            },
            cancellationToken);
        foreach (var row in rows.Where(row => !_seen.Contains(row.Id)))
        {
            await TellAsync(row);
            _seen.Add(row.Id);
        }

        _seen.IntersectWith(rows.Select(static r => r.Id));
        _since = horizon;
        Volatile.Write(ref _lastLook, began);
        await PruneAsync(cancellationToken);
    }

    private async Task TellAsync(Change change)
    {
        if (change.Origin == instance.Name)
        {
            return;
        }

        foreach (var listener in _listeners.Where(l => l.Topic == change.Topic))
        {
            await listener.Heard(change.Subject);
        }
    }

    private async Task PruneAsync(CancellationToken cancellationToken)
    {
        if (clock.GetElapsedTime(_lastPrune) > PruneInterval)
        {
            _lastPrune = clock.GetTimestamp();
            await database.WriteAsync(static session => session.Prepared(Prune).Set("oldest", session.Now - Kept).RunAsync(), cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Changes that other instances made cannot be followed at the moment; who is signed in is looked up for each request until they can")]
    private partial void LogFailed(Exception exception);

    private sealed record Listener(string Topic, Func<string, Task> Heard, Func<Task> Missed);

    private sealed record Change(long Id, string Origin, string Topic, string Subject);
}
