using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// Whether a question asks for what is true only for a while: the present time or date, what is reckoned from it, news. Rules, in English and Russian. What tells of the past without asking for it ("I topped up an hour ago") or
/// of time in general ("at what time", "how long does it take", "on Mondays") is no such question, as far as forms tell.
/// </summary>
internal static partial class TimeWords
{
    /// <summary>No question takes so long; one that did is not kept.</summary>
    private const int MostMilliseconds = 200;

    private const string Weekday = @"(?:mon|tues|wednes|thurs|fri|satur|sun)day";

    private const string Span = $@"(?:morning|afternoon|evening|night|day|week|weekend|month|quarter|year|season|spring|summer|autumn|fall|winter|decade|century|hour|minute|term|semester|{Weekday})s?";

    private const string EnglishWords = $$"""
        \b(?:today|tonight|tomorrow|yesterday|currently|presently|nowadays|latest|newest|weather|forecasts?|news|headlines|o['’]clock)\b
        |(?<!\b(?:and|so|but|by|up\ until|hours?|days?|weeks?|months?|years?|while|time|just)\s)\bnow\b(?!\s+(?:i|i['’]m|i['’]ve|it|it['’]s|my|the|that|there['’]?s?)\b)
        |\b(?:right|as\ of|from)\s+now\b
        |\bat\s+(?:the\s+(?:present|current)\s+(?:moment|time)|the\s+moment|present|this\s+(?:moment|time|point|hour|minute|stage))\b
        |\b(?:these\s+days|for\s+the\s+time\s+being|so\s+far\s+this)\b
        |\b(?:this|next|last|past|coming|previous|upcoming|current)\s+(?:few\s+|couple\s+of\s+|\d+\s+)?{{Span}}\b
        |\b(?:current|present|ongoing|upcoming|most\s+recent|recent)\s+(?:local\s+)?(?:time|date|age|price|rate|exchange|value|status\s+of\s+the|situation|version|release|president|prime|minister|king|queen|pope|ceo|chairman|mayor|government
            |leader|champion|record\s+holder|population|temperature|events?|affairs|score|market|stock|inflation|trends?|wars?|elections?|holder|interest)\b
        |\bwhat\s+(?:time|day|date)\b|\b(?:which|what)\s+(?:day|month|year|week|season|century)\s+(?:is\s+it|it\s+is|are\s+we)\b
        |\b(?:what(?:['’]?s|\s+is)|tell\s+me|know|say)\s+the\s+(?:time|date|day|month|year)\b(?!\s+(?:of|limit|frame|between|for|that|when|zone|difference|it|period|range|i|my|to)\b)
        |\bhow\s+old\s+(?:is|are|am|was)\b(?!\s+(?:\w+\s+){1,3}when\b)|\bwhat\s+age\s+(?:is|are|am)\b
        |\bhow\s+(?:many|much)\s+(?:more\s+)?(?:seconds|minutes|hours|days|nights|sleeps|weeks|weekends|months|years|time)\s+(?:\w+\s+){0,3}(?:until|till|til|before|to\s+go|left|remain\w*|since)\b
        |\bhow\s+(?:long|soon|far)\s+(?:is\s+it\s+|is\s+left\s+|do\s+we\s+have\s+)?(?:until|till|to\s+go\s+until)\s+(?!(?:my|i|it|a|an|you|your|we|they|this|these|that|funds|money)\b|the\s+(?!next|end|start|new|final|election|match|game|launch))
        |\bhow\s+long\s+(?:ago\b|has\s+it\s+been\b|since\b)
        |\b(?:years?|decades?|centur(?:y|ies))\s+ago\b|^\s*(?:what|who|which|where|how\s+many|how\s+much)\b[^.!?]{0,200}\bago\b
        |\b(?:live\s+(?:scores?|results?|prices?)|still\s+alive|countdown|days?\s+left\s+(?:until|till|before|in))\b
        |\bin\s+(?:\d+|a|an|one|two|three|four|five|six|seven|ten)\s+{{Span}}['’]?\s+time\b
        """;

    private const string RussianSpan = """
        (?:недел\w*|месяц\w*|год\w*|лет[оау]?|летом|квартал\w*|сезон\w*|десятилети\w*|век\w{0,3}|столети\w*|зим\w{1,3}|осен\w{1,3}|весн\w{1,3}|утр\w{1,3}|вечер\w{0,3}|ноч\w{1,4}|день|дня|дню|днём|днем|дне|дни|дней|дням|днями|днях
            |понедельник\w*|вторник\w*|сред(?:а|у|ы|е|ой|ам|ами|ах)|четверг\w*|пятниц\w*|суббот\w*|воскресень\w*|выходн\w*|час|часа|часу|часов|часы|минут\w*|семестр\w*|четверт\w*)
        """;

