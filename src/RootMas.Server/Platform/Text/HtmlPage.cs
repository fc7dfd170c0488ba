using System.Diagnostics;
using System.Text.RegularExpressions;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using AngleSharp.Html.Parser.Tokens.Struct;

namespace RootMas.Server.Platform.Text;

internal sealed record PageLink(string Text, string Url);

/// <summary>A page as text: its title, its content as simple Markdown, and where its links lead.</summary>
/// <param name="IsCut">Its text, its elements or their nesting are more than is read.</param>
internal sealed partial record HtmlPage(string Title, string Text, IReadOnlyList<PageLink> Links, bool IsCut)
{
    private static readonly Uri Nowhere = new("https://document.invalid/");

    // The tree builder looks up the open elements for many tags: deep nesting would cost quadratic time.
    private const int MaxNesting = 512;
    public const int MaxTags = 200_000;
    private const int MaxAttributes = 500;

    /// <summary>Markup can be made to cost quadratic time in more ways than can be counted beforehand; no page for people takes so long.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(5);

    private const int MinMainCharacters = 200;

    /// <summary>What a page of the web is about, without what stands around it. Reads without running scripts or loading anything.</summary>
    /// <returns>Null: the markup is nested absurdly deep, or takes absurdly long to read, as no page for people does.</returns>
    public static HtmlPage? Read(string html, Uri url) => Read(html, url, MarkdownParts.Main);

    /// <summary>All that a document shows: every chapter, and what stands beside and under them.</summary>
    /// <returns>As <see cref="Read(string, Uri)"/>.</returns>
    public static HtmlPage? ReadWhole(string html, int maxCharacters) => Read(html, Nowhere, new MarkdownParts(IsWhole: true, maxCharacters));

    private static HtmlPage? Read(string html, Uri url, MarkdownParts parts)
    {
        var uncut = Unread().Replace(html, " ");
        html = Cut(uncut);
        if (Nesting(html) > MaxNesting)
        {
            return null;
        }

        if (Parse(html) is not { } parsed)
        {
            return null;
        }

        using var document = parsed;
        var baseUrl = document.QuerySelector("base[href]")?.GetAttribute("href") is { } href && Uri.TryCreate(url, href, out var declared) ? declared : url;
        var (text, links, isCut) = MarkdownWriter.Write(parts.IsWhole ? document.Body ?? document.DocumentElement : MainElement(document), baseUrl, parts);
        return new HtmlPage(WebText.Line(document.Title, 300), WebText.Clean(text), links, isCut || html.Length < uncut.Length);
    }

    /// <summary>Null: it takes too long.</summary>
    private static AngleSharp.Html.Dom.IHtmlDocument? Parse(string html)
    {
        var (started, attributes) = (Stopwatch.GetTimestamp(), 0);
        bool Counts(ref StructHtmlToken token, ReadOnlyMemory<char> name) => ++attributes <= MaxAttributes; // each is compared with all before it
        void Next()
        {
            attributes = 0;
            if (Stopwatch.GetElapsedTime(started) > MostTime)
            {
                throw new TimeoutException();
            }
        }

        try
        {
            return new HtmlParser(new HtmlParserOptions { OnToken = (_, _) => Next(), ShouldEmitAttribute = Counts }).ParseDocument(html);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    /// <summary>The element that holds what the page is about; the body, if there is none that says so or it is nearly empty.</summary>
    private static IElement MainElement(AngleSharp.Html.Dom.IHtmlDocument document)
    {
        // One that stands in another is never the larger one.
        var candidates = document.QuerySelectorAll("main, [role=main], article").Where(static e => !e.Ancestors<IElement>().Any(IsMain));
        var largest = candidates.MaxBy(static e => e.TextContent.Length);
        return largest is not null && largest.TextContent.Trim().Length >= MinMainCharacters ? largest : document.Body ?? document.DocumentElement;
    }

    private static bool IsMain(IElement element) => element.LocalName is "main" or "article" || element.GetAttribute("role") == "main";

    /// <summary>The beginning of a page that has more elements than any page for people.</summary>
    private static string Cut(string html)
    {
        var at = -1;
        for (var tags = 0; tags < MaxTags; tags++)
        {
            at = html.IndexOf('<', at + 1);
            if (at < 0)
            {
                return html;
            }
        }

        return html[..at];
    }

    /// <summary>How deep elements can get to stand in each other; an end tag counts only for a start tag of its own name.</summary>
    private static int Nesting(string html)
    {
        var open = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        var names = open.GetAlternateLookup<ReadOnlySpan<char>>();
        var (depth, deepest) = (0, 0);
        foreach (var match in OpenOrClose().EnumerateMatches(html))
        {
            var tag = html.AsSpan(match.Index + 1, match.Length - 1);
            var name = tag.TrimStart('/');
            names.TryGetValue(name, out var count);
            if (tag[0] != '/')
            {
                names[name] = count + 1;
                deepest = Math.Max(deepest, ++depth);
            }
            else if (count > 0)
            {
                names[name] = count - 1;
                depth--;
            }
        }

        return deepest;
    }

    // Elements without an end tag, or whose end tag is often left out and that cannot stand in themselves, do not count.
    [GeneratedRegex("</?(?!(?:p|li|br|hr|img|input|meta|link|td|th|tr|tbody|thead|tfoot|option|dt|dd|source|track|wbr|col|colgroup|area|base|embed|param|html|head|body)[\\s/>])[A-Za-z][^\\s/<>]{0,60}",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 2_000)]
    private static partial Regex OpenOrClose();

    // Nothing of these is read, and drawings are full of elements.
    [GeneratedRegex("<!--.*?-->|<script\\b.*?</script\\s*>|<style\\b.*?</style\\s*>|<svg\\b.*?</svg\\s*>", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Unread();
}
