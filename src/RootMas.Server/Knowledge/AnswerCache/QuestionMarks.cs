namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What has to be the same in two questions, and what may be a name.</summary>
/// <param name="Text">Marks in their order, each ended by <see cref="End"/>; one that begins with <see cref="Perhaps"/> is the first word of a sentence, and may be a name or not.</param>
/// <param name="Words">The words that are written in lower case, each between two spaces.</param>
internal sealed record QuestionMarks(string Text, string Words)
{
    public const char End = '\u001F';

    public const char Perhaps = '?';

    private readonly bool _isCertain = !Text.Contains(Perhaps, StringComparison.Ordinal);

    /// <summary>Equal marks; a first word that only one of both begins with is no name if the other has it in lower case.</summary>
    public bool Fit(QuestionMarks other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Text == other.Text || (!(_isCertain && other._isCertain) && FitLoosely(other));
    }

    private bool FitLoosely(QuestionMarks other)
    {
        var mine = Text.AsSpan();
        var theirs = other.Text.AsSpan();
        while (mine.Length + theirs.Length > 0)
        {
            var one = First(mine);
            var two = First(theirs);
            if (AreSame(one, two))
            {
                mine = mine[(one.Length + 1)..];
                theirs = theirs[(two.Length + 1)..];
            }
            else if (IsNoName(one, other.Words))
            {
                mine = mine[(one.Length + 1)..];
            }
            else if (IsNoName(two, Words))
            {
                theirs = theirs[(two.Length + 1)..];
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    private static ReadOnlySpan<char> First(ReadOnlySpan<char> marks) => marks.Length == 0 ? marks : marks[..marks.IndexOf(End)];

    /// <summary>A first word and a name of the same letters are one.</summary>
    private static bool AreSame(ReadOnlySpan<char> one, ReadOnlySpan<char> two) =>
        one.Length > 0 && two.Length > 0 && (one.SequenceEqual(two) || (one[0] is Perhaps or MeaningMarks.Name && two[0] is Perhaps or MeaningMarks.Name && one[1..].SequenceEqual(two[1..])));

    private static bool IsNoName(ReadOnlySpan<char> mark, string words)
    {
        if (mark.Length == 0 || mark[0] != Perhaps)
        {
            return false;
        }

        var word = mark[1..];
        for (var rest = words.AsSpan(); rest.IndexOf(word) is >= 0 and var at; rest = rest[(at + 1)..])
        {
            if (at > 0 && rest[at - 1] == ' ' && rest[at + word.Length] == ' ')
            {
                return true;
            }
        }

        return false;
    }
}
