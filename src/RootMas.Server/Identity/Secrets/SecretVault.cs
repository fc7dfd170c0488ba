using System.Collections.Frozen;
using System.Security.Cryptography;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Secrets;

/// <summary>Tells who in this program uses a secret: <c>models.yaml: provider openai</c>. Slices that use secrets register one.</summary>
public delegate IEnumerable<string> SecretUses(string name);

/// <summary>Takes over at once what was entered or removed here. Slices that keep what they made from secrets register one.</summary>
public delegate Task SecretsChanged(CancellationToken cancellationToken);

/// <summary>The opened secrets, for the code that sends them where they belong. Never shown, never logged.</summary>
public sealed class SecretVault(SecretStore store, SecretBox box)
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private FrozenDictionary<string, string> _values = FrozenDictionary<string, string>.Empty;
    private bool _isLoaded;
    private int _version;

    /// <summary>Grows with every change, so that others notice one.</summary>
    public int Version => Volatile.Read(ref _version);

    public IEnumerable<string> Names => Volatile.Read(ref _values).Keys;

    public string? Find(string name) => Volatile.Read(ref _values).GetValueOrDefault(name);

    /// <summary>Opens all secrets, once; who needs one at start waits for this and not for an order of services.</summary>
    /// <exception cref="StartupRefusedException">They were sealed with another key.</exception>
    public Task EnsureLoadedAsync(CancellationToken cancellationToken) => _isLoaded ? Task.CompletedTask : ReloadAsync(cancellationToken);

    public async Task ReloadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var rows = await store.LoadAsync(cancellationToken);
            _ = box.Id; // the key is there, or made, before the first secret needs it
            var values = rows.ToFrozenDictionary(static r => r.Name, Open, StringComparer.Ordinal);
            var isChanged = values.Count != _values.Count || values.Any(v => _values.GetValueOrDefault(v.Key) != v.Value);
            Volatile.Write(ref _values, values);
            _isLoaded = true;
            if (isChanged)
            {
                Interlocked.Increment(ref _version); // a mere look makes nobody read anew
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private string Open((string Name, byte[] Sealed) row)
    {
        try
        {
            return box.Open(SecretStore.PurposeOf(row.Name), row.Sealed);
        }
        catch (CryptographicException)
        {
            throw new StartupRefusedException(SecretBox.KeyOf(row.Sealed) is { } other && other != box.Id
                ? $"The secret '{row.Name}' was sealed with the key {other}, and the key here is {box.Id} (ROOTMAS_MASTER_KEY, or keys/{SecretBox.FileName} of the data directory). Put the right key back, from a backup if need be."
                : $"The secret '{row.Name}' cannot be opened: its row was changed. Restore the database from a backup.");
        }
    }
}

/// <summary>A wrong key stops the start, not the first use.</summary>
internal sealed class SecretVaultStart(SecretVault vault) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => vault.EnsureLoadedAsync(cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
