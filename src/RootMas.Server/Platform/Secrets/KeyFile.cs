using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Secrets;

/// <summary>
/// A secret key of this server: given by a setting, or kept in <c>&lt;data&gt;/keys/NAME</c> (mode 600), which is made at the first start. One file per purpose, so that one key lost or shown gives nothing else away.
/// </summary>
public static class KeyFile
{
    /// <summary>Length of a generated key, and the least that a given one may have.</summary>
    public const int Bytes = 32;

    private const string Folder = "keys";
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>The path of a key, which need not exist yet.</summary>
    public static string PathOf(DataDirectory data, string name) => Path.Combine(data.Path, Folder, name);

    /// <summary>The key in the file; made, with 32 random bytes, if it is not there.</summary>
    /// <exception cref="StartupRefusedException">It cannot be read, is no key, or others may read it.</exception>
    public static byte[] ReadOrCreate(DataDirectory data, string name)
    {
        ArgumentNullException.ThrowIfNull(data);
        var path = PathOf(data, name);
        if (!File.Exists(path))
        {
            Write(data, name, RandomNumberGenerator.GetBytes(Bytes), overwrite: false);
        }

        return Read(path);
    }

    /// <summary>The key in a file that must be there.</summary>
    /// <exception cref="StartupRefusedException">It cannot be read, is no key, or others may read it.</exception>
    public static byte[] Read(string path)
    {
        if (Directory.Exists(path))
        {
            throw new StartupRefusedException($"{path} is a folder, and no key. Name the file of the key.");
        }

        try
        {
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != UnixFileMode.None)
            {
                throw new StartupRefusedException($"The key {path} can be read or changed by others on this machine. Say: chmod 600 {path}. If somebody else may have read it, replace it.");
            }

            return Parse(File.ReadAllText(path)) ?? throw new StartupRefusedException($"The file {path} holds no key: expected at least {Bytes} bytes as base64. Put it back from a backup.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartupRefusedException($"The key {path} cannot be read ({e.GetType().Name}). Put it back from a backup, or give this user the right to read it.");
        }
    }

    /// <summary>Writes a key so that a crash leaves the old or the new file, never half of one.</summary>
    /// <param name="overwrite">False: if another process was faster, its key stays.</param>
    public static void Write(DataDirectory data, string name, ReadOnlySpan<byte> key, bool overwrite)
    {
        ArgumentNullException.ThrowIfNull(data);
        data.Create();
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(Path.Combine(data.Path, Folder));
        }
        else
        {
            Directory.CreateDirectory(Path.Combine(data.Path, Folder), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var temporary = $"{Folder}/{name}.{Guid.CreateVersion7():N}";
        using (var file = data.Open(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            file.Write(Encoding.ASCII.GetBytes(Convert.ToBase64String(key) + "\n"));
            file.Flush(flushToDisk: true);
        }

        try
        {
            File.Move(data.File(temporary), PathOf(data, name), overwrite);
        }
        catch (IOException) when (!overwrite && File.Exists(PathOf(data, name)))
        {
            File.Delete(data.File(temporary));
        }
    }

    /// <summary>Base64 or hex of at least 32 bytes; null: neither.</summary>
    public static byte[]? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.Trim();
        if (text.Length >= 2 * Bytes && text.Length % 2 == 0 && text.All(char.IsAsciiHexDigit))
        {
            return Convert.FromHexString(text);
        }

        var buffer = new byte[text.Length];
        return Convert.TryFromBase64String(text, buffer, out var length) && length >= Bytes ? buffer[..length] : null;
    }

    /// <summary>A name for a key that says nothing about it: the start of a hash under a label of its own.</summary>
    public static string IdOf(ReadOnlySpan<byte> key) => Convert.ToHexStringLower(HMACSHA256.HashData(key, "rootmas key id"u8)[..6]);
}
