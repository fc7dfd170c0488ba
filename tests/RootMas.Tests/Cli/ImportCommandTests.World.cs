using System.Text.Json;
using RootMas.Server.Cli.Import;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>The two installations of a test: theirs, and ours beside it.</summary>
public sealed partial class ImportCommandTests
{
    private sealed class World : IDisposable
    {
        private readonly TempFolder _folder = new();

        public World()
        {
            Directory.CreateDirectory(Folder);
            Copy(Repository.PathOf("config"), ConfigPath(""));
            Session.Environment["ROOTMAS_CONFIG"] = ConfigPath("");
            Before = Config("agents.yaml");
        }

        public CliSession Session { get; } = new();

        public string Before { get; }

        public string Folder => Path.Combine(_folder.Path, "python");

        public World Write(string name, string text)
        {
            var path = Path.Combine(Folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text.ReplaceLineEndings("\n"));
            return this;
        }

        public string ConfigPath(string name) => Path.Combine(_folder.Path, "config", name);

        public string Config(string name) => File.ReadAllText(ConfigPath(name));

        public void IsUnchanged()
        {
            Assert.Equal(Before, Config("agents.yaml"));
            Assert.False(Directory.Exists(ConfigPath("imported")));
            Assert.Empty(Directory.EnumerateFiles(ConfigPath(""), "*.new", SearchOption.AllDirectories));
        }

        public void Dispose()
        {
            Session.Dispose();
            _folder.Dispose();
        }

        private static void Copy(string from, string to)
        {
            Directory.CreateDirectory(to);
            foreach (var file in Directory.EnumerateFiles(from))
            {
                File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
            }

            foreach (var folder in Directory.EnumerateDirectories(from))
            {
                Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
            }
        }
    }
}
