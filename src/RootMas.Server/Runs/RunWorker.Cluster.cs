using System.Text;
using System.Threading.Channels;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What the worker does because others work on the same database: it sees who died, hears what was said to its runs elsewhere, and takes what nobody has a place for.</summary>
internal sealed partial class RunWorker
{
    /// <summary>Messages: <c>look</c> (runs wait for a worker), or <c>inbox ID</c> (something was said to a run that somebody has).</summary>
    internal const string BusTopic = "runs.ready";

    private const string Look = "look";
    private const string Inbox = "inbox ";

    /// <summary>A dead worker's runs are taken over, and a cancel is heard without a bus, half of this later on average.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(400);

    /// <summary>A broker waits for an answer for a bounded time; a run may take longer. From then on the sweep is all there is for it.</summary>
    private static readonly TimeSpan OfferKept = TimeSpan.FromMinutes(10);

    private readonly Channel<bool> _nudges = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly IDisposable? _hearing;
    private int _looks;

    /// <summary>This process advances runs at all.</summary>
    public bool Works => _options.Parallelism > 0;

    /// <summary>Other workers may be at the same database.</summary>
    public bool IsShared => !_ownership.Worker.OwnsData;

    private void TakeOrTell(ReadyRun run)
    {
        if (Works)
        {
            Enqueue(run);
        }

        // What waits only until others of this process are claimed is not for other workers.
        if (IsShared && (!_accepting || (_queue.Count > 0 && (Volatile.Read(ref _slots) <= 0 || Volatile.Read(ref _places) > 0))))
        {
            _channels.Bus?.Publish(BusTopic, Encoding.UTF8.GetBytes(Look));
        }
    }

    private void TellInbox(string runId) => _channels.Bus?.Publish(BusTopic, Encoding.UTF8.GetBytes(Inbox + runId));

    private void Hear(ReadOnlyMemory<byte> message)
    {
        var text = Encoding.UTF8.GetString(message.Span);
        if (text == Look)
        {
            Nudge();
        }
        else if (text.StartsWith(Inbox, StringComparison.Ordinal) && _active.ContainsKey(text[Inbox.Length..]))
        {
            Poke(text[Inbox.Length..]);
        }
    }

    private void Nudge() => _nudges.Writer.TryWrite(true);

    private async Task LookAroundAsync()
    {
        Task<bool>? nudge = null;
        var looked = _clock.GetTimestamp();
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                nudge ??= _nudges.Reader.WaitToReadAsync(_stopping.Token).AsTask();
                await ((Task)nudge).WaitAsync(LookEvery, _clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                _stopping.Token.ThrowIfCancellationRequested();
                if (nudge.IsCompleted)
                {
                    _nudges.Reader.TryRead(out _);
                    nudge = null;
                    await TryAsync(TakeWaitingAsync);
                    if (_clock.GetElapsedTime(looked) < LookEvery)
                    {
                        continue; // however many nudges come, the others are looked at
                    }
                }

                looked = _clock.GetTimestamp();
                await TryAsync(LookIfPossibleAsync);
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    private async Task LookIfPossibleAsync()
    {
        try
        {
            await LookAtOthersAsync();
        }
        catch (StorageUnavailableException)
        {
            // The upkeep says so, more seldom.
        }
    }

    private async Task LookAtOthersAsync()
    {
        await (_renewalFailed || _ownership.IsJustBack ? RenewAsync() : RenewSkippedAsync());
        await RecoverAsync(_stopping.Token);
        if (_channels.Bus is not { IsShared: true, IsConnected: true } && !_active.IsEmpty)
        {
            (await _ownership.ToldAsync(_stopping.Token)).ForEach(Poke);
        }

        if (_looks++ % 3 == 0)
        {
            _queue.Elsewhere = await _ownership.ElsewhereAsync(_stopping.Token);
        }

        if (_channels.Signals.Dispatch.WorkersLook)
        {
            await TakeWaitingAsync();
        }

        Pump();
    }

    /// <summary>
    /// As many as there is room for: the others are left to other workers. What waits in this process's queue while there is room belongs to users who have as many runs as they may; theirs stand first in the answer too, and are left.
    /// </summary>
    private async Task TakeWaitingAsync()
    {
        Pump();
        var room = Volatile.Read(ref _slots);
        if (room <= 0)
        {
            return;
        }

        foreach (var row in await _ownership.ClaimableInTurnAsync(Math.Min(SweepPage, room + _queue.UsersAtLimit), _stopping.Token))
        {
            if (IsNotHere(row.Id) && _queue.MayStart(row.Ready))
            {
                _queue.Add(row.Ready, isSaid: row.InboxSeq > row.InboxDone);
            }
        }

        Pump();
    }

    /// <summary>A claim may wait for a row that somebody else holds: taken once more, it would wait once more, each time with a connection.</summary>
    private bool IsNotHere(string runId) => !_active.ContainsKey(runId) && !_beginning.ContainsKey(runId);

    private void ForgetOldOffers() => _channels.Deliveries?.Forget(OfferKept);
}
