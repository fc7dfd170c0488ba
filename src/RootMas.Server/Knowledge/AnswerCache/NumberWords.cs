using System.Collections.Frozen;
using System.Globalization;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Words for numbers, English and Russian, in every form in which they stand in sentences. ё is written е.</summary>
internal static class NumberWords
{
    /// <summary>The number, then its words. «семью» is left out: it is more often the family.</summary>
    private const string Table = """
        0 zero ноль ноля нолю нолем ноле нуль нуля нулю нулем нуле
        1 one first один одна одно одну одного одной одному одним одном первый первая первое первого первой первому первую первым первом первые первых
        2 two second два две двух двум двумя второй вторая второе второго второму вторую вторым втором вторые вторых
        3 three third три трех трем тремя третий третья третье третьего третьей третьему третью третьим третьем
        4 four четыре четырех четырем четырьмя
        5 five пять пяти пятью
        6 six шесть шести шестью
        7 seven семь семи
        8 eight восемь восьми восемью восьмью
        9 nine девять девяти девятью
        10 ten десять десяти десятью
        11 eleven одиннадцать одиннадцати одиннадцатью
        12 twelve двенадцать двенадцати двенадцатью
        13 thirteen тринадцать тринадцати тринадцатью
        14 fourteen четырнадцать четырнадцати четырнадцатью
        15 fifteen пятнадцать пятнадцати пятнадцатью
        16 sixteen шестнадцать шестнадцати шестнадцатью
        17 seventeen семнадцать семнадцати семнадцатью
        18 eighteen восемнадцать восемнадцати восемнадцатью
        19 nineteen девятнадцать девятнадцати девятнадцатью
        20 twenty двадцать двадцати двадцатью
        30 thirty тридцать тридцати тридцатью
        40 forty fourty сорок сорока
        50 fifty пятьдесят пятидесяти пятьюдесятью
        60 sixty шестьдесят шестидесяти шестьюдесятью
        70 seventy семьдесят семидесяти семьюдесятью
        80 eighty восемьдесят восьмидесяти восемьюдесятью восьмьюдесятью
        90 ninety девяносто девяноста
        100 hundred hundreds сто ста
        200 двести двухсот двумстам двумястами двухстах
        300 триста трехсот тремстам тремястами трехстах
        400 четыреста четырехсот четыремстам четырьмястами четырехстах
        500 пятьсот пятисот пятистам пятьюстами пятистах
        600 шестьсот шестисот шестистам шестьюстами шестистах
        700 семьсот семисот семистам семьюстами семистах
        800 восемьсот восьмисот восьмистам восемьюстами восьмистах
        900 девятьсот девятисот девятистам девятьюстами девятистах
        1000 thousand thousands тысяча тысячи тысяче тысячу тысячей тысячью тысяч тысячам тысячами тысячах
        1000000 million millions миллион миллиона миллиону миллионом миллионе миллионы миллионов миллионам миллионами миллионах
        """;

    private static readonly FrozenDictionary<string, long[]> Values = Read(Table);

    /// <summary>Numbers of which the word consists: one, or several with hyphens ("twenty-five"). Null: it is no such word.</summary>
    /// <param name="lower">In lower case.</param>
    public static long[]? Of(string lower)
    {
        var plain = lower.Replace('ё', 'е');
        if (Values.TryGetValue(plain, out var values))
        {
            return values;
        }

        if (!plain.Contains('-', StringComparison.Ordinal))
        {
            return null;
        }

        var parts = Array.ConvertAll(plain.Split('-'), static part => Values.TryGetValue(part, out var one) ? one : null);
        return Array.TrueForAll(parts, static part => part is not null) ? [.. parts.SelectMany(static part => part!)] : null;
    }

    private static FrozenDictionary<string, long[]> Read(string table)
    {
        var values = new Dictionary<string, long[]>(StringComparer.Ordinal);
        foreach (var line in table.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ');
            long[] value = [long.Parse(words[0], CultureInfo.InvariantCulture)];
            foreach (var word in words[1..])
            {
                values[word] = value;
            }
        }

        return values.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

/// <summary>A number of several words, while they come: "two hundred and five" is 205, «двадцать пять» 25, and "two three" two numbers.</summary>
internal struct SpelledNumber
{
    private long _thousands;
    private long _rest;

    /// <summary>Some words have come.</summary>
    public bool IsOpen { get; private set; }

    public readonly long Value => _thousands + _rest;

    /// <summary>An "and" may be part of it here.</summary>
    public readonly bool MayPause => IsOpen && Value >= 100 && _rest % 100 == 0;

    /// <summary>Takes the next word's number. False: it does not go on with what came before, and begins another number.</summary>
    public bool TryAdd(long value)
    {
        if (!IsOpen)
        {
            IsOpen = true;
            (_thousands, _rest) = value >= 1_000 ? (value, 0L) : (0L, value);
            return true;
        }

        return value >= 1_000 ? TryMultiply(value) : TryAppend(value);
    }

    private bool TryMultiply(long scale)
    {
        if (_rest == 0 || _thousands % 1_000_000 != 0 || (_thousands > 0 && scale > 1_000))
        {
            return false;
        }

        (_thousands, _rest) = (_thousands + (_rest * scale), 0);
        return true;
    }

    private bool TryAppend(long value)
    {
        if (value == 100 && _rest is > 0 and < 10)
        {
            _rest *= 100; // "two hundred"
            return true;
        }

        // A hundred has room for tens and ones, twenty for ones, and five for nothing.
        var room = _rest == 0 ? 1_000 : _rest % 100 == 0 ? 100 : _rest % 10 == 0 && _rest % 100 > 10 ? 10 : 1;
        if (Value == 0 || value == 0 || value >= room)
        {
            return false;
        }

        _rest += value;
        return true;
    }
}
