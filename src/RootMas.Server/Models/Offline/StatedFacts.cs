using System.Text.RegularExpressions;

namespace RootMas.Server.Models.Offline;

/// <summary>Something that somebody says about themselves.</summary>
/// <param name="Text">In their own words.</param>
/// <param name="Attribute">What only one can be true of at a time (<c>home</c>, <c>name</c>); null: several can.</param>
/// <param name="Relation">Type of the relation that it states, for the graph; null: none.</param>
/// <param name="Object">With whom or what.</param>
internal sealed record StatedFact(string Text, string? Attribute, string? Relation = null, string? Object = null);

/// <summary>Finds such statements by their form, in English and Russian. What it misses a real model finds; what it finds was said.</summary>
internal static partial class StatedFacts
{
    private const int Most = 10;

    /// <summary>Longer sentences are not taken apart: each joint of them would be looked at.</summary>
    private const int LongestSentence = 1_000;

    private static readonly (Regex Pattern, string Attribute, string? Relation)[] Forms =
    [
        (Name(), "name", null), (Home(), "home", "lives_in"), (Employer(), "employer", "works_at"), (Job(), "job", null),
        (Likes(), "like:{value}", "likes"), (Dislikes(), "like:{value}", "dislikes"), (Allergy(), "allergy:{value}", null), (Own(), "{what}", null),
    ];

    /// <summary>Statements of the text, in its order.</summary>
    public static IReadOnlyList<StatedFact> Find(string text)
    {
        var found = new List<StatedFact>();
        foreach (var sentence in Sentences(text))
        {
            if (Asked().Match(sentence) is { Success: true } asked)
            {
                found.Add(Of(asked.Groups["what"].Value.Trim()));
            }
            else if (!sentence.EndsWith('?') && !Question().IsMatch(sentence) && !AsksToForget(sentence))
            {
                found.AddRange(Statements(sentence).Where(static s => Match(s) is not null).Select(Of));
            }
        }

        return [.. found.Where(static f => f.Text.Length is > 2 and <= 500).DistinctBy(static f => f.Text, StringComparer.OrdinalIgnoreCase).Take(Most)];
    }

    /// <summary>Null as well if the text says several things: what ends one of them does not end the others.</summary>
    public static string? AttributeOf(string text) => Of(text).Attribute;

    /// <summary>Somebody speaks of themselves or asks to remember: worth a closer look. Errs on the side of looking.</summary>
    public static bool IsPersonal(string text) => Personal().IsMatch(text);

    /// <summary>What follows is not to be remembered.</summary>
    public static bool AsksToForget(string sentence) => Unasked().IsMatch(sentence);

    /// <summary>What is to be remembered, if the text asks for that; null: it does not.</summary>
    public static string? WhatToRemember(string text) => Asked().Match(text) is { Success: true } match ? match.Groups["what"].Value.Trim().TrimEnd('.', '!') : null;

    private static StatedFact Of(string text) => ((Statements(text).Count == 1 ? Match(text) : null) ?? new StatedFact(text, null)) with { Text = text.TrimEnd('.', '!', ' ') };

    /// <summary>A sentence in parts that each state something else ("I live in Kazan and I work at Acme"); whole if it does not come apart so.</summary>
    private static List<string> Statements(string sentence)
    {
        if (sentence.Length > LongestSentence)
        {
            return [sentence];
        }

        var joints = Joint().Matches(sentence);
        var (parts, start) = (new List<string>(), 0);
        for (var i = 0; i < joints.Count; i++)
        {
            var (end, next) = (joints[i].Index, joints[i].Index + joints[i].Length);
            var (before, after) = (sentence[start..end], sentence[next..(i + 1 < joints.Count ? joints[i + 1].Index : sentence.Length)]);
            if (Match(before) is { } one && Match(after) is { } other && one.Attribute != other.Attribute)
            {
                parts.Add(before);
                start = next;
            }
        }

        parts.Add(sentence[start..]);
        return parts;
    }

    private static StatedFact? Match(string sentence)
    {
        foreach (var (pattern, attribute, relation) in Forms)
        {
            var match = pattern.Match(sentence);
            if (!match.Success)
            {
                continue;
            }

            var value = match.Groups["value"].Value.Trim(' ', '.', '!', ',', '"', '«', '»');
            var name = attribute.Replace("{value}", Key(value), StringComparison.Ordinal).Replace("{what}", Key(match.Groups["what"].Value), StringComparison.Ordinal);
            return value.Length == 0 ? null : new StatedFact(sentence, name, relation, relation is null ? null : value);
        }

        return null;
    }

    private static string Key(string text) => Spaces().Replace(text.Trim().ToLowerInvariant().Replace('’', '\''), " ");

    private static IEnumerable<string> Sentences(string text) => SentenceEnd().Split(text).Select(static s => s.Trim()).Where(static s => s.Length > 2);

