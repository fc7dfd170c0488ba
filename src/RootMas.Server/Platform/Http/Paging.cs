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
        if (cursor is not null && ((after = PartsOf(cursor)) is null || after.Length != cursorParts))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        page = new PageRequest(limit ?? DefaultLimit, after);
        return null;
    }

    /// <summary>A cursor that names the position after the last entry: its sort keys, as text.</summary>
    public static string CursorOf(params ReadOnlySpan<string> parts) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Join(Separator, parts)));

    private static string[]? PartsOf(string cursor)
    {
        if (cursor.Length is 0 or > 500 || !Base64Url.IsValid(cursor))
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
