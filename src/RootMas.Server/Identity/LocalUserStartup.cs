namespace RootMas.Server.Identity;

/// <summary>Loads the local administrator before the server listens.</summary>
internal sealed class LocalUserStartup(LocalUser user) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        user.Set(Guid.CreateVersion7().ToString(), "local");
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
