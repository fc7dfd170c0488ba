using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Platform.Web;

/// <summary>A built file of the web app.</summary>
/// <param name="Version">Another content has another one.</param>
/// <param name="Copies">The file as it is, and compressed ahead of time; the best first.</param>
internal sealed record WebFile(string ContentType, string Version, IReadOnlyList<WebCopy> Copies);

/// <param name="Encoding">As in Content-Encoding; null: as it is.</param>
internal sealed record WebCopy(string? Encoding, string Path, long Length);

/// <summary>The built web app beside the program, looked up once at start: a request can name only what is there. Empty where it was not built.</summary>
internal sealed class WebFiles
{
    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".svg"] = "image/svg+xml",
        [".png"] = "image/png",
        [".webmanifest"] = "application/manifest+json",
        [".woff2"] = "font/woff2",
        [".woff"] = "font/woff",
        [".ttf"] = "font/ttf",
    };

    private readonly FrozenDictionary<string, WebFile> _files;

    public WebFiles(string folder)
    {
        _files = (Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories) : [])
            .Where(static path => Types.ContainsKey(Path.GetExtension(path)))
            .ToFrozenDictionary(path => Path.GetRelativePath(folder, path).Replace('\\', '/'), Describe, StringComparer.Ordinal);
        Page = _files.GetValueOrDefault("index.html");
    }

    /// <summary>The one page; null: the web app was not built.</summary>
    public WebFile? Page { get; }

    /// <param name="name">Relative, with slashes: <c>assets/index-4f2a.js</c>.</param>
    public WebFile? Find(string name) => _files.GetValueOrDefault(name);

    public static string Folder => Path.Combine(AppContext.BaseDirectory, "wwwroot");

    private static WebFile Describe(string path)
    {
        (string? Encoding, string Ending)[] copies = [("br", ".br"), ("gzip", ".gz"), (null, "")];
        return new WebFile(
            Types[Path.GetExtension(path)], VersionOf(path), [.. copies.Select(c => (c.Encoding, File: new FileInfo(path + c.Ending))).Where(static c => c.File.Exists).Select(static c => new WebCopy(c.Encoding, c.File.FullName, c.File.Length))]);
    }

    /// <summary>By content, not by time and size: every release is packed with the same time, and its page is as long as that of the release before. Names under assets/ carry a hash of the content already.</summary>
    private static string VersionOf(string path)
    {
        var told = Path.GetFileName(Path.GetDirectoryName(path)) == "assets" ? Encoding.UTF8.GetBytes(Path.GetFileName(path)) : File.ReadAllBytes(path);
        return Convert.ToHexStringLower(SHA256.HashData(told).AsSpan(0, 8));
    }
}
