using System.Collections;
using System.Reflection;

namespace RootMas.Server.Platform.Http;

/// <summary>Nulls in lists and tables that may not have them. The JSON reader looks at members only, and lets <c>[null]</c> pass as a list of text.</summary>
internal static class InnerNulls
{
    /// <summary>What the property's list or table may hold; null: it is none, or its entries are never null.</summary>
    public static NullabilityInfo? ListOf(NullabilityInfoContext context, PropertyInfo property)
    {
        if (property.PropertyType == typeof(string) || !typeof(IEnumerable).IsAssignableFrom(property.PropertyType))
        {
            return null;
        }

        var list = context.Create(property);
        return EntryOf(list) is { Type.IsValueType: false } ? list : null;
    }

    /// <summary>Where the first one is, as the client wrote it; null: there is none.</summary>
    public static string? First(NullabilityInfo list, object? value, string name)
    {
        if (value is null || EntryOf(list) is not { } entry)
        {
            return null;
        }

        foreach (var (key, item) in Entries(value))
        {
            if (item is null ? entry.ReadState != NullabilityState.NotNull : EntryOf(entry) is null)
            {
                continue;
            }

            var place = key is int index ? $"{name}[{index}]" : $"{name}.{ExceptionProblems.Clean(key.ToString() ?? "")}";
            if (item is null)
            {
                return place;
            }

            if (First(entry, item, place) is { } deeper)
            {
                return deeper;
            }
        }

        return null;
    }

    private static NullabilityInfo? EntryOf(NullabilityInfo list) => list.ElementType ?? list.GenericTypeArguments.LastOrDefault();

    private static IEnumerable<(object Key, object? Value)> Entries(object value)
    {
        if (value is IDictionary table)
        {
            foreach (DictionaryEntry entry in table)
            {
                yield return (entry.Key, entry.Value);
            }
        }
        else if (value is IEnumerable list and not string)
        {
            foreach (var (index, item) in list.Cast<object?>().Index())
            {
                yield return (index, item);
            }
        }
    }
}
