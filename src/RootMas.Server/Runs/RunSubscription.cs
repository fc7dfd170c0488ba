using System.Threading.Channels;

namespace RootMas.Server.Runs;

/// <summary>An item on its way to one reader. <see cref="Seq"/> 0: of a descendant, outside the run's own numbering.</summary>
internal readonly record struct LiveItem(StreamItem Item, long Seq, int N)
{
    /// <summary>Where a reader stands that has seen it.</summary>
    public StreamPosition After(StreamPosition before) => Seq == 0 ? before : new StreamPosition(Seq, N);
}

/// <summary>
/// One reader of one run's live stream, between the hub and a client. What is in its buffer follows the reader's position without a gap; when that cannot be kept
/// (the reader is too slow, or missed something), the buffer is closed and the reader goes back to the store.
/// </summary>
internal sealed class RunSubscription(long last) : IDisposable
{
    /// <summary>Enough for a burst; a reader that falls behind further reads the store and one snapshot instead.</summary>
    internal const int Capacity = 256;

    private readonly Channel<LiveItem> _buffer = Channel.CreateBounded<LiveItem>(new BoundedChannelOptions(Capacity) { SingleReader = true });
    private Action<RunSubscription>? _detach;
    private long _last = last;
    private int _lastN;

    /// <summary>The store was read further than the hub has published, or the reader knows pieces that the hub does not: what comes up to there is known already.</summary>
    private bool _joining;

    /// <summary>The piece up to which the reader was shown the open message, by another instance, that has heard more.</summary>
    private int _known;

    public bool IsBroken { get; private set; }

    /// <summary>Whether pieces of descendants are shown beside their events: many that write at once fill any buffer. To be said before they are listened to.</summary>
    public bool WithPiecesBelow { get; set; } = true;

    public ChannelReader<LiveItem> Reader => _buffer.Reader;

    /// <summary>Called under the run channel's lock.</summary>
    public void Attach(long publishedSeq, int publishedN, Action<RunSubscription> detach)
    {
        _joining = publishedSeq < _last;
        _lastN = _joining ? 0 : publishedN;
        _detach = detach;
    }

    /// <summary>Called under the run channel's lock: no piece counts before the text so far, the piece after the last one known, or the next event.</summary>
    public void AwaitSnapshot(int known) => (_joining, _known) = (true, known);

    /// <summary>Called under the run channel's lock: whether the text up to this piece is news.</summary>
    public bool Misses(long seq, int n) => seq == _last && (_joining ? n >= _known : n != _lastN);

    /// <summary>Called under the run channel's lock: whether it waits for exactly the piece after this one.</summary>
    public bool Stands(long seq, int n) => !_joining && seq == _last && n == _lastN;

    /// <summary>Called under the run channel's lock: the next piece is the one after this; what was missed before does not count or follows as a whole.</summary>
    public void StandAt(long seq, int n)
    {
        if (seq == _last && n >= _known)
        {
            (_lastN, _joining) = (n, false);
        }
    }

    /// <summary>Called under the run channel's lock. True: with this event the reader has caught up and may need the text so far.</summary>
    public bool OfferEvent(long seq, in StreamItem item)
    {
        var joined = _joining;
        if (seq <= _last)
        {
            joined &= seq == _last && _known == 0;
            _joining &= !joined;
            return joined;
        }

        if (seq != _last + 1)
        {
            Break();
            return false;
        }

        (_joining, _known) = (false, 0);
        (_last, _lastN) = (seq, 0);
        Write(new LiveItem(item, seq, 0));
        return joined;
    }

    /// <summary>Called under the run channel's lock.</summary>
    public void OfferPiece(long seq, int n, in StreamItem item)
    {
        if (_joining)
        {
            if (_known == 0 || seq != _last || n != _known + 1)
            {
                return;
            }

            (_joining, _lastN) = (false, _known);
        }

        if (seq != _last || n != _lastN + 1)
        {
            Break();
            return;
        }

        _lastN = n;
        Write(new LiveItem(item, seq, n));
    }

    /// <summary>Called under the run channel's lock: the text so far, standing for all pieces up to n.</summary>
    public void OfferSnapshot(long seq, int n, in StreamItem item)
    {
        (_last, _lastN, _joining, _known) = (seq, n, false, 0);
        Write(new LiveItem(item, seq, n));
    }

    /// <summary>Something of a descendant; not numbered, live only.</summary>
    public void OfferDescendant(in StreamItem item)
    {
        if (WithPiecesBelow || !RunEventNames.IsPiece(item.Type))
        {
            Write(new LiveItem(item with { Id = null, IsFinal = false }, 0, 0));
        }
    }

    /// <summary>The reader takes what is buffered, then goes back to the store.</summary>
    public void Break()
    {
        IsBroken = true;
        _buffer.Writer.TryComplete();
    }

    public void Dispose()
    {
        Break();
        _detach?.Invoke(this);
    }

    private void Write(in LiveItem item)
    {
        if (!_buffer.Writer.TryWrite(item))
        {
            Break();
        }
    }
}
