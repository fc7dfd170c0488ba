using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using AngleSharp.Dom;

namespace RootMas.Server.Platform.Text;

/// <summary>How much of a page is written.</summary>
/// <param name="IsWhole">Also what stands around the main content: navigation, asides, footers.</param>
/// <param name="MaxCharacters">Of its text.</param>
internal sealed record MarkdownParts(bool IsWhole, int MaxCharacters)
{
    public static readonly MarkdownParts Main = new(IsWhole: false, 1_000_000);
}

/// <summary>Walks the part of a page that people see and writes it as simple Markdown.</summary>
internal sealed partial class MarkdownWriter
{
    public const int MaxDepth = 300;
    private const int MaxLinks = 100;

    private static readonly FrozenSet<string> Skipped = new[]
    {
        "script", "style", "noscript", "template", "svg", "math", "iframe", "frame", "object", "embed", "canvas", "video", "audio", "map",
        "input", "select", "button", "textarea", "datalist", "dialog", "head",
    }.ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> Around = new[] { "nav", "aside", "footer" }.ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> Blocks = new[]
    {
        "p", "div", "section", "article", "main", "header", "nav", "aside", "footer", "ul", "ol", "dl", "dt", "dd", "table", "form", "figure", "figcaption", "address", "details", "summary", "fieldset", "hr",
        "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "li", "tr", "caption",
    }.ToFrozenSet(StringComparer.Ordinal);

    private readonly StringBuilder _text = new();
    private readonly List<PageLink> _links = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly Uri _baseUrl;
    private readonly MarkdownParts _parts;
    private bool _space;
    private bool _isCut;

    private MarkdownWriter(Uri baseUrl, MarkdownParts parts) => (_baseUrl, _parts) = (baseUrl, parts);

    public static (string Text, IReadOnlyList<PageLink> Links, bool IsCut) Write(IElement root, Uri baseUrl, MarkdownParts parts)
    {
        var writer = new MarkdownWriter(baseUrl, parts);
        writer.Children(root, 0);
        return (ManyLines().Replace(writer._text.ToString(), "\n\n").Trim(), writer._links, writer._isCut);
    }

    private void Children(INode parent, int depth)
    {
        if (depth > MaxDepth)
        {
            _isCut |= parent.HasChildNodes;
            return;
        }

        var position = 0; // counted here: asking an element for its place among its siblings costs as much as it has siblings
        foreach (var node in parent.ChildNodes)
        {
            if (_text.Length > _parts.MaxCharacters)
            {
                _isCut = true;
                return;
            }

            if (node is IText text)
            {
                Inline(text.Data);
            }
            else if (node is IElement element && !IsHidden(element))
            {
                Element(element, ++position, depth + 1);
            }
        }
    }

    private void Element(IElement element, int position, int depth)
    {
        var name = element.LocalName;
        if (Blocks.Contains(name))
        {
            Line();
            Block(element, position, depth);
            Line();
            return;
        }

        switch (name)
        {
            case "br":
                Line();
                break;
            case "img":
                Inline(element.GetAttribute("alt") is { Length: > 0 } alt ? $"[image: {alt}]" : "");
                break;
            case "td" or "th":
                Inline(position == 1 ? "" : " | ");
                Children(element, depth);
                break;
            case "a":
                Link(element, depth);
                break;
            default:
                Children(element, depth);
                break;
        }
    }

    private void Block(IElement element, int position, int depth)
    {
        var name = element.LocalName;
        switch (name)
        {
            case "h1" or "h2" or "h3" or "h4" or "h5" or "h6":
                _text.Append(CultureInfo.InvariantCulture, $"\n{new string('#', name[1] - '0')} ");
                Children(element, depth);
                break;
            case "li":
                _text.Append(element.ParentElement?.LocalName == "ol" ? string.Create(CultureInfo.InvariantCulture, $"{position}. ") : "- ");
                Children(element, depth);
                break;
            case "pre":
                _text.Append("\n```\n").Append(element.TextContent.Trim('\n')).Append("\n```\n");
                break;
            case "blockquote":
                _text.Append("\n> ");
                Children(element, depth);
                _text.Append('\n');
                break;
            case "tr" or "dt" or "summary" or "figcaption":
                Children(element, depth);
                break;
            default:
                _text.Append('\n');
                Children(element, depth);
                _text.Append('\n');
                break;
        }
    }

    private void Link(IElement element, int depth)
    {
        var start = _text.Length;
        Children(element, depth);
        if (_links.Count < MaxLinks && element.GetAttribute("href") is { } href && Uri.TryCreate(_baseUrl, href.Trim(), out var url)
            && url.Scheme is "http" or "https" && (url.GetLeftPart(UriPartial.Query) != _baseUrl.GetLeftPart(UriPartial.Query)) && _seen.Add(url.AbsoluteUri))
        {
            var label = WebText.Line(_text.ToString(start, _text.Length - start), 120);
            if (label.Length > 0)
            {
                _links.Add(new PageLink(label, url.AbsoluteUri));
            }
        }
    }

    // HTML's white space is one space, none at the start of a line.
    private void Inline(string data)
    {
        foreach (var c in data)
        {
            if (c is ' ' or '\n' or '\r' or '\t' or '\f')
            {
                _space = true;
                continue;
            }

            if (_space && _text.Length > 0 && _text[^1] is not ('\n' or ' '))
            {
                _text.Append(' ');
            }

            _space = false;
            _text.Append(c);
        }
    }

    private void Line()
    {
        _space = false;
        if (_text.Length > 0 && _text[^1] != '\n')
        {
            _text.Append('\n');
        }
    }

    /// <summary>What a browser would not show is where pages hide instructions to models.</summary>
    private bool IsHidden(IElement element) =>
        Skipped.Contains(element.LocalName)
        || (!_parts.IsWhole && Around.Contains(element.LocalName))
        || element.HasAttribute("hidden")
        || string.Equals(element.GetAttribute("aria-hidden"), "true", StringComparison.OrdinalIgnoreCase)
        || (element.GetAttribute("style") is { Length: > 0 } style && HidingStyle().IsMatch(style));

    [GeneratedRegex(@"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|opacity\s*:\s*0?\.?0+\s*(;|%|!|$)|font-size\s*:\s*0?\.?0+\s*(px|em|rem|pt|%)?\s*(;|!|$)|(left|top|right|text-indent)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*(50|100)%|(max-)?(height|width)\s*:\s*0+(px)?\s*(;|!|$)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex HidingStyle();

    [GeneratedRegex(@"[ \t]*\n(?:[ \t]*\n)+", RegexOptions.CultureInvariant, 2_000)]
    private static partial Regex ManyLines();
}
