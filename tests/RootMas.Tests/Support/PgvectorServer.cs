using System.Diagnostics;
using RootMas.Tests.Deploy;

namespace RootMas.Tests.Support;

/// <summary>A real PostgreSQL with pgvector: PGlite, from the packages in <c>Conformance/pgvector</c>, behind a socket. One for the whole run; it ends with these tests, because its input does.</summary>
internal static class PgvectorServer
{
    private const string Packages = "pgvector";

    private static readonly Lazy<Task<string>> Shared = new(StartAsync);

    /// <summary>Held, because its input is closed when nobody does.</summary>
    private static Process? _process;

    /// <summary>Null: it can be started here.</summary>
    public static string? Missing { get; } = new NodeFactAttribute(Packages).Skip;

    /// <summary>The address of its one database. It works for one connection at a time.</summary>
    public static Task<string> UrlAsync() => Shared.Value;

    private static async Task<string> StartAsync()
    {
        var script = Path.Combine(NodeFactAttribute.FolderOf(Packages), "server.mjs");
        _process = Process.Start(new ProcessStartInfo("node", [script]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var port = await _process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("PGlite did not start.");
        return $"postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable";
    }
}
