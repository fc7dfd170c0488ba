using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Where graphs are kept: <c>vectors</c> in the data directory. Names of partitions are hashed, for they may hold anything.</summary>
internal sealed class VectorFolder(DataDirectory data)
{
    private const string Name = "vectors";
    private const string Ending = ".hnsw";

    public string PathOf(string space, string model, string partition) =>
        Path.Combine(data.File(Name), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{space}\n{model}\n{partition}")))[..32] + Ending);

    /// <summary>Paths of all graphs that are kept.</summary>
    public IReadOnlyList<string> Files() => Directory.Exists(data.File(Name)) ? Directory.GetFiles(data.File(Name), "*" + Ending) : [];

    /// <summary>Files that nobody has finished since: whoever wrote them is gone.</summary>
    public IReadOnlyList<string> Unfinished(DateTimeOffset since) =>
        Directory.Exists(data.File(Name)) ? [.. Directory.GetFiles(data.File(Name), "*" + Ending + HnswFile.Unfinished).Where(f => File.GetLastWriteTimeUtc(f) < since.UtcDateTime)] : [];

    /// <summary>Makes the folder.</summary>
    public void Create()
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(data.File(Name));
        }
        else
        {
            Directory.CreateDirectory(data.File(Name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
