using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>Wakes those who wait here for a run that another instance works on.</summary>
internal sealed class EndWatch(string runId, Action<string> wake) : Followed(WishKey.End(runId))
{
    public string RunId => runId;

    public override void Hear(RunNote note, ReadOnlyMemory<byte> body) => Wake();

    public void Wake() => wake(runId);

    /// <summary>Those who wait look themselves.</summary>
    protected override Task LookAsync()
    {
        Wake();
        return Task.CompletedTask;
    }
}

/// <summary>Tells of new root runs of one owner that other instances have accepted.</summary>
internal sealed class StartWatch(string ownerId, Action<string, string> tell, FollowTools tools) : Followed(WishKey.Starts(ownerId))
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private bool _hasBegun;

    /// <summary>Runs that are there already are not new.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        var ids = await NewestAsync(cancellationToken);
        lock (_known)
        {
            _known.UnionWith(ids);
            _hasBegun = true;
        }
    }

    public override void Hear(RunNote note, ReadOnlyMemory<byte> body) => Tell(note.Run);

    protected override async Task LookAsync()
    {
        try
        {
            var newest = await NewestAsync(CancellationToken.None);
            lock (_known)
            {
                if (!_hasBegun)
                {
                    return; // which are there already is not known yet
                }
            }

            foreach (var runId in newest.Reverse())
            {
                Tell(runId);
            }

            lock (_known)
            {
                _known.IntersectWith(newest); // older ones are not asked for again
            }
        }
        catch (Exception e) when (e is StorageUnavailableException or ObjectDisposedException or OperationCanceledException)
        {
            tools.Failed(e);
        }
    }

    private void Tell(string runId)
    {
        lock (_known)
        {
            if (!_known.Add(runId))
            {
                return;
            }
        }

        tell(ownerId, runId);
    }

    private async Task<IReadOnlyList<string>> NewestAsync(CancellationToken cancellationToken) =>
        [.. (await tools.Reader.ListAsync(new RunFilter { OwnerId = ownerId }, cancellationToken)).Select(static r => r.Id)];
}
