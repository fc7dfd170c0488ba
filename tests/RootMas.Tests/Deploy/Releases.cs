using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>Releases made of the program that these tests were built with, and a folder to install them into.</summary>
internal sealed class Releases : IDisposable
{
    private readonly TempFolder _folder = new();

    public string Path => _folder.Path;

    public string Url { get; } = $"http://127.0.0.1:{ServerProcess.FreePort()}";

    public string In(params string[] parts) => System.IO.Path.Combine([_folder.Path, .. parts]);

    /// <param name="before">Shell lines that run before the program.</param>
    public string Make(string version, string before = "", string? smoke = null)
    {
        var release = Directory.CreateDirectory(In("made", version)).FullName;
        File.WriteAllText(System.IO.Path.Combine(release, "VERSION"), version + "\n");
        Script(System.IO.Path.Combine(release, "rootmas"), $"{before}\nexec dotnet '{ServerProcess.ProgramPath()}' \"$@\"");
        Copy(Repository.PathOf("config"), System.IO.Path.Combine(release, "config"));
        Directory.CreateDirectory(System.IO.Path.Combine(release, "deploy"));
        if (smoke is null)
        {
            File.Copy(Repository.PathOf("deploy", "smoke.sh"), System.IO.Path.Combine(release, "deploy", "smoke.sh"));
        }
        else
        {
            Script(System.IO.Path.Combine(release, "deploy", "smoke.sh"), smoke);
        }

        return release;
    }

    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
        {
            File.Copy(file, System.IO.Path.Combine(to, System.IO.Path.GetFileName(file)));
        }

        foreach (var folder in Directory.EnumerateDirectories(from))
        {
            Copy(folder, System.IO.Path.Combine(to, System.IO.Path.GetFileName(folder)));
        }
    }

    public void Dispose() => _folder.Dispose();

    private static void Script(string path, string text)
    {
        File.WriteAllText(path, $"#!/bin/bash\nset -e\n{text}\n");
        FileModes.Set(path, FileModes.Private | UnixFileMode.UserExecute);
    }
}
