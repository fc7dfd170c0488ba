namespace RootMas.Server.Platform;

/// <summary>Does something at one of the moments of a host's life, and nothing at the others.</summary>
public abstract class LifecycleService : IHostedLifecycleService
{
    /// <summary>Before anything listens. What it throws stops the start.</summary>
    public virtual Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>When everything listens.</summary>
    public virtual Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>When it is to stop.</summary>
    public virtual Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>When everything else has stopped.</summary>
    public virtual Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
