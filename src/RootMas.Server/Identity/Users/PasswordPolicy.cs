using System.Collections.Frozen;
using System.Text;

namespace RootMas.Server.Identity.Users;

/// <summary>Which passwords are taken: long enough, well-formed text, and not one that everybody tries first.</summary>
public static class PasswordPolicy
{
    public const int Shortest = 8;
    public const int Longest = 256;

    private const string Resource = "common-passwords.txt";
    private static readonly Lazy<FrozenSet<string>> Common = new(ReadCommon);

    internal static int CommonCount => Common.Value.Count;

    /// <summary>What is wrong with a new password; null: it may be used.</summary>
    public static string? Refusal(string password, string username)
    {
        ArgumentNullException.ThrowIfNull(password);
        if (password.Contains('\0', StringComparison.Ordinal) || !IsWellFormed(password))
        {
            return "must be text: it contains NUL, or half of a character";
        }

        if (password.EnumerateRunes().Count() is < Shortest or > Longest)
        {
            return $"must be {Shortest} to {Longest} characters long";
        }

        if (password.Equals(username, StringComparison.OrdinalIgnoreCase))
        {
            return "must not be the username";
        }

        return Common.Value.Contains(password) ? "is one of the passwords that are tried first; choose another" : null;
    }

    /// <summary>Without halves of surrogate pairs, which have no bytes, and without U+FFFE, which has no normal form.</summary>
    public static bool IsWellFormed(string text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var used) != System.Buffers.OperationStatus.Done || rest[0] == '\uFFFE')
            {
                return false;
            }

            rest = rest[used..];
        }

        return true;
    }

    private static FrozenSet<string> ReadCommon()
    {
        using var reader = new StreamReader(typeof(PasswordPolicy).Assembly.GetManifestResourceStream(Resource)!, Encoding.UTF8);
        var words = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        while (reader.ReadLine() is { } line)
        {
            words.Add(line);
        }

        return words.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    }
}
