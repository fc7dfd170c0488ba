using System.Text.RegularExpressions;

namespace RootMas.Runtime.Tools;

/// <summary>
/// The URLs of a run that no model composed: typed by the user, or returned by a search (DESIGN §4.10). Compared verbatim, character by character:
/// a URL that is merely equivalent could carry bytes out.
/// </summary>
public sealed partial class KnownUrls : IKnownUrls
{
    private const int MaxUrls = 10_000;
    private const int LongestUrl = 4_000;
    private const string ClosesSentence = ".,;:!?)]}*_'»”’…";
    private const string PartsUrls = ",;)]}*»”’…";
    private const string EndsUrl = "<>\"`\\|^";
    private readonly HashSet<string> _urls = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>The URLs in a text as its author wrote them; punctuation that closes a sentence is no part of one, but the longer reading counts too.</summary>
    public static KnownUrls FromText(string text)
    {
        var known = new KnownUrls();
        known.AddFrom(text);
        return known;
    }

    public void AddFrom(string text) => AddFrom(text, []);

    /// <summary>As <see cref="AddFrom(string)"/>, of a text that answers others: a URL that stands in one of them was written by their author, also where somebody chose it or repeats it.</summary>
    public void AddFrom(string text, IReadOnlyList<string> shown)
    {
        foreach (var match in Url().EnumerateMatches(text))
        {
            var readings = ReadingsOf(text.AsSpan(match.Index, match.Length));
            if (!Stands(readings, shown))
            {
                AddRange(readings);
            }
        }
    }

    /// <summary>Whether a text has a URL that stands in what was shown before, and is not known.</summary>
    public bool IsOffered(string text, IReadOnlyList<string> shown)
    {
        foreach (var match in Url().EnumerateMatches(text))
        {
            var readings = ReadingsOf(text.AsSpan(match.Index, match.Length));
            if (Stands(readings, shown) && !readings.Exists(Contains))
            {
                return true;
            }
        }

        return false;
    }

    public void Add(string url)
    {
        lock (_lock)
        {
            if (_urls.Count < MaxUrls)
            {
                _urls.Add(url);
            }
        }
    }

    /// <summary>The URLs in a text that are known here, in each of its readings (<see cref="FromText"/>): what may be handed on with a text that a model wrote. Null: none.</summary>
    public IReadOnlyList<string>? In(string text)
    {
        List<string> known = [.. FromText(text)._urls.Where(Contains)];
        return known.Count == 0 ? null : known;
    }

    public void AddRange(IEnumerable<string> urls)
    {
        foreach (var url in urls)
        {
            Add(url);
        }
    }

    public bool Contains(string url)
    {
        lock (_lock)
        {
            return _urls.Contains(url);
        }
    }

    private static bool Stands(List<string> readings, IReadOnlyList<string> shown) => shown.Any(text => readings.Exists(url => StandsIn(url, text)));

    /// <summary>Whole, in one of the readings that a text allows: one that merely begins like a longer URL there is another. Of what is too long for a URL only the beginning was read, and that is enough.</summary>
    private static bool StandsIn(string url, string text)
    {
        for (var at = text.IndexOf(url, StringComparison.Ordinal); at >= 0; at = text.IndexOf(url, at + 1, StringComparison.Ordinal))
        {
            if (url.Length >= LongestUrl || MayEnd(text.AsSpan(at + url.Length)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a URL may end before this: what parts it from the next word or the next URL can be a part of URLs, too, and whoever offers one chooses what follows it.</summary>
    private static bool MayEnd(ReadOnlySpan<char> rest)
    {
        var behind = rest.TrimStart(ClosesSentence);
        return behind.IsEmpty || behind[0] < ' ' || char.IsWhiteSpace(behind[0]) || EndsUrl.Contains(behind[0])
            || PartsUrls.Contains(rest[0]) || behind.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || behind.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The longest first.</summary>
    private static List<string> ReadingsOf(ReadOnlySpan<char> url)
    {
        List<string> readings = [url.ToString()];

        // "(see https://example.org/a)." – whoever typed this meant the shorter one.
        for (var cuts = 0; cuts < 8 && url.Length > 8 && ClosesSentence.Contains(url[^1]); cuts++)
        {
            url = url[..^1];
            readings.Add(url.ToString());
        }

        return readings;
    }

    [GeneratedRegex("""https?://[^\s<>"`\\|^\x00-\x1f]{1,4000}""", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Url();
}
