using System.Globalization;
using System.Runtime.InteropServices;

namespace RootMas.Server.Platform.Data;

/// <summary>Whose a file is, and on which file system, which .NET does not tell. Linux only.</summary>
internal static partial class FileOwner
{
    private const string Accounts = "/etc/passwd";
    private const int FromHere = -100;
    private const uint Uid = 0x8;
    private const int FactsSize = 256;
    private const int UidAt = 20;
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

    /// <summary>The user's name, or the number where this machine knows none.</summary>
    public static string NameOf(uint uid)
    {
        var number = uid.ToString(CultureInfo.InvariantCulture);
        var accounts = File.Exists(Accounts) ? File.ReadLines(Accounts) : [];
        return accounts.Select(static l => l.Split(':')).FirstOrDefault(a => a.Length > 2 && a[2] == number)?[0] ?? number;
    }

    private static bool Read(string path, Span<byte> facts)
    {
        try
        {
            return OperatingSystem.IsLinux() && StatX(FromHere, path, 0, Uid, ref MemoryMarshal.GetReference(facts)) == 0;
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
