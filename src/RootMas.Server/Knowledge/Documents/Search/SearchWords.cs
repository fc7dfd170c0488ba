using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>Texts as words for full-text search, of questions and of chunks alike: lower-case, without accents of composition, ё as е.</summary>
internal static class SearchWords
{
    /// <summary>Words of a question beyond this are not looked for.</summary>
    private const int MaxWords = 40;
    private const int MaxLength = 60;

    /// <summary>Too frequent to tell chunks apart.</summary>
    private static readonly FrozenSet<string> Common = """
        a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its me my no not of on or our she should so than that the their them then there these they this to was we were what when where which who whom whose why will with would you your
        а без бы был была были было быть в вам вас весь во вот все всего всех вы где да для до его ее если есть еще же за здесь и из или им их к как какая какие какой каков ко когда кто ли либо мне может можно мой мы на над надо наш не него нее нет ни них но о об однако он она они оно от очень по под после почему при с сколько со так такой также там те тем то того тоже той только том ты у уже хотя чего чей чем что чтобы чье чья эта эти это этот я
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The words of a text in order.</summary>
    public static IEnumerable<string> Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var word = new StringBuilder();
        foreach (var c in NormalForm.Of(text, NormalizationForm.FormKC))
        {
            if (char.IsLetterOrDigit(c) || char.IsSurrogate(c) || char.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark)
            {
                var lower = char.ToLower(c, CultureInfo.InvariantCulture);
                word.Append(lower == 'ё' ? 'е' : lower);
            }
            else if (word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }
        }

        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }

    /// <summary>Russian words by their stem; others as they are.</summary>
    public static string Stem(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        return word.AsSpan().IndexOfAnyExceptInRange('а', 'я') < 0 ? RussianStemmer.Stem(word) : word;
    }

    /// <summary>What SQLite indexes: words with Russian stems; English ones are stemmed by its tokenizer.</summary>
    public static string ForSqlite(string text) => string.Join(' ', Of(text).Select(Stem));

    /// <summary>What PostgreSQL indexes with its dictionaries.</summary>
    public static string ForPostgres(string text) => string.Join(' ', Of(text));

    /// <summary>What a question is about: its words, without the most frequent ones unless there are no others. Empty: there is no word in it.</summary>
    public static IReadOnlyList<string> OfQuestion(string question)
    {
        var all = Of(question).Where(static w => w.Length <= MaxLength).Distinct(StringComparer.Ordinal).ToList();
        var telling = all.FindAll(static w => !Common.Contains(w));
        return [.. (telling.Count > 0 ? telling : all).Take(MaxWords)];
    }

    /// <summary>Stems of a text as a set, for how alike two texts are.</summary>
    public static HashSet<string> SetOf(string text) => [.. Of(text).Where(static w => w.Length > 2 && !Common.Contains(w)).Select(Stem)];
}
