using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Tests.Support;

/// <summary>
/// A database file with the program's schema and nothing else, made once for the test run and copied to whoever starts on an empty folder: the migrations took half of what such a start cost.
/// They are run from nothing by their own tests and by every server that is started as a program.
/// </summary>
internal static class SqliteTemplate
{
    private static readonly Lazy<byte[]> Migrated = new(Make);

    /// <summary>Puts it into a data directory that has no database yet.</summary>
    public static void PutInto(DataDirectory directory)
    {
        directory.Create();
        if (File.Exists(directory.DatabasePath))
        {
            return;
        }

        var how = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(directory.DatabasePath, how);
        file.Write(Migrated.Value);
    }

    private static byte[] Make()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "rootmas.db");
        new SqliteMigrator(path, Migration.Embedded("sqlite"), TimeProvider.System, NullLogger<SqliteMigrator>.Instance).Migrate();
        Assert.False(File.Exists(path + "-wal")); // all of it is in the file
        return File.ReadAllBytes(path);
    }
}
