using System.Globalization;
using System.Runtime.CompilerServices;

namespace RootMas.Server.Runs;

/// <summary>
/// A run's stream from any position to its end (DESIGN §4.5): stored events, then the text so far of the unfinished message, then live. Without a gap and without anything
/// twice: the store is read until the hub knows no more than the reader, and only then the reader attaches.
/// </summary>
internal sealed class RunStreams(RunReader reader, StreamHub hub)
{
    private const int Page = 200;

    public async IAsyncEnumerable<StreamItem> ReadAsync(string runId, StreamPosition after, bool tree, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var open = RunMetrics.StreamOpened();
        using var pin = hub.Pin(runId);
        var position = after;
        while (true)
        {
            IReadOnlyList<StoredEvent> page;
            do
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
            }
            while (page.Count == Page);

            using var subscription = pin.TryAttach(position.Seq, position.N);
            if (subscription is null)
            {
                continue;
            }

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
