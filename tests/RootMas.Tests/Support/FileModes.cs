namespace RootMas.Tests.Support;

/// <summary>Who may read a file. Tests run on Unix.</summary>
internal static class FileModes
{
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

#pragma warning disable CA1416 // tests run on Unix
    public static UnixFileMode Of(string path) => File.GetUnixFileMode(path);

    public static void LetOthersRead(string path) => File.SetUnixFileMode(path, Private | UnixFileMode.OtherRead);
#pragma warning restore CA1416
}
