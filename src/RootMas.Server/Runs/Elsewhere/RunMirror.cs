using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>Feeds the channel of a run that another instance works on, so that its readers here see what they would see there.</summary>
internal sealed class RunMirror(RunChannel channel, FollowTools tools) : Followed(WishKey.Run(channel.RunId))
{
    private const int Page = 200;

    /// <summary>Pieces that wait for an event; more means that the store does not answer, and then the text as a whole is better.</summary>
    private const int MostHeld = 256;

    private readonly Lock _gate = new();
    private readonly Queue<(RunNote Note, ReadOnlyMemory<byte> Body)> _held = new();

    /// <summary>There is more in the store than was told.</summary>
    private volatile bool _more;

    public string RunId => channel.RunId;

    public override bool IsElsewhere => !channel.IsLive;

    public override string? TextWanted => channel.IsWhole ? null : RunId;

    public override void Hear(RunNote note, ReadOnlyMemory<byte> body)
    {
        if (note.Kind == NoteKind.Appended)
        {
            SeeLog(note.Seq);
            return;
        }

        lock (_gate)
        {
            if (_held.Count > 0 || Take(note, body) == Heard.TooEarly)
            {
                Hold(note, body);
            }
        }
    }

    public override void Missed()
    {
        channel.DoubtText();
        base.Missed();
    }

    /// <summary>The log is known to reach so far.</summary>
    public void SeeLog(long lastSeq)
    {
        if (lastSeq > channel.Seq)
        {
            _more = true;
            Look();
        }
    }

    /// <summary>A reader has taken its place: what came before that is told now.</summary>
    public void Attached()
    {
        if (_more)
        {
            Look();
        }

        if (!channel.IsWhole)
        {
            tools.AskForText(RunId);
        }
    }

    /// <summary>The run's worker in this process has let go of it.</summary>
    public void Released()
    {
        _more = true;
        Look();
    }

    protected override async Task LookAsync()
    {
        // Without a reader there is nobody to tell, and the first one says where to begin.
        if (!channel.HasSubscribers)
        {
            return;
        }

        try
        {
            _more = false;
            IReadOnlyList<StoredEvent> page;
            do
            {
                page = await tools.Reader.EventsAsync(RunId, channel.Seq, Page, CancellationToken.None);
                channel.TakeStored(page);
            }
            while (page.Count == Page && !channel.IsLive);
        }
        catch (Exception e) when (e is StorageUnavailableException or ObjectDisposedException or OperationCanceledException)
        {
            _more = true; // the registry looks again
            tools.Failed(e);
            return;
        }

        TakeHeld();
    }

    private void TakeHeld()
    {
        lock (_gate)
        {
            while (_held.TryPeek(out var next) && Take(next.Note, next.Body) != Heard.TooEarly)
            {
                _held.Dequeue();
            }
        }
    }

    private void Hold(RunNote note, ReadOnlyMemory<byte> body)
    {
        if (_held.Count == MostHeld)
        {
            _held.Clear();
            channel.DoubtText();
        }

        _held.Enqueue((note, body));
        SeeLog(note.Seq);
    }

    private Heard Take(RunNote note, ReadOnlyMemory<byte> body)
    {
        var heard = note.Kind switch
        {
            NoteKind.Piece => channel.TakePiece(RunJson.DeserializePiece(body.Span), body, note.Before),
            NoteKind.Text => channel.TakeText(note.Seq, note.N, body.IsEmpty ? null : RunJson.DeserializePiece(body.Span) as MessageSnapshot),
            _ => Heard.Done,
        };
        if (heard == Heard.Gap)
        {
            tools.AskForText(RunId);
        }

        return heard;
    }
}
