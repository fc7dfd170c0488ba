using System.Globalization;
using System.Runtime.CompilerServices;
using RootMas.Server.Runs.Elsewhere;

namespace RootMas.Server.Runs;

/// <summary>
/// A run's stream from any position to its end (DESIGN §4.5): stored events, then the text so far of the unfinished message, then live. Without a gap and without anything
/// twice: the store is read until the hub knows no more than the reader, and only then the reader attaches.
/// </summary>
/// <param name="elsewhere">Null: no other instance can have a run.</param>
internal sealed class RunStreams(RunReader reader, StreamHub hub, RunsElsewhere? elsewhere = null)
{
    private const int Page = 200;

    /// <summary>Takes a place at the stream of a run that is about to be created.</summary>
    public RunWatch Watch(string runId) => new(this, runId, hub.Pin(runId));

    public IAsyncEnumerable<StreamItem> ReadAsync(string runId, StreamPosition after, bool tree, CancellationToken cancellationToken) =>
        ReadAsync(runId, after, tree, watch: null, cancellationToken);

    /// <param name="watch">Taken before the run existed: nothing is in the store that it does not know.</param>
    public async IAsyncEnumerable<StreamItem> ReadAsync(
        string runId, StreamPosition after, bool tree, RunWatch? watch, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var open = RunMetrics.StreamOpened();
        using var pin = watch?.Pin ?? hub.Pin(runId);
        using var mirror = elsewhere?.Follow(pin.Channel);
        using var mirroredTree = tree && elsewhere is not null ? await FollowTreeAsync(elsewhere, runId, cancellationToken) : null;
        var position = after;
        var attached = watch?.Subscription;
        while (true)
        {
            IReadOnlyList<StoredEvent> page = [];
            while (attached is null)
            {
                page = await reader.EventsAsync(runId, position.Seq, Page, cancellationToken);
                foreach (var e in page)
                {
                    position = new StreamPosition(e.Seq);
                    yield return new StreamItem(e.Seq.ToString(CultureInfo.InvariantCulture), e.Type, e.Json, e.IsFinal);
                    if (e.IsFinal)
                    {
                        yield break;
                    }
                }

                if (page.Count < Page)
                {
                    break;
                }
            }

            using var subscription = attached ?? pin.TryAttach(position.Seq, position.N);
            attached = null;
            if (subscription is null)
            {
                continue;
            }

            mirror?.Attached();
            using var descendants = tree ? await AttachTreeAsync(runId, subscription, cancellationToken) : null;
            while (await subscription.Reader.WaitToReadAsync(cancellationToken))
            {
                while (subscription.Reader.TryRead(out var live))
                {
                    position = live.Seq == 0 ? position : new StreamPosition(live.Seq, live.N);
                    yield return live.Item;
                    if (live.Item.IsFinal)
                    {
                        yield break;
                    }
                }
            }
        }
    }

    private async Task<IDisposable?> FollowTreeAsync(RunsElsewhere others, string runId, CancellationToken cancellationToken) =>
        await reader.RowAsync(runId, ownerId: null, cancellationToken) is { } row ? await others.FollowTreeAsync(row.Identity.RootRunId, cancellationToken) : null;

    private async Task<IDisposable?> AttachTreeAsync(string runId, RunSubscription subscription, CancellationToken cancellationToken)
    {
        if (await reader.RowAsync(runId, ownerId: null, cancellationToken) is not { } row)
        {
            return null;
        }

        if (row.IsRoot)
        {
            return hub.AttachTree(runId, runId, subscription, []);
        }

        var tree = await reader.TreeAsync(runId, ownerId: null, cancellationToken);
        return hub.AttachTree(row.Identity.RootRunId, runId, subscription,
            tree.Where(r => r.ParentRunId is not null).Select(r => KeyValuePair.Create(r.Id, r.ParentRunId!)));
    }
}
