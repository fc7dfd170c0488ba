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
    /// <summary>Beside <see cref="NumberWords"/>: words that are a number by themselves.</summary>
    private static readonly FrozenDictionary<string, string> Numbers = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["half"] = "0.5", ["twice"] = "2", ["double"] = "2", ["thrice"] = "3", ["triple"] = "3",
        ["полчаса"] = "0.5", ["получаса"] = "0.5", ["полгода"] = "0.5", ["полугода"] = "0.5", ["полдня"] = "0.5",
        ["половина"] = "0.5", ["половины"] = "0.5", ["половине"] = "0.5", ["половину"] = "0.5", ["половиной"] = "0.5", ["полтора"] = "1.5", ["полторы"] = "1.5", ["полутора"] = "1.5", ["дважды"] = "2", ["трижды"] = "3",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly SearchValues<char> Apostrophes = SearchValues.Create("’ʼ´‘′");

    private static readonly SearchValues<char> CodeSigns = SearchValues.Create("_{}=<>\\|^~`@#$&*+/");

    /// <summary>Begins the mark of a name.</summary>
    public const char Name = '^';

    public static QuestionMarks Of(string question)
    {
        var marks = new StringBuilder();
        return new MarkReader(marks).Read(Plain(Code(question, marks)));
    }

    /// <summary>The mark of a word that is no number; nothing, if it has none.</summary>
    public static void Mark(string word, bool isStart, StringBuilder marks)
    {
        var lower = word.ToLowerInvariant();
        if (Whole(word, lower, isStart) is { } whole)
        {
            Add(marks, whole.Kind, whole.Mark);
            return;
        }

        // What is written large may also be a name that only begins like an opposite or a number: Unger, Непал, Пятигорск.
        var isLarge = char.IsUpper(word[0]);
        if (!isLarge || isStart)
        {
            MarkWithin(lower, marks);
        }

        if (IsName(word, isStart))
        {
            Add(marks, Name, lower);
        }
        else if (isStart && isLarge && !Openers.Contains(lower))
        {
            Add(marks, QuestionMarks.Perhaps, lower);
        }
    }

    public static void Add(StringBuilder marks, char kind, string mark) => marks.Append(kind).Append(mark.Replace(QuestionMarks.Perhaps, '¿')).Append(QuestionMarks.End);

    private static (char Kind, string Mark)? Whole(string word, string lower, bool isStart)
    {
        if (Negations.Are(lower))
        {
            return ('!', "");
        }

        if (Numbers.TryGetValue(lower, out var number))
        {
            return ('#', number);
        }

        return DateWords.Of(word, lower, isStart) is { } date ? ('@', date) : IsCode(word) ? ('`', word) : null;
    }

    /// <summary>What is only part of a word: «небезопасно», "unmute", «двухкомнатная», "two-year-old".</summary>
    private static void MarkWithin(string lower, StringBuilder marks)
    {
        if (Negations.Begin(lower))
        {
            Add(marks, '!', "");
            return;
        }

        foreach (var number in NumberWords.Within(lower))
        {
            Add(marks, '#', number.ToString(CultureInfo.InvariantCulture));
        }
    }

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

    /// <summary>Every apostrophe as the one of the keyboard.</summary>
    private static string Plain(string text) => text.AsSpan().ContainsAny(Apostrophes) ? text.Replace('’', '\'').Replace('ʼ', '\'').Replace('´', '\'').Replace('‘', '\'').Replace('′', '\'') : text;
}
