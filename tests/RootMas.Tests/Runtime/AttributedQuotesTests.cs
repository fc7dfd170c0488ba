using RootMas.Runtime.Runs;

namespace RootMas.Tests.Runtime;

/// <summary>Wherever the words stand that an answer attributes to a passage, they stand in it: behind its mark, in front of the one who says them, or in lines of their own.</summary>
public sealed class AttributedQuotesTests
{
    private static readonly Citation Leave = new("k00000001", "handbook.pdf", null, "Every employee has 28 days of leave a year. Nobody has more!\nThe year ends in March.", "doc-1", 3, 100, 190);
    private static readonly Citation Russian = new("k00000002", "устав.md", null, "Отпуск составляет двадцать восемь дней. Ещё день дают за выслугу.", "doc-2", null, 0, 66);

    [Theory]
    [InlineData("According to [k00000001], \"every employee has 28 days of leave\".", "k00000001")]
    [InlineData("According to [k00000001], \"every employee has 60 days of leave\".", "")]
    [InlineData("The handbook [k00000001] says \"every employee has 28 days\".", "k00000001")]
    [InlineData("The handbook [k00000001] says \"every employee has 60 days\".", "")]
    [InlineData("The handbook [k00000001] says 'every employee has 60 days' and no more.", "")]
    [InlineData("Как пишут в [k00000002], «отпуск составляет двадцать восемь дней».", "k00000002")]
    [InlineData("Как пишут в [k00000002], «отпуск составляет тридцать дней».", "")]
    [InlineData("\"Nobody has more!\" says the handbook [k00000001].", "k00000001")]
    [InlineData("\"You have 60 days of leave!\" says the handbook [k00000001].", "")]
    [InlineData("«Всем дают тридцать дней!» — сказано в уставе [k00000002].", "")]
    [InlineData("According to [k00000001], \"28 days of leave a year\", while [k00000002] adds a day.", "k00000001 k00000002")]
    [InlineData("According to [k00000001], \"60 days of leave a year\", while [k00000002] adds a day.", "")]
    [InlineData("There are 28 days [k00000001], and «ещё день дают за выслугу» as [k00000002] says.", "k00000001 k00000002")]
    [InlineData("It is in [k00000001]. The council calls it \"too few days by far\".", "k00000001")]
    [InlineData("There are 28 days. [k00000001] The council calls it \"too few days by far\".", "k00000001")]
    [InlineData("There are 28 days [k00000001], which some call \"fair play\".", "k00000001")]
    [InlineData("As [k00000001] and «ещё день дают» [k00000002] show, it is so.", "k00000001 k00000002")]
    [InlineData("> Every employee has 28 days of leave a year.\n[k00000001]", "k00000001")]
    [InlineData("> Every employee has 60 days of leave a year.\n[k00000001]", "")]
    [InlineData("> Every employee has 60 days of leave a year.\n\n— the handbook [k00000001]", "")]
    [InlineData("> Every employee has 28 days\n> of leave a year.\n> — the handbook [k00000001]", "k00000001")]
    [InlineData("> **Every employee** has 60 days [k00000001]", "")]
    [InlineData("> **Every employee** has 28 days [k00000001]", "k00000001")]
    [InlineData("> \"Every employee has 28 days.\" [k00000001]\n> «Ещё день дают за выслугу» [k00000002]", "k00000001 k00000002")]
    [InlineData("So it says in [k00000001]:\n\n> Every employee has 60 days of leave a year.\n", "")]
    [InlineData("So it says in [k00000001]:\n\n> Every employee has 28 days of leave a year.\n", "k00000001")]
    [InlineData("В уставе:\n> Отпуск составляет двадцать восемь дней.\n[k00000002]", "k00000002")]
    [InlineData("В уставе:\n> Отпуск составляет тридцать дней.\n[k00000002]", "")]
    [InlineData("> **Note:** you have 28 days then [k00000001].", "k00000001")]
    [InlineData("> [!NOTE]\n> You have 28 days then [k00000001].", "k00000001")]
    [InlineData("> 2 passages found:\n> [k00000001] handbook.pdf\n> Every employee has 28 days", "k00000001")]
    [InlineData("> How many days of leave are there?\n\n[k00000001] grants 28 days.", "k00000001")]
    [InlineData("> Somebody asked about the leave\n\nThere are 28 days [k00000001].", "k00000001")]
    public void A_quotation_is_checked_wherever_it_stands(string answer, string kept) =>
        Assert.Equal(kept, string.Join(' ', CitationCheck.Of([Leave, Russian], answer).Kept.Select(static c => c.Id)));
}
