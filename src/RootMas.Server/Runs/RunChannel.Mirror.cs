using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>What became of something that a mirror heard.</summary>
internal enum Heard
{
    /// <summary>Shown, or of no interest any more.</summary>
    Done,

    /// <summary>It follows events that were not read from the store yet.</summary>
    TooEarly,

    /// <summary>Something before it was missed: nothing of the message is shown until its whole text has come.</summary>
    Gap,
}

/// <summary>The channel of a run that another instance works on: events come from the store, pieces over the bus. Nothing here counts while the worker is in this process.</summary>
internal sealed partial class RunChannel
{
    private bool _mirrored;

    /// <summary>How far the log was told.</summary>
    public long Seq
    {
        get
        {
            lock (_gate)
            {
                return _seq;
            }
        }
    }

    /// <summary>The run's worker is in this process.</summary>
    public bool IsLive
    {
        get
        {
            lock (_gate)
            {
                return _live;
            }
        }
    }

    public bool HasSubscribers
    {
        get
        {
            lock (_gate)
            {
                return _subscribers.Count > 0;
            }
        }
    }

    /// <summary>The text of the open message is known, or none is open.</summary>
    public bool IsWhole
    {
        get
        {
            lock (_gate)
            {
                return _whole;
            }
        }
    }

    /// <summary>A mirror feeds the channel from now on, or no longer.</summary>
    public void Mirror(bool on)
    {
        lock (_gate)
        {
            _mirrored = on;
            _whole &= _live || _seq > 0;
        }
    }

    /// <summary>Pieces may have been missed.</summary>
    public void DoubtText()
    {
        lock (_gate)
        {
            _whole &= _live;
        }
    }

    /// <summary>Stored events, in their order.</summary>
    public void TakeStored(IReadOnlyList<StoredEvent> events)
    {
        lock (_gate)
        {
            foreach (var stored in events)
            {
                if (_live || stored.Seq != _seq + 1)
                {
                    continue;
                }

                (_seq, _n) = (stored.Seq, 0);
                Track(RunJson.DeserializeEvent(stored.Json.Span));
                Send(stored.Seq, stored.Type, stored.Json, stored.IsFinal);
            }
        }
    }

    /// <param name="before">How much text of its message was said before it.</param>
    public Heard TakePiece(LivePiece piece, ReadOnlyMemory<byte> json, int before)
    {
        lock (_gate)
        {
            if (_live || piece.Seq > _seq)
            {
                return _live ? Heard.Done : Heard.TooEarly;
            }

            if (piece.Seq < _seq || piece.N <= _n)
            {
                // Overtaken by an event, or there already. If its message is still open, a part of the text was missed.
                return piece.Seq < _seq && MessageOf(piece) is { } late && late == _messageId ? Lose() : Heard.Done;
            }

            return TakeNext(piece, json, before);
        }
    }

    /// <summary>Where the worker stands, and the text so far of the message that is open there, if one is.</summary>
    public Heard TakeText(long seq, int n, MessageSnapshot? text)
    {
        lock (_gate)
        {
            if (_live || seq > _seq)
            {
                return _live ? Heard.Done : Heard.TooEarly;
            }

            if (seq < _seq || n < _n)
            {
                return _whole ? Heard.Done : Heard.Gap;
            }

            var missed = !_whole;
            (_n, _whole) = (n, true);
            Take(text);

            foreach (var subscriber in _subscribers)
            {
                if (subscriber.Misses(_seq, _n) || (missed && subscriber.Stands(_seq, _n)))
                {
                    subscriber.StandAt(_seq, _n);
                    SendSnapshot(subscriber);
                }
            }

            Sweep();
            return Heard.Done;
        }
    }

    /// <summary>Tells where the log stands and what was said, before any piece that follows. Nothing is told while the worker is elsewhere.</summary>
    public void TellText(Action<long, int, MessageSnapshot?> tell)
    {
        lock (_gate)
        {
            if (_live)
            {
                tell(_seq, _n, TextSoFar());
            }
        }
    }

    /// <summary>The first reader says where a mirror begins: what it has read from the store need not be read again.</summary>
    private void BeginAt(long last)
    {
        if (_mirrored && !_live && _subscribers.Count == 0 && _seq < last)
        {
            (_seq, _n, _messageId, _whole) = (last, 0, null, false);
            Forget();
        }
    }

    /// <summary>The reader was shown pieces, by another instance, that have not come here yet.</summary>
    private bool IsBehind(long last, int lastN) => _mirrored && !_live && (_seq < last || _n < lastN || !_whole);

    private Heard TakeNext(LivePiece piece, ReadOnlyMemory<byte> json, int before)
    {
        var delta = piece as MessageDelta;
        if (!_whole || piece.N != _n + 1 || (delta is not null && before != LengthOf(delta.MessageId)))
        {
            return Lose();
        }

        _n = piece.N;
        Collect(piece);
        Send(piece, json);
        return Heard.Done;
    }

    /// <summary>What was said so far, as its worker knows it.</summary>
    private void Take(MessageSnapshot? text)
    {
        Forget();
        if (text is null)
        {
            return;
        }

        (_agent, _at, _messageId) = (text.Agent, text.CreatedAt, text.MessageId.Length > 0 ? text.MessageId : _messageId);
        (_text ??= new()).Append(text.Text);
        (_reasoning ??= new()).Append(text.Reasoning);
    }

    private static string? MessageOf(LivePiece piece) => (piece as MessageDelta)?.MessageId ?? (piece as ReasoningDelta)?.MessageId;

    private int LengthOf(string messageId) => messageId == _messageId ? _text?.Length ?? 0 : 0;

    private Heard Lose()
    {
        _whole = false;
        return Heard.Gap;
    }
}
