using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Identity.Tokens;

/// <summary>Secrets that mean nothing by themselves: 256 random bits behind a prefix that says what they are. Only their SHA-256 is stored, which nobody can guess back.</summary>
public static class OpaqueSecret
{
    /// <summary>Longer ones are not even hashed.</summary>
    public const int Longest = 200;

    public static string New(string prefix) => prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    /// <summary>In a time that does not depend on where they differ.</summary>
    public static bool AreEqual(string one, string other) => CryptographicOperations.FixedTimeEquals(Hash(one), Hash(other));
}
