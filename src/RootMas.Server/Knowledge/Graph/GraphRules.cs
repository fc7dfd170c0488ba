using System.Text.RegularExpressions;
using RootMas.Server.Models.Offline;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>Relations that the form of a sentence states, in English and Russian: free, and never more than what is written. A model finds more.</summary>
internal static partial class GraphRules
{
    /// <summary>How sure a form is that it was understood.</summary>
    public const int Confidence = 60;

    private const int Most = 50;

    private static readonly (Regex Form, string Type, string FromType, string ToType)[] Forms =
    [
        (WorksAt(), "works_at", "person", "organization"), (Leads(), "leads", "person", "organization"), (Founded(), "founded", "person", "organization"),
        (LivesIn(), "lives_in", "person", "place"), (LocatedIn(), "located_in", GraphWords.Thing, "place"), (PartOf(), "part_of", GraphWords.Thing, GraphWords.Thing),
        (Owns(), "owns", GraphWords.Thing, GraphWords.Thing), (Uses(), "uses", GraphWords.Thing, GraphWords.Thing), (Knows(), "related_to", "person", "person"),
    ];

    public static IReadOnlyList<StatedRelation> Find(string text)
    {
        var found = new List<StatedRelation>();
        try
        {
            foreach (var sentence in SentenceEnd().Split(text))
            {
                Read(sentence, found);
                if (found.Count >= Most)
                {
                    break;
                }
            }
        }
        catch (RegexMatchTimeoutException)
        {
            // The text is made to take long, or the machine stood still. A form that was not seen to the end says nothing; what was found counts.
        }

        return [.. found.Distinct().Take(Most)];
    }

    private static void Read(string sentence, List<StatedRelation> found)
    {
        foreach (var (form, type, fromType, toType) in Forms)
        {
            foreach (Match match in form.Matches(sentence))
            {
                if (!IsPronoun(match.Groups["from"].Value) && !IsPronoun(match.Groups["to"].Value) && StatedRelation.Of(match.Groups["from"].Value, fromType, type, match.Groups["to"].Value, toType, sentence.Trim()) is { } relation)
                {
                    found.Add(relation);
                }
            }
        }
    }

    /// <summary>Whom they mean is in another sentence, or the user, whose words are read otherwise.</summary>
    private static bool IsPronoun(string name) =>
        name is "I" or "We" or "You" or "He" or "She" or "It" or "They" or "This" or "That" or "Who" or "The" or "Я" or "Мы" or "Ты" or "Вы" or "Он" or "Она" or "Оно" or "Они" or "Это" or "Кто";

    /// <summary>Also what the user says about themselves.</summary>
    public static IReadOnlyList<StatedRelation> OfFact(string text)
    {
        var own = StatedFacts.Find(text).Where(static f => f.Relation is not null)
            .Select(static f => StatedRelation.Of(GraphWords.User, "person", f.Relation, f.Object, f.Relation switch { "lives_in" => "place", "works_at" => "organization", _ => GraphWords.Thing }));
        return [.. own.OfType<StatedRelation>().Concat(Find(text)).DistinctBy(static r => (r.From, r.Type, r.To))];
    }

    // A name: one to five words that begin with a capital or a digit after the first, joined by spaces or a small word.
    private const string From = @"(?<from>\p{Lu}[\p{L}\d&'’.-]*(?:\s+(?:of\s+|de\s+|и\s+)?[\p{Lu}\d][\p{L}\d&'’-]*){0,4})";
    private const string To = @"[«""“]?(?<to>\p{Lu}[\p{L}\d&'’-]*(?:\s+(?:of\s+|de\s+|и\s+)?[\p{Lu}\d][\p{L}\d&'’-]*){0,4})";

    [GeneratedRegex(@"(?<=[.!?;])\s+|\n+", RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(From + @"\s+(?:works? (?:at|for)|is employed (?:at|by)|работает (?:в|во|на)(?: компании)?)\s+(?:the\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex WorksAt();

    [GeneratedRegex(From + @"(?:,)?\s+(?:is|was|—|–|-)?\s*(?:the\s+)?(?:CEO|CTO|CFO|head|director|president|chair\w*|leader|manager|leads|директор|руководитель|глава|президент|возглавляет|руководит)\s+(?:of\s+)?(?:the\s+)?(?:компани\w+\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex Leads();

    [GeneratedRegex(From + @"\s+(?:co-?founded|founded|is the founder of|основала?|—\s*основатель(?:ница)?)\s+(?:компани\w+\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex Founded();

    [GeneratedRegex(From + @"\s+(?:lives? in|moved to|жив[её]т (?:в|во|на)|переехала? (?:в|во|на))\s+(?:город\w*\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex LivesIn();

    [GeneratedRegex(From + @"\s+(?:is (?:located|based|situated|headquartered) in|находится (?:в|во|на)|расположен[аоы]? (?:в|во|на))\s+(?:город\w*\s+)?(?:the\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex LocatedIn();

    [GeneratedRegex(From + @"\s+(?:is (?:a |an )?(?:part|subsidiary|division|member) of|belongs to|входит в|принадлежит|является частью)\s+(?:the\s+)?(?:состав\w*\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex PartOf();

    [GeneratedRegex(From + @"\s+(?:owns|acquired|bought|владеет|купила?|приобрела?|приобр[её]л)\s+(?:the\s+)?(?:компани\w+\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex Owns();

    [GeneratedRegex(From + @"\s+(?:uses|depends on|runs on|is built on|использует|зависит от|работает на базе)\s+(?:the\s+)?" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex Uses();

    [GeneratedRegex(From + @"\s+(?:is married to|is the (?:brother|sister|wife|husband|son|daughter|mother|father|friend) of|женат на|замужем за|друг|подруга|брат|сестра)\s+" + To, RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex Knows();
}
