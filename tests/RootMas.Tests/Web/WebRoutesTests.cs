using System.Buffers.Binary;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Platform.Web;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>What the app's sources name is there: its addresses on the server and among the pages that are looked at, its icons in the sizes that the manifest promises.</summary>
public sealed partial class WebRoutesTests
{
    /// <summary>Addresses of web/src/app/routes.tsx, parameters as <c>{}</c>; one that may be left away gives two.</summary>
    private static IReadOnlyList<string> Routes { get; } =
        [.. RoutePath().Matches(File.ReadAllText(Repository.PathOf("web", "src", "app", "routes.tsx"))).Select(static m => m.Groups["path"].Value).Where(static path => path != "*").SelectMany(static path => Templates("/" + path))];

    [Fact]
    public void The_server_has_a_page_at_each_address_of_the_app_and_at_no_other()
    {
        Assert.NotEmpty(Routes);
        Assert.Equal(Routes.Order(StringComparer.Ordinal), WebPages.Pages.Select(static page => Parameter().Replace(page, "{}")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Each_address_of_the_app_is_looked_at()
    {
        var looked = PagesTests.Addresses.Select(static row => ((string)row[1]).Split('?')[0]).ToList();
        Assert.Contains("/", looked);
        Assert.All(Routes, route => Assert.Contains(looked, address => IsAt(address, route)));
    }

    [Fact]
    public void Each_icon_is_there_in_the_size_that_is_promised_and_phones_have_what_they_need()
    {
        using var manifest = JsonDocument.Parse(File.ReadAllText(Public("manifest.webmanifest")));
        var icons = manifest.RootElement.GetProperty("icons").EnumerateArray()
            .Select(static i => (File: i.GetProperty("src").GetString()!.TrimStart('/'), Sizes: i.GetProperty("sizes").GetString()!, Purpose: i.GetProperty("purpose").GetString()!)).ToList();
        foreach (var (file, sizes, _) in icons)
        {
            Assert.Contains(file, WebPages.Files);
            Assert.Equal(sizes, file.EndsWith(".svg", StringComparison.Ordinal) ? "any" : SizeOf(file));
        }

        Assert.All([("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")], needed => Assert.Contains(icons, i => (i.Sizes, i.Purpose) == needed));
        var apple = AppleIcon().Match(File.ReadAllText(Repository.PathOf("web", "index.html"))).Groups["file"].Value;
        Assert.Contains(apple, WebPages.Files);
        Assert.Equal("180x180", SizeOf(apple));
    }

    private static bool IsAt(string address, string route)
    {
        var (given, wanted) = (address.Split('/'), route.Split('/'));
        return given.Length == wanted.Length && given.Zip(wanted).All(static part => part.Second == "{}" || part.First == part.Second);
    }

    private static string Public(string file) => Repository.PathOf("web", "public", file);

    /// <summary>Width and height as the picture itself says (PNG, third edition, 11.2.1: the first chunk).</summary>
    private static string SizeOf(string file)
    {
        var head = File.ReadAllBytes(Public(file)).AsSpan(0, 24);
        Assert.Equal("PNG"u8, head[1..4]);
        return $"{BinaryPrimitives.ReadInt32BigEndian(head[16..20])}x{BinaryPrimitives.ReadInt32BigEndian(head[20..24])}";
    }

    private static IEnumerable<string> Templates(string path)
    {
        var whole = RouteParameter().Replace(path, "{}");
        return path.EndsWith('?') ? [whole[..whole.LastIndexOf('/')], whole] : [whole];
    }

    [GeneratedRegex("path: '(?<path>[^']+)'", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RoutePath();

    [GeneratedRegex(@":\w+\??", RegexOptions.None, 1000)]
    private static partial Regex RouteParameter();

    [GeneratedRegex(@"\{\w+\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex("rel=\"apple-touch-icon\" href=\"/(?<file>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AppleIcon();
}
