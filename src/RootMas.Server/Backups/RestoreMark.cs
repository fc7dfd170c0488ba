using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>
/// The exchange of what stands in the data directory for what was restored beside it. Renames of several things are not one act, so the plan is on the disk before the first:
/// whoever finds it does the rest, each step once, and until then no server starts.
/// </summary>
/// <param name="Id">The backup.</param>
/// <param name="Staged">Folder in the data directory with what comes in.</param>
/// <param name="Aside">Folder in the data directory for what was there.</param>
/// <param name="Incoming">What comes in.</param>
/// <param name="Outgoing">What goes aside and has nothing in its place.</param>
/// <param name="Config">The config directory's part; null: it stays.</param>
internal sealed record RestoreMark(string Id, string Staged, string Aside, IReadOnlyList<string> Incoming, IReadOnlyList<string> Outgoing, ConfigExchange? Config = null)
{
    /// <summary>The plan that an interrupted restore left; null: there is none.</summary>
    public static async Task<RestoreMark?> ReadAsync(DataDirectory data, CancellationToken cancellationToken)
    {
        var path = data.File(HalfRestored.FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        await using var file = PrivateFiles.Read(path);
        return await JsonSerializer.DeserializeAsync<RestoreMark>(file, BackupJson.Options, cancellationToken);
    }

    public Task WriteAsync(DataDirectory data, CancellationToken cancellationToken) =>
        PrivateFiles.WriteAsync(data.File(HalfRestored.FileName), JsonSerializer.SerializeToUtf8Bytes(this, BackupJson.Options), cancellationToken);

    /// <summary>Does whatever of the plan is not done yet, and takes the sign away.</summary>
    public async Task FinishAsync(DataDirectory data, CancellationToken cancellationToken)
    {
        foreach (var name in Outgoing)
        {
            MoveAside(data, name);
        }

        foreach (var name in Incoming.Where(name => Exists(In(data, Staged, name))))
        {
            MoveAside(data, name);
            Move(In(data, Staged, name), data.File(name));
        }

        if (Config is not null)
        {
            await Config.FinishAsync(data.File(Staged), cancellationToken);
        }

        if (Directory.Exists(data.File(Staged)))
        {
            Directory.Delete(data.File(Staged), recursive: true);
        }

        File.Delete(data.File(HalfRestored.FileName));
    }

    /// <summary>Whether something was kept aside.</summary>
    public bool HasAside(DataDirectory data) => Directory.Exists(data.File(Aside));

    private void MoveAside(DataDirectory data, string name)
    {
        if (Exists(data.File(name)))
        {
            PrivateFiles.Folder(data.File(Aside));
            Move(data.File(name), FreeName(In(data, Aside, name)));
        }
    }

    /// <summary>What was there is aside already when a start that was refused in between has made new keys.</summary>
    private static string FreeName(string path) => Enumerable.Range(0, int.MaxValue).Select(n => n == 0 ? path : FormattableString.Invariant($"{path}.{n}")).First(static p => !Exists(p));

    private static string In(DataDirectory data, string folder, string name) => Path.Combine(data.File(folder), name);

    private static bool Exists(string path) => File.Exists(path) || Directory.Exists(path);

    private static void Move(string from, string to)
    {
        if (Directory.Exists(from))
        {
            Directory.Move(from, to);
        }
        else
        {
            File.Move(from, to);
        }
    }
}
