using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// What two questions must have in common, whatever their similarity: numbers, dates, names, negations and code, in their order. "From Moscow to Paris" and "from Paris to Moscow" are nearly the same vector and not the same question.
/// </summary>
internal static class MeaningMarks
{
    private static readonly FrozenSet<string> Negations = Set(
        "not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "without", "cannot", "unable", "except", "не", "нет", "ни", "без", "никогда", "никто", "ничего", "нигде", "нельзя", "кроме", "невозможно");

    /// <summary>Beginnings of words that are the opposite of what they are without their first letters.</summary>
    private static readonly string[] Opposites =
    [
        "disab", "disallow", "disconnect", "disagree", "disapprov", "deactivat", "unsubscrib", "uninstall", "unlock", "unblock", "unsafe", "unavailab", "unknown", "unlimit", "unpaid", "unverif", "unlink", "undo", "illegal",
        "impossib", "invalid", "incorrect", "incomplet", "inactiv", "insecur", "irregular", "irrevers", "non-",
    ];

    /// <summary>Russian words that only look like a negation.</summary>
    private static readonly string[] NoNegations =
        ["недел", "небо", "небе", "нефт", "нерв", "нежн", "немец", "немк", "немног", "некотор", "нескольк", "нечто", "недвиж", "недавн", "невест", "нейр", "нетто", "нефр", "неон"];

    /// <summary>Beside <see cref="NumberWords"/>: words that are a number by themselves.</summary>
    private static readonly FrozenDictionary<string, string> Numbers = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["half"] = "0.5", ["twice"] = "2", ["double"] = "2",
        ["половина"] = "0.5", ["половины"] = "0.5", ["половине"] = "0.5", ["половину"] = "0.5", ["половиной"] = "0.5", ["полтора"] = "1.5", ["полторы"] = "1.5", ["полутора"] = "1.5", ["дважды"] = "2", ["трижды"] = "3",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly SearchValues<char> CodeSigns = SearchValues.Create("_{}=<>\\|^~`@#$&*+/");

    /// <summary>Beginnings: months and days of the week are inflected.</summary>
    private static readonly string[] Dates =
    [
        "january", "february", "april", "june", "july", "august", "september", "october", "november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekend",
        "январ", "феврал", "апрел", "июн", "июл", "август", "сентябр", "октябр", "ноябр", "декабр", "понедельник", "вторник", "среда", "среду", "среды", "четверг", "пятниц", "суббот", "воскресен", "выходн",
    ];

    /// <summary>Begins the mark of a name.</summary>
    public const char Name = '^';

    public static QuestionMarks Of(string question)
    {
        var marks = new StringBuilder();
        return new MarkReader(marks).Read(Code(question, marks));
    }

    /// <summary>The mark of a word that is no number; nothing, if it has none.</summary>
    public static void Mark(string word, bool isStart, StringBuilder marks)
    {
        var lower = word.ToLowerInvariant();
        if (IsNegation(lower))
        {
            Add(marks, '!', "");
        }
        else if (Numbers.TryGetValue(lower, out var number))
        {
            Add(marks, '#', number);
        }
        else if (IsDate(word, lower, isStart))
        {
            Add(marks, '@', lower.Length > 6 ? lower[..6] : lower);
        }
        else if (IsCode(word))
        {
            Add(marks, '`', word);
        }
        else if (IsName(word, isStart))
        {
            Add(marks, Name, lower);
        }
        else if (isStart && char.IsUpper(word[0]) && !Openers.Contains(lower))
        {
            Add(marks, QuestionMarks.Perhaps, lower);
        }
    }

    public static void Add(StringBuilder marks, char kind, string mark) => marks.Append(kind).Append(mark.Replace(QuestionMarks.Perhaps, '¿')).Append(QuestionMarks.End);

    private static bool IsNegation(string lower) => Negations.Contains(lower) || lower.EndsWith("n't", StringComparison.Ordinal) || lower.EndsWith("n’t", StringComparison.Ordinal)
        || Begins(lower, Opposites) || (lower.Length > 5 && lower.StartsWith("не", StringComparison.Ordinal) && !Begins(lower, NoNegations));

    private static bool Begins(string word, string[] beginnings) => Array.Exists(beginnings, b => word.StartsWith(b, StringComparison.Ordinal));

    private static bool IsDate(string word, string lower, bool isStart) =>
        Array.Exists(Dates, d => lower.StartsWith(d, StringComparison.Ordinal)) || lower is "march" or "март" or "марта" or "марте" or "мая" || (lower == "may" && !isStart && char.IsUpper(word[0]));

    private static bool IsCode(string word) => word.AsSpan().ContainsAny(CodeSigns) || word.Any(IsSign) || word.Contains("::", StringComparison.Ordinal) || word.Contains("()", StringComparison.Ordinal) || InnerDot(word);

    /// <summary>Signs of arithmetic, of currency and of shares.</summary>
    private static bool IsSign(char c) => WrittenNumber.IsUnit(c) || char.GetUnicodeCategory(c) == UnicodeCategory.MathSymbol;

    /// <summary>A dot between letters: a file, a host, a member.</summary>
    private static bool InnerDot(string word) => word.IndexOf('.', StringComparison.Ordinal) is > 0 and var at && at < word.Length - 1;

    /// <summary>Upper case where no sentence begins, one letter as well ("vitamin C"), or several, or one within ("iPhone", "pro-Russian"). "I" and «Я» are none.</summary>
    private static bool IsName(string word, bool isStart)
    {
        if (word is "I" or "Я" || word.StartsWith("I'", StringComparison.Ordinal) || word.StartsWith("I’", StringComparison.Ordinal))
        {
            return false;
        }

        return word.Count(char.IsUpper) switch
        {
            0 => false,
            1 => char.IsUpper(word[0]) ? !isStart : HasInnerCapital(word),
            _ => true,
        };
    }

    /// <summary>Not where a space was forgotten, as in "card,Can".</summary>
    private static bool HasInnerCapital(string word)
    {
        for (var i = 1; i < word.Length; i++)
        {
            if (char.IsUpper(word[i]))
            {
                return char.IsLetter(word[i - 1]) || word[i - 1] is '-' or '\'' or '’';
            }
        }

        return false;
    }

    /// <summary>Takes what stands between backticks out of the text, whole.</summary>
    private static string Code(string text, StringBuilder marks)
    {
        if (!text.Contains('`', StringComparison.Ordinal))
        {
            return text;
        }

        var parts = text.Split('`');
        var rest = new StringBuilder();
        for (var i = 0; i < parts.Length; i++)
        {
            if (i % 2 == 0)
            {
                rest.Append(parts[i]).Append(' ');
            }
            else if (parts[i].Length > 0)
            {
                Add(marks, '`', parts[i]);
            }
        }

        return rest.ToString();
    }

    private static FrozenSet<string> Set(params ReadOnlySpan<string> words) => words.ToArray().ToFrozenSet(StringComparer.Ordinal);
}