    private const string RussianWords = $$"""
        \b(?:сегодня(?:шн\w+)?|(?:после)?завтра(?:шн\w+)?|(?:поза)?вчера(?:шн\w+)?|вчерашн\w+|сейчас|теперь|теперешн\w+|ныне|нынче|нынешн\w+|погод(?:а|ы|е|у|ой|ою)|прогноз\w*|новост(?:ь|и|ей|ям|ями|ях|ью)|на\s+днях)\b
        |\bтекущ\w+\b(?!\s+сч[её]т)
        |\bв\s+(?:данный|настоящий|этот|эту|данную)\s+(?:момент|минуту|секунду|час)\b|\bна\s+(?:данный|настоящий|этот)\s+момент\b|\bв\s+(?:настоящее|наше)\s+время\b|\bпо\s+состоянию\s+на\b
        |\b(?:эт(?:а|о|от|и|у|ой|ого|ому|им|их|ими|ом)|следующ\w+|прошл\w+|прошедш\w+|будущ\w+|ближайш\w+|минувш\w+|предстоящ\w+|наступающ\w+|уходящ\w+)\s+(?:\d+\s+|пар[уы]\s+|несколько\s+)?{{RussianSpan}}\b
        |\bкоторый\s+час\b|\bсколько\s+(?:на\s+часах|время)\b|\bсколько\s+времени\b(?:\s*(?:[?!.]|$)|\s+(?:на\s+часах|в\s+(?-i:[А-ЯЁ])))
        |\bкак(?:ое|ого)\s+числ[оа]\b(?:\s*(?:[?!.]|$))|\bкакой\s+день\b|\bкак(?:ой|ая|ое)\s+(?:год|месяц|дата|неделя|время\s+года)\b\s*(?:[?!.]|$)|\bкакое\s+время\s+(?:в|на)\s+(?-i:[А-ЯЁ])
        |\bсколько\s+(?:\w+\s+){0,3}(?:осталось|оста[её]тся|прошло)\b|\bсколько\s+(?:ещ[её]\s+)?(?:секунд|минут|часов|дней|суток|ночей|недель|месяцев|лет|времени)\s+(?:\w+\s+)?(?:до|назад)\b
        |\bсколько\s+(?:\w+\s+)?лет\b(?!\s+(?:длил|длит|продолж|шла|шли|шло|прав|прожил|жил|занял|занима|нужно|надо|можно|потреб|понадоб|гаранти|храни|действ|служ|назад\s+нужно|в\s+век))
        |\b(?:год|года|лет|десятилети\w+|век\w?|столети\w+)\s+(?:тому\s+)?назад\b|^\s*(?:что|кто|какой|какая|какое|какие|где|сколько)\b[^.!?]{0,200}\bназад\b
        |\b(?:последн|свеж|актуальн|недавн)\w+\s+(?:\w+\s+)?(?:событи|верси|данн|результат|изменени|курс|матч|выпуск|релиз|обновлени|цен|информаци|расписани|сводк|статист|рейтинг)\w*
        """;

    /// <summary>The dates that are today somewhere on earth, and how people write them. Made once a day.</summary>
    private static volatile Day _day = new(DateOnly.MinValue, SearchValues.Create(["0001-01-01"], StringComparison.Ordinal));

    /// <summary>Allocates nothing.</summary>
    public static bool AreIn(ReadOnlySpan<char> question)
    {
        try
        {
            return (question.ContainsAnyInRange('А', 'я') && Russian().IsMatch(question)) || (question.ContainsAnyInRange('a', 'z') && English().IsMatch(question));
        }
        catch (RegexMatchTimeoutException)
        {
            return true;
        }
    }

    /// <summary>Whether the text carries the present date: what is answered to it is true on that day. Allocates nothing but once a day.</summary>
    public static bool HasToday(ReadOnlySpan<char> text, DateTimeOffset now)
    {
        var today = DateOnly.FromDateTime(now.UtcDateTime);
        var day = _day;
        if (day.Date != today)
        {
            _day = day = Day.Of(today);
        }

        return text.ContainsAny(day.Forms);
    }

    [GeneratedRegex(EnglishWords, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace, MostMilliseconds)]
    private static partial Regex English();

    [GeneratedRegex(RussianWords, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace, MostMilliseconds)]
    private static partial Regex Russian();

    private sealed record Day(DateOnly Date, SearchValues<string> Forms)
    {
        private static readonly string[] RussianMonths = ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"];

        private static readonly string[] Formats =
            ["yyyy-MM-dd", "yyyy/MM/dd", "yyyy.MM.dd", "dd.MM.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "d MMMM yyyy", "d MMM yyyy", "MMMM d, yyyy", "MMM d, yyyy", "MMMM d yyyy"];

        public static Day Of(DateOnly today)
        {
            // All that it becomes somewhere before the day in UTC ends: at noon it is tomorrow in Auckland, and at its first minute it is not.
            DateOnly[] dates = [today.AddDays(-1), today, today.AddDays(1)];
            var forms = dates.SelectMany(static d => Formats.Select(f => d.ToString(f, CultureInfo.InvariantCulture)).Append(string.Create(CultureInfo.InvariantCulture, $"{d.Day} {RussianMonths[d.Month - 1]} {d.Year}")));
            return new Day(today, SearchValues.Create([.. forms], StringComparison.OrdinalIgnoreCase));
        }
    }
}
