using System.Collections.Frozen;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Words that turn a question into its opposite, English and Russian.</summary>
internal static class Negations
{
    private static readonly FrozenSet<string> Words = """
        not no never none nobody nothing nowhere neither nor without cannot unable except
        dont cant doesnt didnt isnt wont havent hasnt wasnt arent werent couldnt shouldnt wouldnt hadnt mustnt neednt aint
        не нет нету ни без никогда никто никого никому никем ничто ничего ничему ничем нигде никуда ниоткуда ничей ничья ничье ничьё ничьи ничьего ничьей ничьих нисколько ничуть никоим нельзя кроме невозможно
        негде некуда некого некому некем нечего нечему нечем незачем
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Beginnings of words that are the opposite of what they are without their first letters.</summary>
    private static readonly string[] Opposites =
    [
        "disab", "disallow", "disconnect", "disagree", "disapp", "dislik", "disassembl", "disassociat", "disbeliev", "discharg", "discontinu", "discourag", "disembark", "disengag", "dishonest", "disinfect", "disloyal", "dismantl", "dismount",
        "disobe", "disorgani", "disown", "disprov", "disqualif", "disregard", "disrespect", "dissatisf", "dissimilar", "distrust", "deactivat", "unsubscrib", "uninstall", "unlock", "unblock", "unsafe", "unavailab", "unknown", "unlimit", "unpaid",
        "unverif", "unlink", "undo", "illegal", "illegib", "impossib", "improper", "imperfect", "inaccess", "inaccura", "inactiv", "inappropriat", "incompatib", "incomplet", "inconsisten", "incorrect", "ineligib", "insecur", "insufficien",
        "invalid", "irregular", "irrelevan", "irrevers", "nonexist", "nonrefund", "non-",
    ];

    /// <summary>English words that only look like an opposite.</summary>
    private static readonly string[] NoOpposites =
        ["under", "uni", "until", "unto", "uncle", "unless", "unanim", "unctu", "undulat", "unfortunate", "ungul"];

    /// <summary>These are opposites all the same.</summary>
    private static readonly string[] Uni = ["unid", "unim", "unin", "unissued"];

    /// <summary>Russian words that only look like a negation. What follows is looked at where a negation begins in the same way: «небеса» and «небесплатно», «недели» and «неделимый».</summary>
    private static readonly string[] NoNegations =
    [
        "небеса", "небесн", "небоскл", "небоскр", "небосв", "неделя", "неделю", "недель", "нефт", "нерв", "нежн", "немец", "немк", "немног", "некотор", "нескольк", "нечто", "недвиж", "недавн", "невест", "нейр", "нетто", "нефри", "нефро", "неон",
        "неужел",
    ];

    private static readonly FrozenSet<string> NoNegation = FrozenSet.Create(StringComparer.Ordinal, "небес", "неделе", "недели", "неделей");

    /// <param name="lower">In lower case, with ' as apostrophe.</param>
    public static bool Are(string lower) => Words.Contains(lower) || lower.EndsWith("n't", StringComparison.Ordinal) || lower.StartsWith("никак", StringComparison.Ordinal) || Has(Opposites, lower);

    /// <summary>Whether the word begins as an opposite does: un-, не-. A name may begin so too.</summary>
    /// <param name="lower">In lower case.</param>
    public static bool Begin(string lower) => lower.Length > 5 && lower.StartsWith("не", StringComparison.Ordinal)
        ? !NoNegation.Contains(lower) && !Has(NoNegations, lower)
        : lower.Length > 4 && lower.StartsWith("un", StringComparison.Ordinal) && (!Has(NoOpposites, lower) || Has(Uni, lower));

    private static bool Has(string[] beginnings, string word) => Array.Exists(beginnings, b => word.StartsWith(b, StringComparison.Ordinal));
}
