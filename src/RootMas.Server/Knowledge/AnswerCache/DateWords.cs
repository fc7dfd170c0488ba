using System.Collections.Frozen;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Months and days of the week, whole and shortened, English and Russian.</summary>
internal static class DateWords
{
    /// <summary>Beginnings, for they are inflected. A month or a day is told by its first three letters.</summary>
    private static readonly string[] Beginnings =
    [
        "january", "february", "april", "june", "july", "august", "september", "october", "november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekend",
        "январ", "феврал", "апрел", "июн", "июл", "август", "сентябр", "октябр", "ноябр", "декабр", "понедельник", "вторник", "среда", "среду", "среды", "среде", "средам", "четверг", "пятниц", "суббот", "воскресен", "выходн",
    ];

    private static readonly FrozenSet<string> Short = """
        jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun march янв фев февр апр авг сен сент окт ноя нояб дек март марта марте марту мартом
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Others = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["май"] = "май", ["мая"] = "май", ["мае"] = "май", ["маю"] = "май", ["маем"] = "май",
        ["пн"] = "пон", ["вт"] = "вто", ["ср"] = "сре", ["чт"] = "чет", ["пт"] = "пят", ["сб"] = "суб", ["вс"] = "вос",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Equal for equal months and days; null: the word is none. "May" is one only where it cannot be the verb.</summary>
    public static string? Of(string word, string lower, bool isStart) =>
        Others.TryGetValue(lower, out var other) ? other
        : Short.Contains(lower) || Array.Exists(Beginnings, b => lower.StartsWith(b, StringComparison.Ordinal)) || (lower == "may" && !isStart && char.IsUpper(word[0])) ? lower[..3]
        : null;
}
