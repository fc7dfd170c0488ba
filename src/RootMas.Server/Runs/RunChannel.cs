using System.Globalization;
using System.Text;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>The live side of one run: where its log stands, the text so far of the message that is being written, and who listens.</summary>
internal sealed class RunChannel(string runId)
{
    private readonly Lock _gate = new();
    private RunSubscription[] _subscribers = [];
    private long _seq;
    private int _n;
    private string? _messageId;
    private string _agent = "";
    private DateTimeOffset _at;
    private StringBuilder? _text;
    private int _pins;
    private bool _live;
    private bool _removed;

    public string RunId => runId;

    /// <summary>False: this object is out of use, get another.</summary>
    public bool TryPin()
    {
        lock (_gate)
        {
            _pins += _removed ? 0 : 1;
            return !_removed;
        }
    }

    /// <summary>True: nobody needs the channel any more.</summary>
    public bool Unpin()
    {
        lock (_gate)
        {
            _pins--;
            return _removed = !_live && _pins == 0;
        }
    }

    /// <summary>The run's worker has let go of it. True: nobody needs the channel any more.</summary>
    public bool Leave()
    {
        lock (_gate)
        {
            _live = false;
            return _removed = _pins == 0;
        }
    }

    /// <summary>Null: the hub knows newer events than the reader; they are in the store, read them first.</summary>
    public RunSubscription? TryAttach(long last, int lastN)
    {
        lock (_gate)
        {
            if (_seq > last)
            {
                return null;
            }

            var subscription = new RunSubscription(last);
            subscription.Attach(_seq, _n, Detach);
            _subscribers = [.. _subscribers, subscription];
            if (_seq == last && (_n != lastN || lastN == 0))
            {
                SendSnapshot(subscription);
            }

            return subscription;
        }
    }

    /// <summary>False: this object is out of use, get another.</summary>
    public bool TryPublish(IReadOnlyList<EventRecord> events)
    {
        lock (_gate)
        {
            if (_removed)
            {
                return false;
            }

            _live = true;
            foreach (var (e, json) in events)
            {
                if (e.Seq <= _seq)
                {
                    continue; // told late, after what followed it: whoever missed it reads it from the store
                }

                (_seq, _n) = (e.Seq, 0);
                Track(e);
                if (_subscribers.Length > 0)
                {
                    Send(e, json);
                }
            }

            return true;
        }
    }

    /// <param name="json">The piece as JSON, made on first use.</param>
    public void Publish(LivePiece piece, ref byte[]? json)
    {
        lock (_gate)
        {
            if (piece is MessageDelta delta)
            {
                Collect(delta);
            }

            if (piece.Seq != _seq)
            {
                // An event overtook the piece: its id can no longer be sent, so readers fetch the text so far instead.
                BreakAll();
                return;
            }

            _n = piece.N;
            if (_subscribers.Length == 0)
            {
                return;
            }

            var item = new StreamItem(Id(piece.Seq, piece.N), RunEventNames.Of(piece), json ??= RunJson.Serialize(piece), IsFinal: false);
            foreach (var subscriber in _subscribers)
            {
                subscriber.OfferPiece(piece.Seq, piece.N, item);
            }

            Sweep();
        }
    }

    private void Send(RunEvent e, byte[] json)
    {
        var item = new StreamItem(e.Seq.ToString(CultureInfo.InvariantCulture), RunEventNames.Of(e), json, RunEventNames.IsFinal(e));
        foreach (var subscriber in _subscribers)
        {
            if (subscriber.OfferEvent(e.Seq, item))
            {
                SendSnapshot(subscriber);
            }
        }

        Sweep();
    }

    private void Track(RunEvent e)
    {
        var over = e switch
        {
            ModelCompleted m => m.MessageId == _messageId,
            ModelFailed m => m.MessageId == _messageId,
            MessageSuperseded m => m.MessageId == _messageId,
            MessageCompleted or RunStarted => true,
            _ => RunEventNames.IsFinal(e),
        };
        if (over)
        {
            _messageId = null;
            _text?.Clear();
        }
    }

    private void Collect(MessageDelta delta)
    {
        if (delta.MessageId != _messageId)
        {
            _messageId = delta.MessageId;
            _text?.Clear();
        }

        (_agent, _at) = (delta.Agent, delta.CreatedAt);
        (_text ??= new StringBuilder()).Append(delta.Text);
    }

    private void SendSnapshot(RunSubscription subscriber)
    {
        if (_messageId is null || _text is null or { Length: 0 })
        {
            return;
        }

        var snapshot = new MessageSnapshot(_messageId, _text.ToString()) { RunId = runId, Seq = _seq, Agent = _agent, CreatedAt = _at, N = _n };
        subscriber.OfferSnapshot(_seq, _n, new StreamItem(Id(_seq, _n), RunEventNames.Of(snapshot), RunJson.Serialize(snapshot), IsFinal: false));
    }

    private void BreakAll()
    {
        foreach (var subscriber in _subscribers)
        {
            subscriber.Break();
        }

        Sweep();
    }

    /// <summary>Those that fell behind or were closed cost nothing from here on.</summary>
    private void Sweep()
    {
        foreach (var subscriber in _subscribers)
        {
            if (subscriber.IsBroken)
            {
                _subscribers = [.. _subscribers.Where(static s => !s.IsBroken)];
                return;
            }
        }
    }

    private void Detach(RunSubscription subscription)
    {
        lock (_gate)
        {
            Sweep();
        }
    }

    private static string Id(long seq, int n) => string.Create(CultureInfo.InvariantCulture, $"{seq}:{n}");
}
