using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;

namespace RootMas.Server.Platform.Web;

/// <summary>A built file of the web app.</summary>
/// <param name="Path">On disk.</param>
/// <param name="Encodings">Of it there are compressed copies: names as in Content-Encoding, best first.</param>
internal sealed record WebFile(string Path, string ContentType, string ETag, IReadOnlyList<string> Encodings);

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
        var info = new FileInfo(path);
        var version = SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{info.Length}:{info.LastWriteTimeUtc.Ticks}:{path}")));
        var encodings = new List<string>();
        if (File.Exists(path + ".br"))
        {
            encodings.Add("br");
        }

        if (File.Exists(path + ".gz"))
        {
            encodings.Add("gzip");
        }

        return new WebFile(path, Types[info.Extension], $"\"{Convert.ToHexStringLower(version.AsSpan(0, 8))}\"", encodings);
    }
}
