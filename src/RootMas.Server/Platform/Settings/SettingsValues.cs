using System.Collections;
using System.Globalization;

namespace RootMas.Server.Platform.Settings;

/// <summary>Texts of settings: reading, writing, and naming their types.</summary>
internal static class SettingsValues
{
    private static readonly (string Unit, double Milliseconds)[] Units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    /// <summary>In place of the number of an item: the whole list in one value.</summary>
    private const int Whole = -1;

    public static bool TryRead(string key, Type type, IReadOnlyDictionary<string, SettingValue> values, out object? value, out string? source, out string? error)
    {
        value = null;
        error = null;
        if (ItemOf(type) is { } item)
        {
            return TryReadList(key, item, values, out value, out source, out error);
        }

        if (IsTable(type))
        {
            return TryReadTable(key, values, out value, out source);
        }

        source = null;
        if (!values.TryGetValue(key, out var found))
        {
            return false;
        }

        source = found.Source;
        value = Parse(found.Value, type, out error);
        return error is null;
    }

    public static string TypeName(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (ItemOf(type) is { } item)
        {
            return $"list of {TypeName(item)}";
        }

        return type switch
        {
            _ when IsTable(type) => "table of text",
            _ when type == typeof(bool) => "true | false",
            _ when type == typeof(int) || type == typeof(long) => "integer",
            _ when type == typeof(double) || type == typeof(decimal) => "number",
            _ when type == typeof(TimeSpan) => "duration",
            _ when type == typeof(Uri) => "URL",
            _ when type.IsEnum => "name",
            _ => "text",
        };
    }

    public static string Write(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "true" : "false",
        TimeSpan span => WriteSpan(span),
        string text => text,
        IReadOnlyDictionary<string, string> table => string.Join(";", table.Select(p => $"{p.Key}={p.Value}")),
        IEnumerable list => string.Join(";", list.Cast<object?>().Select(Write)),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    /// <summary>Null: the text is not of that type.</summary>
    private static readonly Dictionary<Type, Func<string, object?>> Parsers = new()
    {
        [typeof(string)] = text => text,
        [typeof(int)] = text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null,
        [typeof(long)] = text => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null,
        [typeof(double)] = text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : null,
        [typeof(decimal)] = text => decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null,
        [typeof(bool)] = text => bool.TryParse(text, out var value) ? value : null,
        [typeof(TimeSpan)] = text => ParseSpan(text),
        [typeof(Uri)] = text => Uri.TryCreate(text, UriKind.Absolute, out var value) ? value : null,
    };

    private static object? Parse(string text, Type type, out string? error)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        var value = type.IsEnum ? ParseName(text, type)
            : Parsers.TryGetValue(type, out var parse) ? parse(text)
            : throw new InvalidOperationException($"Settings of type {type} are not supported.");
        error = value is null ? $"'{text}' is not {Article(TypeName(type))}" : null;
        return value;
    }

    private static object? ParseName(string text, Type type) =>
        Enum.GetNames(type).FirstOrDefault(n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } name ? Enum.Parse(type, name) : null;

    private static string Article(string type) => type switch
    {
        "integer" => "an integer",
        "duration" => "a duration (500ms, 30s, 5m, 1h, 7d or hh:mm:ss)",
        "true | false" => "true or false",
        "name" => "one of the names",
        _ => $"a {type}",
    };

    private static TimeSpan? ParseSpan(string text)
    {
        foreach (var (unit, milliseconds) in Units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal) &&
                double.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return number * milliseconds < TimeSpan.MaxValue.TotalMilliseconds ? TimeSpan.FromMilliseconds(number * milliseconds) : null;
            }
        }

        return text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span) ? span : null;
    }

    private static string WriteSpan(TimeSpan span)
    {
        foreach (var (unit, milliseconds) in Units.Reverse())
        {
            if (span.TotalMilliseconds >= milliseconds && span.TotalMilliseconds % milliseconds == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds / milliseconds}{unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds}ms");
    }

    /// <summary>The number of an item, as in <c>Key:2</c>; null: <paramref name="key"/> is no item of that list.</summary>
    public static int? ItemNumber(string list, string key) =>
        key.Length > list.Length + 1 && key[list.Length] == ':' && key.StartsWith(list, StringComparison.OrdinalIgnoreCase)
            && int.TryParse(key.AsSpan(list.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && (number == 0 ? key.Length == list.Length + 2 : key[list.Length + 1] != '0')
            ? number
            : null;

    /// <summary>
    /// Lists are <c>Key:0</c>, <c>Key:1</c>, or one value with <c>;</c> between items. All of a list comes from the highest source that says anything of it: put together from several, it would be one that nobody wrote.
    /// </summary>
    private static bool TryReadList(string key, Type item, IReadOnlyDictionary<string, SettingValue> values, out object? value, out string? source, out string? error)
    {
        (value, source, error) = (null, null, null);
        var said = values.Where(v => v.Key.Equals(key, StringComparison.OrdinalIgnoreCase) || ItemNumber(key, v.Key) is not null)
            .Select(v => (Number: ItemNumber(key, v.Key) ?? Whole, v.Value)).OrderByDescending(static s => s.Value.Rank).ThenBy(static s => s.Number).ToList();
        if (said.Count == 0)
        {
            return false;
        }

        var highest = said[0].Value.Rank;
        said.RemoveAll(s => s.Value.Rank < highest);
        source = said[0].Value.Source;
        error = Misnumbered([.. said.Select(static s => s.Number)]);
        string[] texts = said[0].Number == Whole
            ? said[0].Value.Value.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : [.. said.Select(static s => s.Value.Value)];
        var array = Array.CreateInstance(item, texts.Length);
        for (var i = 0; i < texts.Length && error is null; i++)
        {
            array.SetValue(Parse(texts[i], item, out error), i);
        }

        value = array;
        return error is null;
    }

    /// <param name="numbers">In order; <see cref="Whole"/> first, if the list is given in one value.</param>
    private static string? Misnumbered(IReadOnlyList<int> numbers)
    {
        if (numbers[0] == Whole)
        {
            return numbers.Count == 1 ? null : $"item {numbers[1]} stands beside a value for the whole list; give either the items or the list";
        }

        for (var i = 0; i < numbers.Count; i++)
        {
            if (numbers[i] != i)
            {
                return $"there is an item {numbers[i]} and no item {i}; number them from 0 on without a gap, or give all of them in one value with ; between them";
            }
        }

        return null;
    }

    private static bool TryReadTable(string key, IReadOnlyDictionary<string, SettingValue> values, out object? value, out string? source)
    {
        var table = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        source = null;
        foreach (var (name, found) in values.Where(v => v.Key.StartsWith(key + ":", StringComparison.OrdinalIgnoreCase)))
        {
            source = found.Source;
            table[name[(key.Length + 1)..]] = found.Value;
        }

        value = table;
        return source is not null;
    }

    private static Type? ItemOf(Type type)
    {
        if (type.IsArray)
        {
            return type.GetElementType();
        }

        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;
    }

    private static bool IsTable(Type type) => type == typeof(IReadOnlyDictionary<string, string>);
}
