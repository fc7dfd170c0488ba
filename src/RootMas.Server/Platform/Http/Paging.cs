using System.Buffers.Text;
using System.Text;

namespace RootMas.Server.Platform.Http;

/// <summary>One page of a list.</summary>
/// <param name="Items">The entries of this page.</param>
/// <param name="NextCursor">Send it as <c>cursor</c> to get the next page; null: this is the last one.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor);

/// <summary>What a list was asked for, checked.</summary>
/// <param name="Limit">1 to 200.</param>
/// <param name="After">The position the cursor names, in the parts that <see cref="Paging.CursorOf"/> was given; null: from the beginning.</param>
public readonly record struct PageRequest(int Limit, string[]? After);

/// <summary>Lists: <c>?limit=</c> 1–200, default 50, and an opaque <c>?cursor=</c>.</summary>
public static class Paging
{
    public const int DefaultLimit = 50;
    public const int MaxLimit = 200;

    /// <summary>What <see cref="ReadShort"/> makes of a limit, for the API description.</summary>
    public const string ShortLimit = "Entries per page, 1 to 200; without it the list comes whole.";

    private const char Separator = '\u001F';

    /// <summary>Null: fine, and <paramref name="page"/> is set. <paramref name="cursorParts"/> is how many parts this list's cursors have.</summary>
    public static Problem? Read(int? limit, string? cursor, int cursorParts, out PageRequest page, int maxLimit = MaxLimit)
    {
        page = default;
        if (limit is < 1 || limit > maxLimit)
        {
            return Problems.Invalid("limit", $"must be between 1 and {maxLimit}");
        }

        string[]? after = null;
        if (!string.IsNullOrEmpty(cursor) && ((after = PartsOf(cursor)) is null || after.Length != cursorParts))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        page = new PageRequest(limit ?? DefaultLimit, after);
        return null;
    }

    /// <summary>The same for a list of <paramref name="count"/> entries that is in memory and was always given whole: without a limit it still is.</summary>
    public static Problem? ReadShort(int? limit, string? cursor, int count, out PageRequest page)
    {
        var problem = Read(limit, cursor, 1, out page);
        page = limit is null ? page with { Limit = count } : page;
        return problem;
    }

    /// <summary>The part of a list in memory that was asked for, after the entry whose name is in the cursor. Names are its own: no two are the same.</summary>
    internal static (IReadOnlyList<T> Items, string? NextCursor) PageOf<T>(IReadOnlyList<T> all, PageRequest page, Func<T, string> nameOf)
    {
        // After a name that is gone meanwhile the list begins anew rather than ending early.
        var from = page.After is [var after] ? all.TakeWhile(a => nameOf(a) != after).Count() + 1 : 0;
        var items = all.Skip(from > all.Count ? 0 : from).Take(page.Limit).ToList();
        return (items, items.Count > 0 && nameOf(items[^1]) != nameOf(all[^1]) ? CursorOf(nameOf(items[^1])) : null);
    }

    /// <summary>A cursor that names the position after the last entry: its sort keys, as text.</summary>
    public static string CursorOf(params ReadOnlySpan<string> parts) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Join(Separator, parts)));

    private static string[]? PartsOf(string cursor)
    {
        if (cursor.Length > 500 || !Base64Url.IsValid(cursor))
        {
            return null;
        }

        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Base64Url.DecodeFromChars(cursor)).Split(Separator);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return null;
        }
    }
}
