using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Audit;

/// <summary>The key of the chain. Kept apart from the database: who can change rows cannot make their macs.</summary>
public sealed class AuditKey
{
    /// <summary>Name of its file in <c>&lt;data&gt;/keys</c>.</summary>
    public const string FileName = "audit.key";

    private readonly Lazy<byte[]> _key;

    public AuditKey(byte[] key)
        : this(() => key)
    {
    }

    /// <param name="key">Asked for at the first use: keys of an installation are there once its database is open.</param>
    public AuditKey(Func<byte[]> key) => _key = new(key);

    /// <summary>Its short name, which says nothing about it.</summary>
    public string Id => KeyFile.IdOf(_key.Value);

    /// <summary>The configured key, or the one of the data directory, made at the first start. Of the embedded database.</summary>
    public static AuditKey Load(AuditOptions options, DataDirectory data) =>
        new(KeyFile.Parse(options.Key ?? "") ?? KeyFile.ReadOrCreate(data, FileName));

    public byte[] Mac(ReadOnlySpan<byte> canonical) => HMACSHA256.HashData(_key.Value, canonical);

    /// <summary>Stands for a secret value in comparisons: equal values have equal hashes, and nobody without the key can try values.</summary>
    public string Conceal(string name, string value) => "hmac:" + Convert.ToHexStringLower(Mac(Encoding.UTF8.GetBytes($"setting\0{name}\0{value}"))[..12]);
}
