namespace RootMas.Tests.Support.Clusters;

/// <summary>One process of a cluster with its own ways to the servers that it needs.</summary>
internal sealed class ClusterNode(string name, ServerProcess process, CuttingProxy postgres, CuttingProxy redis, CuttingProxy rabbit) : IAsyncDisposable
{
    private bool _stopped;

    public string Name => name;

    public ServerProcess Process => process;

    public CuttingProxy Postgres => postgres;

    public CuttingProxy Redis => redis;

    public CuttingProxy Rabbit => rabbit;

    public IReadOnlyList<CuttingProxy> Ways => [postgres, redis, rabbit];

    /// <summary><c>kill -9</c>, also while it stands still.</summary>
    public async Task KillAsync()
    {
        _stopped = false;
        await process.KillAsync();
    }

    /// <summary>SIGSTOP.</summary>
    public void Stop()
    {
        if (!process.HasExited)
        {
            process.Stop();
            _stopped = true;
        }
    }

    /// <summary>SIGCONT, if it stands still.</summary>
    public void Continue()
    {
        if (_stopped && !process.HasExited)
        {
            process.Continue();
        }

        _stopped = false;
    }

    /// <summary>Everything flows, it goes on, and it is started again as often as it takes: a start may fail while the servers come back.</summary>
    public async Task ReviveAsync(CancellationToken cancellationToken)
    {
        foreach (var way in Ways)
        {
            way.Let(Traffic.Flows);
        }

        Continue();
        while (!await process.IsReadyAsync())
        {
            if (process.HasExited)
            {
                process.Launch();
            }

            await Task.Delay(100, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Continue();
        await process.DisposeAsync();
        foreach (var way in Ways)
        {
            await way.DisposeAsync();
        }
    }
}
