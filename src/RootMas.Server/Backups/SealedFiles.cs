using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace RootMas.Server.Backups;

/// <summary>
/// Small files that only the operator's key opens: AES-256-GCM, the key derived with PBKDF2-SHA-256 (people choose short ones), bound to the backup's id so that nothing can be moved between archives.
/// Form: mark (8 bytes), salt (16), nonce (12), tag (16), ciphertext.
/// </summary>
internal static class SealedFiles
{
    public const string EntryName = "sealed.bin";

    private const int Rounds = 600_000;
    private const int SaltBytes = 16;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int HeadBytes = 8 + SaltBytes + NonceBytes + TagBytes;
    private static readonly byte[] Mark = "RMSEAL1\n"u8.ToArray();

    public static byte[] Seal(string key, string id, IReadOnlyDictionary<string, byte[]> files)
    {
        var plain = JsonSerializer.SerializeToUtf8Bytes(files);
        var result = new byte[HeadBytes + plain.Length];
        Mark.CopyTo(result, 0);
        RandomNumberGenerator.Fill(result.AsSpan(Mark.Length, SaltBytes + NonceBytes));
        var head = result.AsSpan(Mark.Length);
        using var aes = Cipher(key, head[..SaltBytes]);
        aes.Encrypt(head.Slice(SaltBytes, NonceBytes), plain, result.AsSpan(HeadBytes), head.Slice(SaltBytes + NonceBytes, TagBytes), Encoding.UTF8.GetBytes(id));
        CryptographicOperations.ZeroMemory(plain);
        return result;
    }

    /// <exception cref="BackupException">Another key.</exception>
    public static Dictionary<string, byte[]> Open(string key, string id, ReadOnlySpan<byte> value)
    {
        if (value.Length < HeadBytes || !value[..Mark.Length].SequenceEqual(Mark))
        {
            throw new BackupException(BackupFailure.Damaged, "The sealed part of the backup is not one. Use another backup.");
        }

        var head = value[Mark.Length..];
        var plain = new byte[value.Length - HeadBytes];
        try
        {
            using var aes = Cipher(key, head[..SaltBytes]);
            aes.Decrypt(head.Slice(SaltBytes, NonceBytes), value[HeadBytes..], head.Slice(SaltBytes + NonceBytes, TagBytes), plain, Encoding.UTF8.GetBytes(id));
        }
        catch (CryptographicException e)
        {
            throw new BackupException(BackupFailure.OtherKey, "The keys in this backup were encrypted with another key than Backups:Key. Nothing was changed. Give the key that was in use when the backup was made, by ROOTMAS_BACKUP_KEY or ROOTMAS_BACKUP_KEY_FILE.", e);
        }

        return JsonSerializer.Deserialize<Dictionary<string, byte[]>>(plain)!;
    }

    private static AesGcm Cipher(string key, ReadOnlySpan<byte> salt) => new(Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(key), salt, Rounds, HashAlgorithmName.SHA256, 32), TagBytes);
}
