using System.Globalization;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Runs.Elsewhere;

namespace RootMas.Server.Runs;

/// <summary>
/// A run's stream from any position to its end (DESIGN §4.5): stored events, then the text so far of the unfinished message, then live. Without a gap and without anything
/// twice: the store is read until the hub knows no more than the reader, and only then the reader attaches.
/// </summary>
/// <param name="answers">Kept answers end before anybody sees the event that ends them.</param>
/// <param name="elsewhere">Null: no other instance can have a run.</param>
internal sealed class RunStreams(RunReader reader, StreamHub hub, IAnswerCache answers, RunsElsewhere? elsewhere = null)
{
    private const int Page = 200;

    /// <summary>Takes a place at the stream of a run that is about to be created.</summary>
    public RunWatch Watch(string runId) => new(this, runId, hub.Pin(runId));

    public IAsyncEnumerable<StreamItem> ReadAsync(string runId, StreamPosition after, bool tree, CancellationToken cancellationToken) =>
        ReadAsync(runId, after, tree, watch: null, cancellationToken);

    /// <param name="watch">Taken before the run existed: nothing is in the store that it does not know.</param>
    public IAsyncEnumerable<StreamItem> ReadAsync(string runId, StreamPosition after, bool tree, RunWatch? watch, CancellationToken cancellationToken) =>
        FollowAsync(runId, after, tree ? Descendants.Live : Descendants.None, watch, cancellationToken);

    /// <inheritdoc cref="IMessageProcessor.StreamTreeAsync"/>
    public async IAsyncEnumerable<StreamItem> ReadTreeAsync(string runId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var below = new DescendantLogs(reader, runId);
        await foreach (var item in FollowAsync(runId, default, Descendants.Logs, watch: null, cancellationToken))
        {
            if (RunEventNames.IsPiece(item.Type))
            {
                continue;
            }

            await foreach (var shown in below.ShowAsync(item, cancellationToken))
            {
                await SettledAsync(shown.Type);
                yield return shown;
            }
        }
    }

    private async IAsyncEnumerable<StreamItem> FollowAsync(
        string runId, StreamPosition after, Descendants tree, RunWatch? watch, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var open = RunMetrics.StreamOpened();
        using var pin = watch?.Pin ?? hub.Pin(runId);
        using var mirror = elsewhere?.Follow(pin.Channel);
        using var mirroredTree = await FollowTreeAsync(tree, runId, cancellationToken);
        var position = after;
        var attached = watch?.Subscription;
        while (true)
        {
            IReadOnlyList<StoredEvent> page = [];
            while (attached is null)
            {
                page = await reader.EventsAsync(runId, position.Seq, Page, cancellationToken);
                for (var i = 0; i < page.Count; i++)
                {
                    position = new StreamPosition(page[i].Seq);
                    var isFinal = page[i].IsFinal;
                    await SettledAsync(page[i].Type);
                    yield return new StreamItem(page[i].Seq.ToString(CultureInfo.InvariantCulture), page[i].Type, page[i].Json, isFinal);
                    if (isFinal)
                    {
                        yield break;
                    }
                }

                if (page.Count < Page)
                {
                    break;
                }
            }

            page = []; // a stream may stay open for hours

            using var subscription = attached ?? pin.TryAttach(position.Seq, position.N);
            attached = null;
            if (subscription is null)
            {
                continue;
            }

            using var descendants = await AttachTreeAsync(tree, runId, subscription, cancellationToken);
            mirror?.Attached();
            while (await subscription.Reader.WaitToReadAsync(cancellationToken))
            {
                while (subscription.Reader.TryRead(out var live))
                {
                    position = live.Seq == 0 ? position : new StreamPosition(live.Seq, live.N);
                    await SettledAsync(live.Item.Type);
                    yield return live.Item;
                    if (live.Item.IsFinal)
                    {
                        yield break;
                    }
                }
            }
        }
    }

    private Task SettledAsync(string type) => RunEventNames.Settles(type) ? answers.SettledAsync() : Task.CompletedTask;

    private async Task<IDisposable?> FollowTreeAsync(Descendants tree, string runId, CancellationToken cancellationToken) =>
        tree != Descendants.None && elsewhere is not null && await reader.RowAsync(runId, ownerId: null, cancellationToken) is { } row
            ? await elsewhere.FollowTreeAsync(row.Identity.RootRunId, cancellationToken)
            : null;

    private async Task<IDisposable?> AttachTreeAsync(Descendants tree, string runId, RunSubscription subscription, CancellationToken cancellationToken)
    {
        if (tree == Descendants.None || await reader.RowAsync(runId, ownerId: null, cancellationToken) is not { } row)
        {
            return null;
        }

        subscription.WithPiecesBelow = tree == Descendants.Live;
        var runs = row.IsRoot ? [] : await reader.TreeAsync(runId, ownerId: null, cancellationToken);
        var attachment = hub.AttachTree(row.Identity.RootRunId, runId, subscription, runs.Where(static r => r.ParentRunId is not null).Select(static r => KeyValuePair.Create(r.Id, r.ParentRunId!)));
        if (tree == Descendants.Logs)
        {
            subscription.OfferDescendant(DescendantLogs.Attached);
        }

        return attachment;
    }

    /// <summary>What is shown of the runs below.</summary>
    private enum Descendants
    {
        None,

        /// <summary>What they do from now on, pieces too.</summary>
        Live,

        /// <summary>For <see cref="DescendantLogs"/>: their events from now on, behind the mark that says so.</summary>
        Logs,
    }
}
