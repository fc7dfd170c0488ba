using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Identity.Limits;

/// <summary>Whose requests are counted. Kinds are stored apart, so that what strangers can make many of (addresses, names) never takes the place of what users have.</summary>
public enum LimitScope
{
    User,
    Address,
    Username,
}

/// <summary>What is counted together. Made for every request, so it is two words and two references, and no text is put together.</summary>
public readonly struct LimitKey : IEquatable<LimitKey>
{
    private const int LongestSubject = 128;

    private LimitKey(LimitScope scope, string limit, string subject, UInt128 network) => (Scope, Limit, Subject, Network) = (scope, limit, subject, network);

    public LimitScope Scope { get; }

    /// <summary>Name of the limit, from this program: there is a bounded number of them.</summary>
    public string Limit { get; }

    public string Subject { get; }

    public UInt128 Network { get; }

    public static LimitKey OfUser(string limit, string userId) => new(LimitScope.User, limit, userId, 0);

    public static LimitKey OfAddress(string limit, UInt128 network) => new(LimitScope.Address, limit, "", network);

    /// <summary>The client chose the name: however long it is, the key is short.</summary>
    public static LimitKey OfUsername(string limit, string username)
    {
        var name = username.Trim().ToUpperInvariant();
        return new(LimitScope.Username, limit, name.Length <= LongestSubject ? name : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(name))), 0);
    }

    public bool Equals(LimitKey other) => Network == other.Network && Scope == other.Scope && Subject == other.Subject && Limit == other.Limit;

    public override bool Equals(object? obj) => obj is LimitKey other && Equals(other);

    /// <summary>Seeded per process, so that nobody can choose subjects that collide.</summary>
    public override int GetHashCode() => HashCode.Combine(Scope, Limit, Subject, Network);

    /// <summary>The key as a store outside of this process writes it.</summary>
    public override string ToString() => $"{Scope}:{Limit}:{(Scope == LimitScope.Address ? Network.ToString("x", System.Globalization.CultureInfo.InvariantCulture) : Subject)}";

    public static bool operator ==(LimitKey left, LimitKey right) => left.Equals(right);

    public static bool operator !=(LimitKey left, LimitKey right) => !left.Equals(right);
}
