using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using SQLitePCL;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// A layer under SQLite (https://sqlite.org/vfs.html) that writes what a commit adds to the write-ahead log in one piece. SQLite writes every page of it with two calls, which cost more than all else that a commit
/// does. Only the log's writes are held back, and only up to the page that ends the commit (its frame's header says so, https://sqlite.org/fileformat2.html#walformat), which reports what went wrong, or to a sync.
/// Everything else is the platform's own layer, unchanged.
/// </summary>
[ExcludeFromCodeCoverage(Justification = "The tool that counts cannot read calls through function pointers, and would leave out the whole assembly.")]
internal static unsafe partial class SqliteLogVfs
{
    private const int OpenWal = 0x0008_0000; // SQLITE_OPEN_WAL
    private const int Capacity = 127 * 1024; // the layer for Unix writes less than 128 KiB at once, and takes more for a full disk
    private const int FrameHeader = 24; // no page and no other part of the log is as long
    private const string OwnName = "rootmas-log";

    private static readonly Vfs* Inner = Find(null);

    /// <summary>For the connection string. Registered by the first use.</summary>
    public static string Name { get; } = Register();

    private static string Register()
    {
        var name = Encoding.UTF8.GetBytes(OwnName + '\0');
        var own = (Vfs*)NativeMemory.AllocZeroed((nuint)sizeof(Vfs)); // SQLite keeps both for the life of the process
        var kept = (byte*)NativeMemory.Alloc((nuint)name.Length);
        name.CopyTo(new Span<byte>(kept, name.Length));
        *own = *Inner;
        own->FileSize = Inner->FileSize + sizeof(Held);
        own->Next = null;
        own->Name = kept;
        own->Open = &Open;
        return Add(own, makeDefault: 0) == raw.SQLITE_OK ? OwnName : throw new InvalidOperationException("SQLite did not take the layer that gathers the log's writes.");
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Open(Vfs* vfs, byte* path, File* file, int flags, int* flagsOut)
    {
        var result = Inner->Open(Inner, path, file, flags, flagsOut);
        if (result != raw.SQLITE_OK || (flags & OpenWal) == 0 || file->Methods == null)
        {
            return result;
        }

        var held = HeldOf(file);
        *held = new Held { Inner = file->Methods, Own = *file->Methods };
        held->Own.Close = &Close;
        held->Own.Read = &Read;
        held->Own.Write = &Write;
        held->Own.Truncate = &Truncate;
        held->Own.Sync = &Sync;
        held->Own.Size = &Size;
        file->Methods = &held->Own;
        return result;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(File* file, void* bytes, int length, long offset)
    {
        var held = HeldOf(file);
        if (held->Length > 0 && (offset != held->Offset + held->Length || held->Length + length > Capacity) && Flush(file) is var failed and not raw.SQLITE_OK)
        {
            return failed;
        }

        if (length > Capacity)
        {
            return held->Inner->Write(file, bytes, length, offset);
        }

        if (held->Bytes == null && (held->Bytes = Allocate(Capacity)) == null)
        {
            return raw.SQLITE_NOMEM;
        }

        held->Offset = held->Length == 0 ? offset : held->Offset;
        Unsafe.CopyBlockUnaligned(held->Bytes + held->Length, bytes, (uint)length);
        held->Length += length;
        return IsWhole(held, bytes, length) ? Flush(file) : raw.SQLITE_OK;
    }

    /// <summary>
    /// Nothing of the commit follows: this is the page after a header that counts the database's pages, which only a commit's last one does. Or a header is corrected, as after a transaction larger than
    /// the cache: SQLite reads each frame of it again and writes its header alone.
    /// </summary>
    private static bool IsWhole(Held* held, void* bytes, int length)
    {
        var isCorrected = held->WasRead;
        held->WasRead = false;
        if (length == FrameHeader)
        {
            held->EndsCommit = Unsafe.ReadUnaligned<int>((byte*)bytes + 4) != 0;
            return isCorrected;
        }

        var isWhole = held->EndsCommit;
        held->EndsCommit = false;
        return isWhole;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sync(File* file, int flags) => Flush(file) is var failed and not raw.SQLITE_OK ? failed : HeldOf(file)->Inner->Sync(file, flags);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(File* file, void* bytes, int length, long offset)
    {
        HeldOf(file)->WasRead = true;
        return Flush(file) is var failed and not raw.SQLITE_OK ? failed : HeldOf(file)->Inner->Read(file, bytes, length, offset);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Truncate(File* file, long size) => Flush(file) is var failed and not raw.SQLITE_OK ? failed : HeldOf(file)->Inner->Truncate(file, size);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Size(File* file, long* size) => Flush(file) is var failed and not raw.SQLITE_OK ? failed : HeldOf(file)->Inner->Size(file, size);

    /// <summary>What is still held belongs to no commit.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(File* file)
    {
        var held = HeldOf(file);
        Free(held->Bytes);
        held->Bytes = null;
        return held->Inner->Close(file);
    }

    /// <summary>After a failure the bytes are gone: SQLite rolls the transaction back, and writes the same place again later.</summary>
    private static int Flush(File* file)
    {
        var held = HeldOf(file);
        var length = held->Length;
        held->Length = 0;
        return length == 0 ? raw.SQLITE_OK : held->Inner->Write(file, held->Bytes, length, held->Offset);
    }

    /// <summary>Behind the platform's own part of a file.</summary>
    private static Held* HeldOf(File* file) => (Held*)((byte*)file + Inner->FileSize);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_vfs_find", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial Vfs* Find(string? name);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_vfs_register")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Add(Vfs* vfs, int makeDefault);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_malloc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial byte* Allocate(int bytes);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_free")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void Free(void* bytes);

    /// <summary><c>sqlite3_file</c>: what follows is the layer's own.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct File
    {
        public IoMethods* Methods;
    }

    /// <summary>Writes that wait for the rest of their commit, behind the file that they are for.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Held
    {
        public IoMethods* Inner;
        public IoMethods Own;
        public byte* Bytes;
        public long Offset;
        public int Length;
        public bool EndsCommit;
        public bool WasRead;
    }

    /// <summary><c>sqlite3_vfs</c>, version 3.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Vfs
    {
        public int Version;
        public int FileSize;
        public int LongestPath;
        public Vfs* Next;
        public byte* Name;
        public void* Own;
        public delegate* unmanaged[Cdecl]<Vfs*, byte*, File*, int, int*, int> Open;
        public Pointers15 Others;
    }

    /// <summary><c>sqlite3_io_methods</c>, version 3.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct IoMethods
    {
        public int Version;
        public delegate* unmanaged[Cdecl]<File*, int> Close;
        public delegate* unmanaged[Cdecl]<File*, void*, int, long, int> Read;
        public delegate* unmanaged[Cdecl]<File*, void*, int, long, int> Write;
        public delegate* unmanaged[Cdecl]<File*, long, int> Truncate;
        public delegate* unmanaged[Cdecl]<File*, int, int> Sync;
        public delegate* unmanaged[Cdecl]<File*, long*, int> Size;
        public Pointers12 Others;
    }

    [InlineArray(15)]
    private struct Pointers15
    {
        private nint _first;
    }

    [InlineArray(12)]
    private struct Pointers12
    {
        private nint _first;
    }
}
