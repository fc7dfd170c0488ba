using RootMas.Server.Identity.Users;

namespace RootMas.Server.Identity.Access;

/// <summary>Loads the local administrator before the server listens.</summary>
internal sealed class LocalUserStartup(LocalUser user, UserStore store) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var (id, username) = await store.LocalAsync(cancellationToken);
        user.Set(id, username);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
