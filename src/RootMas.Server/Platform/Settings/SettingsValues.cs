using System.Collections;
using System.Globalization;

namespace RootMas.Server.Platform.Settings;

/// <summary>Texts of settings: reading, writing, and naming their types.</summary>
internal static class SettingsValues
{
    private static readonly (string Unit, double Milliseconds)[] Units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

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

    /// <summary>Lists are <c>Key:0</c>, <c>Key:1</c> in files, and one value with <c>;</c> between items in variables.</summary>
    private static bool TryReadList(string key, Type item, IReadOnlyDictionary<string, SettingValue> values, out object? value, out string? source, out string? error)
    {
        (value, source, error) = (null, null, null);
        var texts = new List<string>();
        if (values.TryGetValue(key, out var joined))
        {
            source = joined.Source;
            texts.AddRange(joined.Value.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        }
        else
        {
            for (var i = 0; values.TryGetValue($"{key}:{i.ToString(CultureInfo.InvariantCulture)}", out var one); i++)
            {
                source = one.Source;
                texts.Add(one.Value);
            }
        }

        if (source is null)
        {
            return false;
        }

        var array = Array.CreateInstance(item, texts.Count);
        for (var i = 0; i < texts.Count && error is null; i++)
        {
            array.SetValue(Parse(texts[i], item, out error), i);
        }

        value = array;
        return error is null;
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
