using System.Globalization;
using System.Text;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>
/// The live side of one run: where its log stands, the text so far of the message that is being written, and who listens. What happens is told by the run's worker,
/// or, while another instance has the run, by its mirror (<see cref="Elsewhere.RunMirror"/>), which hears pieces late, or not at all.
/// </summary>
internal sealed partial class RunChannel(string runId)
{
    private readonly Lock _gate = new();
    private readonly List<RunSubscription> _subscribers = [];
    private long _seq;
    private int _n;
    private string? _messageId;
    private string _agent = "";
    private DateTimeOffset _at;
    private StringBuilder? _text;
    private StringBuilder? _reasoning;

    /// <summary>How a tool got on last.</summary>
    private ToolProgress? _progress;
    private int _pins;
    private bool _live;
    private bool _removed;

    /// <summary>Nothing of the open message is missing. A mirror that missed a piece shows nothing until it has the whole text again.</summary>
    private bool _whole = true;

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

            BeginAt(last);
            var subscription = new RunSubscription(last);
            subscription.Attach(_seq, _n, Detach);
            _subscribers.Add(subscription);
            if (IsBehind(last, lastN))
            {
                subscription.AwaitSnapshot(lastN);
            }
            else if (_seq == last && (_n != lastN || lastN == 0))
            {
                SendSnapshot(subscription);
            }

            return subscription;
        }
    }

    /// <param name="live">Its worker is here, and goes on to tell.</param>
    /// <returns>False: this object is out of use, get another.</returns>
    public bool TryPublish(IReadOnlyList<EventRecord> events, bool live = true)
    {
        lock (_gate)
        {
            if (_removed)
            {
                return false;
            }

            (_live, _whole) = (_live || live, _whole || live);
            foreach (var (e, json) in events)
            {
                if (e.Seq <= _seq)
                {
                    continue; // told late, after what followed it: whoever missed it reads it from the store
                }

                (_seq, _n) = (e.Seq, 0);
                Track(e);
                if (_subscribers.Count > 0)
                {
                    Send(e.Seq, RunEventNames.Of(e), json, RunEventNames.IsFinal(e));
                }
            }

            return true;
        }
    }

    /// <param name="json">The piece as JSON, made on first use.</param>
    /// <returns>How much text of its message was said before it.</returns>
    public int Publish(LivePiece piece, ref byte[]? json)
    {
        lock (_gate)
        {
            var before = Collect(piece);
            if (piece.Seq != _seq)
            {
                // An event overtook the piece: its id can no longer be sent, so readers fetch the text so far instead.
                BreakAll();
                return before;
            }

            _n = piece.N;
            if (_subscribers.Count > 0)
            {
                Send(piece, json ??= RunJson.Serialize(piece));
            }

            return before;
        }
    }

    private void Send(LivePiece piece, ReadOnlyMemory<byte> json)
    {
        var item = Item(piece, json);
        foreach (var subscriber in _subscribers)
        {
            subscriber.OfferPiece(piece.Seq, piece.N, item);
        }

        Sweep();
    }

    private void Send(long seq, string type, ReadOnlyMemory<byte> json, bool isFinal)
    {
        var item = new StreamItem(seq.ToString(CultureInfo.InvariantCulture), type, json, isFinal);
        foreach (var subscriber in _subscribers)
        {
            if (subscriber.OfferEvent(seq, item))
            {
                SendSnapshot(subscriber);
            }
        }

        Sweep();
    }

    private void Track(RunEvent e)
    {
        if (e is ModelRequested { MessageId: var begun })
        {
            (_messageId, _whole) = (begun, true);
            Forget();
            return;
        }

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
            (_messageId, _whole) = (null, true);
            Forget();
        }
    }

    private void Forget()
    {
        _text?.Clear();
        _reasoning?.Clear();
    }

    /// <summary>Returns how much text of the message there was before, if it is a piece of its text.</summary>
    private int Collect(LivePiece piece)
    {
        (_agent, _at) = (piece.Agent, piece.CreatedAt);
        switch (piece)
        {
            case MessageDelta delta:
                Turn(delta.MessageId);
                var before = (_text ??= new StringBuilder()).Length;
                _text.Append(delta.Text);
                return before;
            case ReasoningDelta thought:
                Turn(thought.MessageId);
                (_reasoning ??= new StringBuilder()).Append(thought.Text);
                return 0;
            default:
                _progress = piece as ToolProgress;
                return 0;
        }
    }

    private void Turn(string messageId)
    {
        if (messageId != _messageId)
        {
            _messageId = messageId;
            Forget();
        }
    }

    private void SendSnapshot(RunSubscription subscriber)
    {
        if (TextSoFar() is not { } snapshot)
        {
            return;
        }

        // How a tool got on last is told again as the piece it was: then the snapshot stands for what came before.
        var last = _progress is { } progress && progress.Seq == _seq && progress.N == _n ? progress : null;
        var upTo = last is null ? _n : _n - 1;
        subscriber.OfferSnapshot(_seq, upTo, Item(snapshot with { N = upTo }));
        if (last is not null)
        {
            subscriber.OfferPiece(_seq, _n, Item(last));
        }
    }

    private static StreamItem Item(LivePiece piece) => Item(piece, RunJson.Serialize(piece));

    private static StreamItem Item(LivePiece piece, ReadOnlyMemory<byte> json) => new(Id(piece.Seq, piece.N), RunEventNames.Of(piece), json, IsFinal: false);

    /// <summary>What stands for all pieces so far; null: none were said, or not all of them are known.</summary>
    private MessageSnapshot? TextSoFar() => !_whole || (_n == 0 && _text is null or { Length: 0 } && _reasoning is null or { Length: 0 })
        ? null
        : new MessageSnapshot(_messageId ?? "", _text?.ToString() ?? "", _reasoning is { Length: > 0 } thought ? thought.ToString() : null)
        {
            RunId = runId, Seq = _seq, Agent = _agent, CreatedAt = _at, N = _n,
        };

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
        _subscribers.RemoveAll(static s => s.IsBroken);
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
