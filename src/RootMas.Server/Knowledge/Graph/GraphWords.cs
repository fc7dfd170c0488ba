using System.Collections.Frozen;
using System.Text;
using RootMas.Server.Knowledge.Memory;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>Words of the columns.</summary>
internal static class GraphWords
{
    public const string FromFact = "fact";
    public const string FromDocument = "document";

    /// <summary>How the realm of a shared collection begins; what follows is its id. A user's own realm is their id.</summary>
    public const string Collection = "collection:";

    /// <summary>The entity that stands for the user in their own realm.</summary>
    public const string User = "user";

    /// <summary>What no rule and no model could place.</summary>
    public const string Thing = "thing";

    public static readonly FrozenSet<string> Types = new[] { "person", "organization", "place", "product", "event", "concept", Thing }.ToFrozenSet(StringComparer.Ordinal);
}

/// <summary>A relation that a text states.</summary>
/// <param name="Excerpt">The sentence that states it; null: the whole text of the source.</param>
internal sealed record StatedRelation(string From, string FromType, string Type, string To, string ToType, string? Excerpt = null)
{
    private const int LongestName = 120;

    /// <summary>Null: not usable.</summary>
    public static StatedRelation? Of(string? from, string? fromType, string? type, string? to, string? toType, string? excerpt = null)
    {
        var (a, b, named) = (Name(from), Name(to), TypeName(type));
        return a is null || b is null || named is null || FactText.Normalize(a) == FactText.Normalize(b) ? null : new StatedRelation(a, Kind(fromType), named, b, Kind(toType), excerpt);
    }

    public static string Kind(string? type) => type?.Trim().ToLowerInvariant() is { } known && GraphWords.Types.Contains(known) ? known : GraphWords.Thing;

    /// <summary>lower_case, as relations are named everywhere; null: no name.</summary>
    public static string? TypeName(string? type)
    {
        var name = new StringBuilder();
        foreach (var c in type?.Trim() ?? "")
        {
            if (char.IsAsciiLetterOrDigit(c))
            {
                name.Append(char.ToLowerInvariant(c));
            }
            else if (name.Length > 0 && name[^1] != '_')
            {
                name.Append('_');
            }
        }

        var text = name.ToString().TrimEnd('_');
        return text.Length is 0 or > 40 || !char.IsAsciiLetter(text[0]) ? null : text;
    }

    private static string? Name(string? name)
    {
        var tidy = name?.ReplaceLineEndings(" ").Trim(' ', '.', ',', '"', '«', '»', '\'');
        return tidy is { Length: > 0 and <= LongestName } && FactText.Normalize(tidy).Length > 0 ? tidy : null;
    }
}

/// <summary>What says so.</summary>
/// <param name="Kind"><see cref="GraphWords.FromFact"/> or <see cref="GraphWords.FromDocument"/>.</param>
/// <param name="Id">The fact, or the chunk.</param>
internal sealed record GraphSource(string Kind, string Id, string? DocumentId, string Excerpt, int Confidence, bool Tainted, DateTimeOffset ValidFrom, DateTimeOffset? ValidUntil);
