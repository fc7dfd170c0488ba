using System.Runtime.CompilerServices;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>
/// What the runs below one did, for a stream that shows its whole tree: each log in the place where the one above says that it begins, and never behind the place where that one says that it ended. The store has all of it; what comes live
/// only says that there is more, so nothing is missing where a reader came late or was too slow, and nothing is shown twice. One instance per stream, used by one flow of control.
/// </summary>
internal sealed class DescendantLogs(RunReader reader, string runId)
{
    /// <summary>Of each level one is held while those below are read.</summary>
    private const int Page = 50;

    /// <summary>Runs whose beginning was shown and whose end was not, with the last event that was. Of others nothing is shown: they have ended, or the one above has yet to say that they begin.</summary>
    private readonly Dictionary<string, long> _open = new(StringComparer.Ordinal);

    private string _rootRunId = "";

    /// <summary>Stands in a stream where the descendants are listened to from then on: what they did until then is in the store.</summary>
    public static StreamItem Attached { get; } = new(null, "", ReadOnlyMemory<byte>.Empty, IsFinal: false);

    /// <summary>What is to be shown for this item, which is no piece: itself, and what belongs before and behind it; or nothing, where that was shown.</summary>
    public IAsyncEnumerable<StreamItem> ShowAsync(StreamItem item, CancellationToken cancellationToken) =>
        item.Type.Length == 0 ? RestOfAllAsync(cancellationToken)
        : item.Id is null ? NewsAsync(item, cancellationToken)
        : InPlaceAsync(runId, item, cancellationToken);

    private async IAsyncEnumerable<StreamItem> NewsAsync(StreamItem item, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var e = RunJson.DeserializeEvent(item.Json.Span);
        if (!_open.TryGetValue(e.RunId, out var shown) || e.Seq <= shown)
        {
            yield break;
        }

        var news = e.Seq == shown + 1 ? NextAsync(e.RunId, new StoredEvent(e.Seq, item.Type, item.Json), cancellationToken) : RestAsync(e.RunId, cancellationToken);
        await foreach (var one in news.WithCancellation(cancellationToken))
        {
            yield return one;
        }
    }

    /// <param name="of">The run whose event it is.</param>
    private async IAsyncEnumerable<StreamItem> InPlaceAsync(string of, StreamItem item, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var task = item.Type is "child.started" or "child.completed" ? RunJson.DeserializeEvent(item.Json.Span) : null;
        var before = task is ChildCompleted ended ? RestAsync(ended.ChildRunId, cancellationToken) : item.IsFinal ? RestOfAllAsync(cancellationToken) : null;
        if (before is not null)
        {
            await foreach (var one in before.WithCancellation(cancellationToken))
            {
                yield return one;
            }
        }

        yield return item;
        if (task is ChildStarted begun)
        {
            await foreach (var one in BeginAsync(of, begun.ChildRunId, cancellationToken))
            {
                yield return one;
            }
        }
    }

    private async IAsyncEnumerable<StreamItem> BeginAsync(string parentRunId, string childRunId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The log of a retry is a copy: runs that are named in what was copied are below the run that was repeated.
        if (await reader.RowAsync(childRunId, ownerId: null, cancellationToken) is not { } row || row.Identity.ParentRunId != parentRunId)
        {
            yield break;
        }

        (_rootRunId, _open[childRunId]) = (row.Identity.RootRunId, 0);
        await foreach (var one in RestAsync(childRunId, cancellationToken))
        {
            yield return one;
        }
    }

    /// <summary>What is in the store of all logs that are open.</summary>
    private async IAsyncEnumerable<StreamItem> RestOfAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (_open.Count == 0)
        {
            yield break;
        }

        foreach (var run in await reader.DescendantsAsync(_rootRunId, cancellationToken))
        {
            if (!_open.TryGetValue(run.RunId, out var shown) || shown >= run.LastSeq)
            {
                continue;
            }

            await foreach (var one in RestAsync(run.RunId, cancellationToken))
            {
                yield return one;
            }
        }
    }

    /// <summary>What is in the store of one log, if it is open.</summary>
    private async IAsyncEnumerable<StreamItem> RestAsync(string childRunId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (_open.TryGetValue(childRunId, out var shown))
        {
            var page = await reader.EventsAsync(childRunId, shown, Page, cancellationToken);
            foreach (var e in page)
            {
                await foreach (var one in NextAsync(childRunId, e, cancellationToken))
                {
                    yield return one;
                }
            }

            if (page.Count < Page)
            {
                yield break;
            }
        }
    }

    private IAsyncEnumerable<StreamItem> NextAsync(string childRunId, StoredEvent e, CancellationToken cancellationToken)
    {
        if (e.IsFinal)
        {
            _open.Remove(childRunId);
        }
        else
        {
            _open[childRunId] = e.Seq;
        }

        return InPlaceAsync(childRunId, new StreamItem(null, e.Type, e.Json, IsFinal: false), cancellationToken);
    }
}
