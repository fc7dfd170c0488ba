using RootMas.Runtime.Runs;

namespace RootMas.Tests.Runtime;

/// <summary>In single marks a quotation is checked as in any others, and an apostrophe is none of them.</summary>
public sealed class SingleQuotesTests
{
    private static readonly Citation English =
        new("k00000001", "handbook.pdf", null, "The users' rights are listed here. Every worker has 28 days of leave. The council can't end the employees' contracts before their last days.", "doc-1", 3, 100, 300);

    private static readonly Citation Russian = new("k00000002", "устав.md", null, "Отпуск составляет двадцать восемь дней. Права users' и О'Генри описаны отдельно.", "doc-2", null, 0, 90);

    [Theory]
    // What stands there word for word stays, with apostrophes around and inside it.
    [InlineData("The users' data says '28 days of leave' [k00000001].")]
    [InlineData("The users' data and the employees' data say '28 days of leave' a year [k00000001].")]
    [InlineData("'The users' rights' [k00000001]")]
    [InlineData("'The users' rights' [k00000001] are listed.")]
    [InlineData("'The users' rights are listed here' says so [k00000001].")]
    [InlineData("'The council can't end the employees' contracts' [k00000001]")]
    [InlineData("'can't end the employees' contracts before their last days' [k00000001]")]
    [InlineData("It is '28 days' of leave for the users' [k00000001] families.")]
    [InlineData("'28 days' leave is the users' wish [k00000001].")]
    [InlineData("[k00000001]: 'The users' rights'.")]
    [InlineData("[k00000001]: 'The users' rights are listed', and so on.")]
    [InlineData("‘The users’ rights’ [k00000001]")]
    [InlineData("The users’ data says ‘28 days of leave’ [k00000001].")]
    [InlineData("Данные users' говорят: '28 days of leave' [k00000001].")]
    // An apostrophe is no quotation mark.
    [InlineData("It is the users' [k00000001] right.")]
    [InlineData("The boys' and the girls' leave is in the users' data [k00000001].")]
    [InlineData("In the '90s the employees' [k00000001] council had 28 days.")]
    [InlineData("In '24 the users' data had it [k00000001].")]
    [InlineData("'Tis the employees' [k00000001] council that says it.")]
    [InlineData("Tell 'em the workers' leave is 28 days [k00000001].")]
    [InlineData("'Fair' is what the users' data calls it [k00000001].")]
    [InlineData("'Rules' is a word of the employees' [k00000001] council.")]
    [InlineData("A desk of 5' height is in the users' room [k00000001].")]
    [InlineData("По словам О'Генри и users' отчёта это 28 дней [k00000001].")]
    public void What_is_there_stays(string answer) => Assert.Equal(["k00000001"], Kept(answer));

    [Theory]
    [InlineData("The users' data says '60 days of leave' [k00000001].")]
    [InlineData("The users' data says '60 days of leave' a year [k00000001].")]
    [InlineData("The handbook grants 'sixty whole free days' a year [k00000001].")]
    [InlineData("'The users' wishes' [k00000001]")]
    [InlineData("'The users' wishes' [k00000001] are listed.")]
    [InlineData("'The users' wishes are listed here' says so [k00000001].")]
    [InlineData("'28 days' leave for ever and ever' [k00000001]")]
    [InlineData("'The council can end the employees' contracts' [k00000001]")]
    [InlineData("'can end the employees' contracts before their last days' [k00000001]")]
    [InlineData("It is '60 days' of leave for the users' [k00000001] families.")]
    [InlineData("In the '90s it said 'sixty days of leave' [k00000001].")]
    [InlineData("In '24 the users' data said '60 days' [k00000001].")]
    [InlineData("It is given in '60 days' [k00000001].")]
    [InlineData("[k00000001]: 'The users' wishes'.")]
    [InlineData("[k00000001]: 'The users' rights are kept', and so on.")]
    [InlineData("‘The users’ wishes’ [k00000001]")]
    [InlineData("The users’ data says ‘60 days of leave’ a year [k00000001].")]
    [InlineData("Данные users' говорят: '60 days of leave' [k00000001].")]
    public void What_is_not_there_is_dropped(string answer) => Assert.Empty(Kept(answer));

    [Theory]
    [InlineData("В уставе: 'двадцать восемь дней' [k00000002].", true)]
    [InlineData("В уставе: 'двадцать девять дней' [k00000002].", false)]
    [InlineData("Данные users' и 'двадцать восемь дней' есть в уставе [k00000002].", true)]
    [InlineData("Данные users' и 'двадцать девять дней' есть в уставе [k00000002].", false)]
    [InlineData("'Отпуск составляет двадцать восемь дней' сказано в уставе [k00000002].", true)]
    [InlineData("'Отпуск составляет тридцать дней' сказано в уставе [k00000002].", false)]
    [InlineData("'Права users' и О'Генри описаны' [k00000002]", true)]
    [InlineData("'Права users' и О'Генри забыты' [k00000002]", false)]
    [InlineData("‘Права users’ и О’Генри описаны’ [k00000002]", true)]
    [InlineData("‘Права users’ и О’Генри забыты’ [k00000002]", false)]
    [InlineData("[k00000002]: 'двадцать восемь дней'.", true)]
    [InlineData("[k00000002]: 'двадцать девять дней'.", false)]
    [InlineData("Об этом пишет О'Генри [k00000002].", true)]
    [InlineData("Это видно по данным users' [k00000002] отчёта.", true)]
    public void In_Russian_too(string answer, bool isKept) => Assert.Equal(isKept ? ["k00000002"] : [], Kept(answer));

    [Fact]
    public void A_long_answer_full_of_marks_is_checked_in_no_time()
    {
        var answer = string.Concat(Enumerable.Repeat("'a users' 'b «c ‘d ", 5_000)) + string.Concat(Enumerable.Repeat("the 'users' [k00000001] ", 2_000));
        Assert.Equal(["k00000001"], Kept(answer));
    }

    private static List<string> Kept(string answer) => [.. CitationCheck.Of([English, Russian], answer).Kept.Select(static c => c.Id)];
}