    [GeneratedRegex(@"(?<=[.!?])\s+(?=\p{Lu})|\n+|;\s+", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@",?\s+(?:and|but|и|а|но)\s+(?:also\s+|также\s+)?|[,;.!]\s+", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Joint();

    [GeneratedRegex(@"^(?:please[, ]+)?(?:remember|note|keep in mind|don['’]?t forget)(?:\s*[,:]\s*|\s+that\s+|\s+)(?<what>(?!to\b|me\b|about\b|when\b|what\b)\S.{2,})$|^(?:пожалуйста[, ]+)?(?:запомни|запомните|помни|имей в виду|не забудь|учти)(?:\s*[,:]\s*(?:что\s+)?|\s+что\s+|\s+)(?<what>\S.{2,})$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 5_000)]
    private static partial Regex Asked();

    /// <summary>Also without its mark. Words that begin statements as well ("when I was …") do not count.</summary>
    [GeneratedRegex(@"^(?:why|how (?:do|did|does)|what (?:do|did|does|is)|do you|did you)\b|^(?:почему|откуда|зачем)(?!\p{L})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Question();

    [GeneratedRegex(@"^(?:please[, ]+)?(?:forget|(?:don['’]?t|do not) (?:remember|keep|note))\b|^(?:пожалуйста[, ]+)?(?:забудь(?:те)?|не запоминай(?:те)?)(?!\p{L})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Unasked();

    [GeneratedRegex(@"\b(?:my name is|(?:the )?user['’]?s name is|i am called|call me)\s+(?<value>[^,.;!?\n]{1,60})|(?:меня зовут|мо[её] имя\s*[—-]?|зови меня|пользователя зовут)\s+(?<value>[^,.;!?\n]{1,60})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Name();

    [GeneratedRegex(@"\b(?:i|user)(?: now| currently)? (?:lives?|am living|is living|moved|have moved|has moved|am from) (?:in|to|from)?\s*(?<value>[^,.;!?\n]{2,60})|(?:^|[^\p{L}])живу\s+(?:теперь\s+|сейчас\s+)?(?:в|во|на)\s+(?<value>[^,.;!?\n]{2,60})|(?:^|\b(?:я|пользователь)\s+)(?:теперь\s+|сейчас\s+|недавно\s+)?(?:переехала?|жив[её]т|проживаю)\s+(?:в|во|на)\s+(?<value>[^,.;!?\n]{2,60})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Home();

    [GeneratedRegex(@"\b(?:i|user)(?: now| currently)? works? (?:at|for)\s+(?<value>[^,.;!?\n]{2,60})|(?:^|[^\p{L}])работаю\s+(?:теперь\s+|сейчас\s+)?(?:в|во|на)\s+(?<value>[^,.;!?\n]{2,60})|\bпользователь\s+(?:теперь\s+|сейчас\s+)?работает\s+(?:в|во|на)\s+(?<value>[^,.;!?\n]{2,60})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Employer();

    [GeneratedRegex(@"\b(?:i|user)(?: now| currently)? works? as (?:an? )?(?<value>[^,.;!?\n]{2,60})|(?:^|\W)(?:я\s+)?работаю\s+(?<value>\p{L}+(?:ом|ем|ём|ой|ей|ью))\b", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Job();

    [GeneratedRegex(@"\b(?:i|user) (?:really )?(?:likes?|loves?|enjoys?|prefers?)\s+(?<value>[^,.;!?\n]{2,60})|(?:^|\W)(?:я\s+)?(?<!не\s)(?:люблю|предпочитаю|обожаю)\s+(?<value>[^,.;!?\n]{2,60})|(?:^|\W)мне\s+нрав[ия]тся\s+(?<value>[^,.;!?\n]{2,60})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Likes();

    [GeneratedRegex(@"\b(?:i|user) (?:hates?|dislikes?|can['’]?t stand|do(?:es)?n['’]?t like|do(?:es)? not like|no longer likes?)\s+(?<value>[^,.;!?\n]{2,60})|(?:^|\W)(?:я\s+)?(?:(?:больше\s+)?не\s+люблю|ненавижу|терпеть не могу)\s+(?<value>[^,.;!?\n]{2,60})|(?:^|\W)мне\s+не\s+нрав[ия]тся\s+(?<value>[^,.;!?\n]{2,60})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Dislikes();

    [GeneratedRegex(@"\b(?:i am|i['’]m|user is) allergic to\s+(?<value>[^,.;!?\n]{2,60})|у меня аллергия на\s+(?<value>[^,.;!?\n]{2,60})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Allergy();

    [GeneratedRegex(@"\bmy (?<what>[\p{L}'’ -]{2,40}?) is\s+(?<value>[^.;!?\n]{1,120})|(?:^|\W)(?:мой|моя|мо[её]|мои)\s+(?<what>[\p{L} -]{2,40}?)\s*(?:—|–|-|:|это)\s*(?<value>[^.;!?\n]{1,120})|(?:^|\W)(?<what>[\p{L}]+)\s+мо(?:его|ей|их)\s+(?:\p{L}+\s+)?(?:зовут|—|-)\s*(?<value>[^.;!?\n]{1,120})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Own();

    [GeneratedRegex(@"\b(i|i'm|i've|my|mine|me|we|our|us|remember|note|forget)\b|(^|[^\p{L}])(я|мне|меня|мной|мой|моя|моё|мое|мои|моего|моей|моих|мы|нас|нам|наш\p{L}*|запомни\p{L}*|помни|учти|имей в виду|живу|работаю|люблю|учусь|предпочитаю|хочу|переехал\p{L}*|родил\p{L}*|не забудь)(?!\p{L})", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Personal();

    [GeneratedRegex(@"\s+", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Spaces();
}
