using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Platform.Secrets;

/// <summary>
/// Seals values for the database: AES-256-GCM, bound to what the value is for, so that a row moved to another name does not open.
/// Form: version (1 byte), key id (6), nonce (12), tag (16), ciphertext.
/// </summary>
public sealed class SecretBox
{
    /// <summary>Name of the key's file in <c>&lt;data&gt;/keys</c>.</summary>
    public const string FileName = "secrets.key";

    private const byte Version = 1;
    private const int IdBytes = 6;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int HeadBytes = 1 + IdBytes + NonceBytes + TagBytes;

    private readonly Lazy<Derived> _derived;

    /// <param name="info">Keeps keys apart that are derived from the same one for different ends.</param>
    public SecretBox(byte[] key, string info = "rootmas secrets at rest v1")
        : this(() => key, info)
    {
    }

    /// <param name="key">Asked for at the first use: keys of an installation are there once its database is open.</param>
    public SecretBox(Func<byte[]> key, string info = "rootmas secrets at rest v1") =>
        _derived = new(() => new Derived(KeyFile.IdOf(key()), HKDF.DeriveKey(HashAlgorithmName.SHA256, key(), 32, info: Encoding.UTF8.GetBytes(info))));

    /// <summary>The key's short name.</summary>
    public string Id => _derived.Value.Id;

    /// <summary>Which key sealed this; null: not of our form.</summary>
    public static string? KeyOf(ReadOnlySpan<byte> value) => value.Length >= HeadBytes && value[0] == Version ? Convert.ToHexStringLower(value.Slice(1, IdBytes)) : null;

    /// <param name="purpose">What it is for, as <c>secret/NAME</c>; the same is needed to open it.</param>
    public byte[] Seal(string purpose, string value)
    {
        var plain = Encoding.UTF8.GetBytes(value);
        var result = new byte[HeadBytes + plain.Length];
        result[0] = Version;
        Convert.FromHexString(Id).CopyTo(result, 1);
        RandomNumberGenerator.Fill(result.AsSpan(1 + IdBytes, NonceBytes));
        using var aes = new AesGcm(_derived.Value.Key, TagBytes);
        aes.Encrypt(result.AsSpan(1 + IdBytes, NonceBytes), plain, result.AsSpan(HeadBytes), result.AsSpan(HeadBytes - TagBytes, TagBytes), Bound(result, purpose));
        CryptographicOperations.ZeroMemory(plain);
        return result;
    }

    /// <exception cref="CryptographicException">Another key, another purpose, or changed bytes.</exception>
    public string Open(string purpose, ReadOnlySpan<byte> value)
    {
        if (KeyOf(value) != Id)
        {
            throw new CryptographicException("Sealed with another key.");
        }

        var plain = new byte[value.Length - HeadBytes];
        using var aes = new AesGcm(_derived.Value.Key, TagBytes);
        aes.Decrypt(value.Slice(1 + IdBytes, NonceBytes), value[HeadBytes..], value.Slice(HeadBytes - TagBytes, TagBytes), plain, Bound(value, purpose));
        return Encoding.UTF8.GetString(plain);
    }

    private static byte[] Bound(ReadOnlySpan<byte> value, string purpose) => [.. value[..(1 + IdBytes)], .. Encoding.UTF8.GetBytes(purpose)];

    private sealed record Derived(string Id, byte[] Key);
}
