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
        2 two second два две двух двум двумя второй вторая второе второго второму вторую вторым втором вторые вторых двое двоих двоим двоими оба обе обоих обоим обоими обеих обеим обеими вдвое вдвоем
        3 three third три трех трем тремя третий третья третье третьего третьей третьему третью третьим третьем трое троих троим троими втрое втроем
        4 four fourth четыре четырех четырем четырьмя четверо четверых четверым четверыми вчетверо вчетвером четырежды
        5 five fifth пять пяти пятью пятеро пятерых пятерым пятерыми впятеро впятером
        6 six sixth шесть шести шестью шестеро шестерых шестерым шестерыми вшестеро вшестером
        7 seven seventh семь семи семеро семерых семерым семерыми всемеро всемером
        8 eight eighth восемь восьми восемью восьмью восьмеро восьмерых восьмерым восьмерыми
        9 nine ninth девять девяти девятью девятеро девятерых девятерым девятерыми
        10 ten tenth десять десяти десятью десятеро десятерых десятерым десятерыми вдесятеро десяток десятка десятку десятком десятке десятки десятков десяткам десятками десятках
        11 eleven eleventh одиннадцать одиннадцати одиннадцатью
        12 twelve twelfth dozen dozens дюжина дюжины дюжине дюжину дюжиной дюжин двенадцать двенадцати двенадцатью
        13 thirteen thirteenth тринадцать тринадцати тринадцатью
        14 fourteen fourteenth четырнадцать четырнадцати четырнадцатью
        15 fifteen fifteenth пятнадцать пятнадцати пятнадцатью
        16 sixteen sixteenth шестнадцать шестнадцати шестнадцатью
        17 seventeen seventeenth семнадцать семнадцати семнадцатью
        18 eighteen eighteenth восемнадцать восемнадцати восемнадцатью
        19 nineteen nineteenth девятнадцать девятнадцати девятнадцатью
        20 twenty twentieth двадцать двадцати двадцатью
        30 thirty thirtieth тридцать тридцати тридцатью
        40 forty fortieth fourty сорок сорока
        50 fifty fiftieth пятьдесят пятидесяти пятьюдесятью
        60 sixty sixtieth шестьдесят шестидесяти шестьюдесятью
        70 seventy seventieth семьдесят семидесяти семьюдесятью
        80 eighty eightieth восемьдесят восьмидесяти восемьюдесятью восьмьюдесятью
        90 ninety ninetieth девяносто девяноста
        100 hundred hundreds hundredth сто ста сотня сотни сотне сотню сотней сотен сотням сотнями сотнях
        200 двести двухсот двумстам двумястами двухстах
        300 триста трехсот тремстам тремястами трехстах
        400 четыреста четырехсот четыремстам четырьмястами четырехстах
        500 пятьсот пятисот пятистам пятьюстами пятистах
        600 шестьсот шестисот шестистам шестьюстами шестистах
        700 семьсот семисот семистам семьюстами семистах
        800 восемьсот восьмисот восьмистам восемьюстами восьмистах
        900 девятьсот девятисот девятистам девятьюстами девятистах
        1000 thousand thousands thousandth тысяча тысячи тысяче тысячу тысячей тысячью тысяч тысячам тысячами тысячах
        1000000 million millions millionth миллион миллиона миллиону миллионом миллионе миллионы миллионов миллионам миллионами миллионах
        1000000000 billion billions billionth миллиард миллиарда миллиарду миллиардом миллиарде миллиарды миллиардов миллиардам миллиардами миллиардах
        1000000000000 trillion trillions trillionth триллион триллиона триллиону триллионом триллионе триллионы триллионов триллионам триллионами триллионах
        """;

    /// <summary>The number, then the stem of its Russian ordinal.</summary>
    private const string Ordinals = """
        2 двойн
        3 тройн
        4 четверт
        5 пят
        6 шест
        7 седьм
        8 восьм
        9 девят
        10 десят
        11 одиннадцат
        12 двенадцат
        13 тринадцат
        14 четырнадцат
        15 пятнадцат
        16 шестнадцат
        17 семнадцат
        18 восемнадцат
        19 девятнадцат
        20 двадцат
        30 тридцат
        40 сороков
        50 пятидесят
        60 шестидесят
        70 семидесят
        80 восьмидесят
        90 девяност
        100 сот
        1000 тысячн
        1000000 миллионн
        """;

    /// <summary>Numbers with which Russian words begin, and then go on for three letters at least: a longer one before one that it begins with.</summary>
    private static readonly (string Word, long Value)[] Beginnings =
    [
        ("двухсот", 200), ("трехсот", 300), ("четырехсот", 400), ("пятисот", 500), ("шестисот", 600), ("семисот", 700), ("восьмисот", 800), ("девятисот", 900), ("пятидесяти", 50), ("шестидесяти", 60), ("семидесяти", 70), ("восьмидесяти", 80),
        ("девяносто", 90), ("сорока", 40), ("тридцати", 30), ("двадцати", 20), ("одиннадцати", 11), ("двенадцати", 12), ("тринадцати", 13), ("четырнадцати", 14), ("пятнадцати", 15), ("шестнадцати", 16), ("семнадцати", 17),
        ("восемнадцати", 18), ("девятнадцати", 19), ("десяти", 10), ("четырех", 4), ("двух", 2), ("дву", 2), ("трех", 3), ("пяти", 5), ("шести", 6), ("семи", 7), ("восьми", 8), ("девяти", 9),
        ("одноко", 1), ("одноэт", 1), ("однодн", 1), ("однол", 1), ("одноме", 1), ("одноне", 1),
    ];

    private static readonly string[] NoBeginnings = ["семина", "семит"];

    private static readonly string[] Endings = ["ый", "ой", "ая", "ое", "ого", "ому", "ую", "ым", "ом", "ые", "ых", "ыми"];

    private static readonly FrozenDictionary<string, long[]> Values = Read(Table, Ordinals);

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

    /// <summary>Numbers that are a part of the word: «двухкомнатная», "two-year-old".</summary>
    /// <param name="lower">In lower case.</param>
    public static List<long> Within(string lower)
    {
        var plain = lower.Replace('ё', 'е');
        return plain.Contains('-', StringComparison.Ordinal) ? Joined(plain.Split('-')) : plain[0] is >= 'а' and <= 'я' ? Beginning(plain) : [];
    }

    private static List<long> Joined(string[] parts)
    {
        var found = new List<long>();
        var spelled = default(SpelledNumber);
        foreach (var part in parts)
        {
            if (!Values.TryGetValue(part, out var value) || !spelled.TryAdd(value[0]))
            {
                Close(found, ref spelled);
                _ = value is not null && spelled.TryAdd(value[0]);
            }
        }

        Close(found, ref spelled);
        return found;
    }

    private static List<long> Beginning(string word)
    {
        var found = new List<long>();
        var spelled = default(SpelledNumber);
        var rest = word;
        while (Begun(rest) is { } number)
        {
            if (!spelled.TryAdd(number.Value))
            {
                Close(found, ref spelled);
                spelled.TryAdd(number.Value);
            }

            rest = rest[number.Length..];
        }

        Close(found, ref spelled);
        return found;
    }

    private static (int Length, long Value)? Begun(string word)
    {
        foreach (var (begin, value) in Array.Exists(NoBeginnings, b => word.StartsWith(b, StringComparison.Ordinal)) ? [] : Beginnings)
        {
            if (word.Length > begin.Length + 2 && word.StartsWith(begin, StringComparison.Ordinal))
            {
                return (begin.Length, value);
            }
        }

        return null;
    }

    private static void Close(List<long> found, ref SpelledNumber spelled)
    {
        if (spelled.IsOpen)
        {
            found.Add(spelled.Value);
            spelled = default;
        }
    }

    private static FrozenDictionary<string, long[]> Read(string table, string ordinals)
    {
        var values = new Dictionary<string, long[]>(StringComparer.Ordinal);
        foreach (var (value, words) in Lines(table).Concat(Lines(ordinals).Select(static line => (line.Value, Words: Array.ConvertAll(Endings, ending => line.Words[0] + ending)))))
        {
            foreach (var word in words)
            {
                values[word] = [value];
            }
        }

        return values.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static IEnumerable<(long Value, string[] Words)> Lines(string table) => table.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Select(static line => line.Split(' ')).Select(static words => (long.Parse(words[0], CultureInfo.InvariantCulture), words[1..]));
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
        if (_rest == 0 || _thousands % (scale * 1_000) != 0) // "two billion three million five thousand": each scale below the one before
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
