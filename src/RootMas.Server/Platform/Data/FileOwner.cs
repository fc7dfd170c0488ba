using System.Globalization;
using System.Runtime.InteropServices;

namespace RootMas.Server.Platform.Data;

/// <summary>Whose a file is, on which file system, and whether two names are one, which .NET does not tell. Linux only.</summary>
internal static partial class FileOwner
{
    private const string Accounts = "/etc/passwd";
    private const int FromHere = -100;
    private const uint Uid = 0x8;
    private const uint Inode = 0x100;
    private const int FactsSize = 256;
    private const int UidAt = 20;
    private const int InodeAt = 32;
    private const int DeviceAt = 136;

    /// <summary>The number of the user that owns it, or what it leads to if it is a link; null: not known.</summary>
    public static uint? Of(string path)
    {
        Span<byte> facts = stackalloc byte[FactsSize];
        return Read(path, facts) ? BitConverter.ToUInt32(facts[UidAt..]) : null;
    }

    /// <summary>Whether both lie on one file system; false also where that is not known.</summary>
    public static bool ShareDisk(string path, string other)
    {
        Span<byte> facts = stackalloc byte[FactsSize];
        Span<byte> others = stackalloc byte[FactsSize];
        return Read(path, facts) && Read(other, others) && BitConverter.ToUInt64(facts[DeviceAt..]) == BitConverter.ToUInt64(others[DeviceAt..]);
    }

    /// <summary>Whether a folder is another one or lies in it, by whatever links its name leads there, or as a mount of that folder; false also where that is not known.</summary>
    public static bool IsIn(string path, string folder)
    {
        // Step by step up from where it really is: a name that is cut would go back through the link.
        var at = path;
        while (!IsSame(at, folder))
        {
            var above = Path.Combine(at, "..");
            if (!IsSame(above, above) || IsSame(at, above))
            {
                return false; // not known, or the root
            }

            at = above;
        }

        return true;
    }

    /// <summary>The user's name, or the number where this machine knows none.</summary>
    public static string NameOf(uint uid)
    {
        var number = uid.ToString(CultureInfo.InvariantCulture);
        var accounts = File.Exists(Accounts) ? File.ReadLines(Accounts) : [];
        return accounts.Select(static l => l.Split(':')).FirstOrDefault(a => a.Length > 2 && a[2] == number)?[0] ?? number;
    }

    private static bool IsSame(string path, string other)
    {
        Span<byte> facts = stackalloc byte[FactsSize];
        Span<byte> others = stackalloc byte[FactsSize];
        return Read(path, facts) && Read(other, others) && BitConverter.ToUInt64(facts[InodeAt..]) == BitConverter.ToUInt64(others[InodeAt..])
            && BitConverter.ToUInt64(facts[DeviceAt..]) == BitConverter.ToUInt64(others[DeviceAt..]);
    }

    private static bool Read(string path, Span<byte> facts)
    {
        try
        {
            return OperatingSystem.IsLinux() && StatX(FromHere, path, 0, Uid | Inode, ref MemoryMarshal.GetReference(facts)) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false; // a C library that is older than the call
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int StatX(int folder, string path, int flags, uint wanted, ref byte facts);
}
