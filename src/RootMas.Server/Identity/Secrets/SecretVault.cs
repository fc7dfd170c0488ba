using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Secrets;

/// <summary>Tells who in this program uses a secret: <c>models.yaml: provider openai</c>. Slices that use secrets register one.</summary>
public delegate IEnumerable<string> SecretUses(string name);

/// <summary>Takes over at once what was entered or removed here. Slices that keep what they made from secrets register one.</summary>
public delegate Task SecretsChanged(CancellationToken cancellationToken);

/// <summary>The opened secrets, for the code that sends them where they belong. Never shown, never logged.</summary>
public sealed class SecretVault(SecretStore store, SecretBox box, KeyRing keys, AuditLog audit)
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
            if (!_isLoaded && await TakeOverAsync(rows, cancellationToken))
            {
                rows = await store.LoadAsync(cancellationToken);
            }

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

    /// <summary>At the start: what a master key sealed itself, the one of now or the one before, is sealed with the key of now; what was sealed with a key that is lost, as the operator says, goes.</summary>
    /// <returns>Whether there was anything of the kind.</returns>
    private async Task<bool> TakeOverAsync(List<(string Name, byte[] Sealed)> rows, CancellationToken cancellationToken)
    {
        var masters = keys.Masters.Select(static key => new SecretBox(key)).ToList();
        var others = rows.Where(r => SecretBox.KeyOf(r.Sealed) is { } key && key != box.Id).ToList();
        foreach (var (name, value) in others)
        {
            var key = SecretBox.KeyOf(value)!;
            if (masters.Find(m => m.Id == key) is { } master)
            {
                await SealAnewAsync(name, value, master, cancellationToken);
            }
            else if (keys.IsLost(SecretBox.FileName))
            {
                await RemoveAsync(name, key, cancellationToken);
            }
        }

        return others.Count > 0;
    }

    private async Task SealAnewAsync(string name, byte[] value, SecretBox master, CancellationToken cancellationToken)
    {
        string plain;
        try
        {
            plain = master.Open(SecretStore.PurposeOf(name), value);
        }
        catch (CryptographicException)
        {
            return; // the row was changed, which is said when it is opened
        }

        await store.SealAnewAsync(name, value, plain, cancellationToken);
    }

    private async Task RemoveAsync(string name, string key, CancellationToken cancellationToken)
    {
        var entry = new AuditEntry
        {
            Action = "secret.delete",
            TargetKind = "secret",
            TargetId = name,
            Before = new JsonObject { ["key"] = key },
            After = new JsonObject { ["reason"] = "key_lost" },
        };
        if (await store.FindAsync(name, cancellationToken) is { } read)
        {
            await store.ChangeAsync(new SecretChange(name, null, read, "", session => audit.AppendAsync(session, entry)), cancellationToken);
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
                ? $"The secret '{row.Name}' was sealed with the key {other}, and the key here is {box.Id} (ROOTMAS_MASTER_KEY, or keys/{SecretBox.FileName} of the data directory). Put the right key back, from a backup if need be. If it is lost, start once with ROOTMAS__Keys__Replace__0={SecretBox.FileName}: secrets that were sealed with it are removed then, and have to be entered anew."
                : $"The secret '{row.Name}' cannot be opened: its row was changed. Restore the database from a backup.");
        }
    }
}

/// <summary>A wrong key stops the start, not the first use.</summary>
internal sealed class SecretVaultStart(SecretVault vault) : LifecycleService
{
    public override Task StartingAsync(CancellationToken cancellationToken) => vault.EnsureLoadedAsync(cancellationToken);
}
