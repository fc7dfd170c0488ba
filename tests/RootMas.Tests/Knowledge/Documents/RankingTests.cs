using RootMas.Server.Knowledge.Documents.Search;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class RankingTests
{
    /// <summary>Pairs of the algorithm's own vocabulary (snowballstem.org).</summary>
    [Theory]
    [InlineData("важная", "важн")]
    [InlineData("важнейшие", "важн")]
    [InlineData("вавиловка", "вавиловк")]
    [InlineData("валяется", "валя")]
    [InlineData("валялась", "валя")]
    [InlineData("вдохновенность", "вдохновен")]
    [InlineData("отпуска", "отпуск")]
    [InlineData("отпусков", "отпуск")]
    [InlineData("договором", "договор")]
    [InlineData("прочитавши", "прочита")]
    [InlineData("п", "п")]
    [InlineData("стр", "стр")]
    public void Russian_words_have_the_stems_of_snowball(string word, string stem) => Assert.Equal(stem, RussianStemmer.Stem(word));

    [Fact]
    public void Questions_are_looked_for_by_their_telling_words()
    {
        Assert.Equal(["дней", "отпуска", "положено"], SearchWords.OfQuestion("Сколько дней отпуска положено мне?").Order());
        Assert.Equal(["who", "are", "you"], SearchWords.OfQuestion("Who are you?"));
        Assert.Equal(["елка", "c3po"], SearchWords.OfQuestion("«Ёлка» C3PO!"));
        Assert.Empty(SearchWords.OfQuestion("?!… --"));
    }

    [Fact]
    public void What_stands_high_in_both_lists_comes_first()
    {
        var fused = Ranking.Fuse<string>(["a", "b", "c"], ["c", "d", "b"]);
        Assert.Equal(["c", "b", "a", "d"], fused.Select(static f => f.Item));
    }

    [Fact]
    public void A_repetition_gives_way_to_something_new()
    {
        (string, double)[] ranked = [("one two three", 1.0), ("one two three.", 0.99), ("four five six", 0.9)];
        var sets = ranked.ToDictionary(static r => r.Item1, static r => SearchWords.SetOf(r.Item1));
        Assert.Equal(["one two three", "four five six"], Ranking.Diversify(ranked, 2, (a, b) => Ranking.Likeness(sets[a], sets[b])));
    }

    [Fact]
    public void Scores_of_a_ranking_are_those_of_the_textbook()
    {
        (string, string)[] ranking = [("a", "x"), ("b", "the  right\none"), ("c", "y"), ("d.md", "z")];
        var score = RetrievalScore.Of(ranking, ["right one", "d.md"], 4);
        Assert.Equal(1, score.Recall);
        Assert.Equal(0.5, score.ReciprocalRank);
        Assert.Equal(((1 / Math.Log2(3)) + (1 / Math.Log2(5))) / (1 + (1 / Math.Log2(3))), score.Ndcg, 6);
        Assert.Equal(default, RetrievalScore.Of(ranking, ["nothing of it"], 4));
    }
}
