using System.Runtime.InteropServices;

namespace RootMas.Server.Cli.Import;

/// <summary>Gives files owner, group and mode of what lies there already: what root makes under its own umask, the server's user could not read. Owner and group on Linux only.</summary>
internal static partial class SameRights
{
    private const int FromHere = -100;
    private const uint UidAndGid = 0x18;
    private const uint Unchanged = uint.MaxValue;
    private const int FactsSize = 256;
    private const int UidAt = 20;
    private const int GidAt = 24;
    private const UnixFileMode Enter = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <param name="path">A file or folder.</param>
    /// <param name="like">What is given; a file gets of a folder the right to read and write.</param>
    public static void Give(string path, string like)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var mode = File.GetUnixFileMode(like);
        if (OwnersOf(like) is { } owners && ChangeOwner(path, owners.User, owners.Group) != 0)
        {
            _ = ChangeOwner(path, Unchanged, owners.Group); // a user gives nothing away, but may be of that group; if not, it is theirs as any file that they make
        }

        File.SetUnixFileMode(path, Directory.Exists(path) ? mode : mode & ~Enter);
    }

    private static (uint User, uint Group)? OwnersOf(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        Span<byte> facts = stackalloc byte[FactsSize];
        try
        {
            return StatX(FromHere, path, 0, UidAndGid, ref MemoryMarshal.GetReference(facts)) == 0 ? (BitConverter.ToUInt32(facts[UidAt..]), BitConverter.ToUInt32(facts[GidAt..])) : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null; // a C library that is older than the call
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int StatX(int folder, string path, int flags, uint wanted, ref byte facts);

    [LibraryImport("libc", EntryPoint = "chown", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
