using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>Shows the readers of a tree what its descendants do in other instances: events from the store, pieces as they are heard.</summary>
internal sealed class TreeMirror(TreeChannel tree, FollowTools tools) : Followed(WishKey.Tree(tree.RootRunId))
{
    private const int Page = 200;

    public override void Hear(RunNote note, ReadOnlyMemory<byte> body)
    {
        if (note is { Kind: NoteKind.Piece, Parent: { } parent })
        {
            tree.Take(note.Run, parent, new StreamItem(null, RunEventNames.Of(RunJson.DeserializePiece(body.Span)), body, IsFinal: false));
        }
        else if (note.Kind == NoteKind.Appended)
        {
            Look();
        }
    }

    /// <summary>What has happened until now is not shown.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken) =>
        tree.Begin(await tools.Reader.DescendantsAsync(tree.RootRunId, cancellationToken));

    protected override async Task LookAsync()
    {
        try
        {
            foreach (var run in await tools.Reader.DescendantsAsync(tree.RootRunId, CancellationToken.None))
            {
                await ShowAsync(run);
            }
        }
        catch (Exception e) when (e is StorageUnavailableException or ObjectDisposedException or OperationCanceledException)
        {
            tools.Failed(e);
        }
    }

    private async Task ShowAsync(Descendant run)
    {
        for (var seq = tree.SeqOf(run.RunId); seq < run.LastSeq; seq = tree.SeqOf(run.RunId))
        {
            var page = await tools.Reader.EventsAsync(run.RunId, seq, Page, CancellationToken.None);
            if (page.Count == 0)
            {
                return;
            }

            tree.TakeStored(run.RunId, run.ParentRunId, page);
        }
    }
}
