using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>An answer cites what its run was given, word for word, or the citation is not there and the log says why.</summary>
public sealed class CitationCheckTests
{
    private static readonly Citation Leave = new("k00000001", "handbook.pdf", null, "Every employee has 28 days of leave a year.\nSome say “more” is better — much better.", "doc-1", 3, 100, 190);
    private static readonly Citation Russian = new("k00000002", "устав.md", null, "Отпуск составляет двадцать восемь дней. Ещё день дают за выслугу.", "doc-2", null, 0, 66);

    private static readonly Citation Marked =
        new("k00000003", "rules.md", null, "Employees can’t be fired for it, says the employees’ council. Приказ „О тихом часе“ действует всегда.", "doc-3", null, 0, 100);

    [Theory]
    [InlineData("There are 28 days [k00000001].", "k00000001", "")]
    [InlineData("\"28 days of leave a year\" [k00000001]", "k00000001", "")]
    [InlineData("It says “every employee has  28 days”. [k00000001]", "k00000001", "")]
    [InlineData("\"Every employee … a year\" [k00000001]", "k00000001", "")]
    [InlineData("\"Some say \"more\" is better - much better\" [k00000001]", "k00000001", "")]
    [InlineData("«Отпуск составляет двадцать восемь дней» [k00000002]", "k00000002", "")]
    [InlineData("«еще день дают» [k00000001, k00000002]", "k00000002", "k00000001 quote_not_found")]
    [InlineData("\"invented words\" [k00000001] [k00000002]", "", "k00000001 quote_not_found, k00000002 quote_not_found")]
    [InlineData("[k00000001] says: it is so. [k00000002]: «Отпуск составляет тридцать дней».", "k00000001", "k00000002 quote_not_found")]
    [InlineData("[k00000001]: \"28 days of leave\"", "k00000001", "")]
    [InlineData("As in [k00000001]: «еще день дают» [k00000002]", "k00000001 k00000002", "")]
    [InlineData("\"8 days of leave\" [k00000001]", "", "k00000001 quote_not_found")]
    [InlineData("\"28 days of leave a yea\" [k00000001]", "", "k00000001 quote_not_found")]
    [InlineData("It is \"30\" [k00000001] days.", "", "k00000001 quote_not_found")]
    [InlineData("It is \"28\" [k00000001] days.", "k00000001", "")]
    [InlineData("It is \"so\" [k00000001].", "k00000001", "")]
    [InlineData("\"30 days of leave\" [k00000001]", "", "k00000001 quote_not_found")]
    [InlineData("«Отпуск составляет тридцать дней» [k00000002].", "", "k00000002 quote_not_found")]
    [InlineData("\"a year Every employee\" [k00000001]", "", "k00000001 quote_not_found")]
    [InlineData("\"a year … Every employee\" [k00000001]", "", "k00000001 quote_not_found")]
    [InlineData("As is known [kdeadbeef].", "", "kdeadbeef not_retrieved")]
    [InlineData("Both [k00000001] and \"invented words\" [k00000001].", "", "k00000001 quote_not_found")]
    [InlineData("No mark at all.", "", "")]
    [InlineData("[k00000003]: “Employees can’t be fired at all”", "", "k00000003 quote_not_found")]
    [InlineData("“Employees can’t be fired at all” [k00000003]", "", "k00000003 quote_not_found")]
    [InlineData("[k00000003]: “Employees can’t be fired for it”", "k00000003", "")]
    [InlineData("[k00000003]: ‘Employees can’t be promoted’", "", "k00000003 quote_not_found")]
    [InlineData("[k00000003]: ‘Employees can’t be fired’", "k00000003", "")]
    [InlineData("\"Employees can't be fired\" [k00000003]", "k00000003", "")]
    [InlineData("'Employees can't be fired' [k00000003]", "k00000003", "")]
    [InlineData("'Employees can't be promoted' [k00000003]", "", "k00000003 quote_not_found")]
    [InlineData("It is '30 days' [k00000001].", "", "k00000001 quote_not_found")]
    [InlineData("It is '28 days' [k00000001].", "k00000001", "")]
    [InlineData("[k00000001]: '30 days'.", "", "k00000001 quote_not_found")]
    [InlineData("[k00000001]: '28 days'.", "k00000001", "")]
    [InlineData("So says the employees' [k00000003] council.", "k00000003", "")]
    [InlineData("'Fired' is a word of the employees' [k00000003] council.", "k00000003", "")]
    [InlineData("'the employees' council' [k00000003]", "k00000003", "")]
    [InlineData("«Приказ „О тихом часе“ действует всегда» [k00000003]", "k00000003", "")]
    [InlineData("«Приказ „О тихом часе“ отменён» [k00000003]", "", "k00000003 quote_not_found")]
    [InlineData("[k00000003]: «Приказ „О тихом часе“ отменён»", "", "k00000003 quote_not_found")]
    [InlineData("«Приказ «О тихом часе» отменён» [k00000003]", "", "k00000003 quote_not_found")]
    [InlineData("“Приказ „О тихом часе“ действует” [k00000003]", "k00000003", "")]
    [InlineData("“Указ „О тихом часе“ действует” [k00000003]", "", "k00000003 quote_not_found")]
    [InlineData("„О тихом часе“ [k00000003]", "k00000003", "")]
    [InlineData("“28 days” [k00000001], “О тихом часе” [k00000003]", "k00000001 k00000003", "")]
    [InlineData("The handbook grants \"60 days of leave\" a year [k00000001].", "", "k00000001 quote_not_found")]
    [InlineData("The handbook grants \"60 days of leave\" a year. [k00000001]", "", "k00000001 quote_not_found")]
    [InlineData("It is \"60 days\" (page 3) [k00000001].", "", "k00000001 quote_not_found")]
    [InlineData("It is \"28 days\" (page 3) [k00000001].", "k00000001", "")]
    [InlineData("Both «28 days of leave» and «60 days of leave» are there [k00000001].", "", "k00000001 quote_not_found")]
    [InlineData("Как «отпуск составляет тридцать дней» пишут [k00000002].", "", "k00000002 quote_not_found")]
    [InlineData("Some say \"whatever they want to\". There are 28 days [k00000001].", "k00000001", "")]
    [InlineData("Some say \"Whatever they want to.\" There are 28 days [k00000001].", "k00000001", "")]
    [InlineData("What is \"fair play\" to some is 28 days [k00000001].", "k00000001", "")]
    [InlineData("[k00000001]: \"28 days of leave\", and [k00000002] says more.", "k00000001 k00000002", "")]
    [InlineData("\"28 days of leave\" [k00000001], \"двадцать восемь дней\" it is there [k00000002].", "k00000001 k00000002", "")]
    [InlineData("It says \"28 days of leave\" and «ещё день дают за выслугу» [k00000001][k00000002].", "k00000001 k00000002", "")]
    [InlineData("It says \"28 days of leave\" and «ещё день дают за выслугу» [k00000001][k00000002][k00000003].", "k00000001 k00000002", "k00000003 quote_not_found")]
    [InlineData("It says \"28 days of leave\" and «ещё день дают за выслугу» as well [k00000002, k00000001].", "k00000001 k00000002", "")]
    [InlineData("It says \"60 days of leave\" and «ещё день дают за выслугу» [k00000001][k00000002].", "", "k00000001 quote_not_found, k00000002 quote_not_found")]
    [InlineData("It says \"28 days of leave\" and «ещё два дня за выслугу» [k00000001][k00000002].", "", "k00000001 quote_not_found, k00000002 quote_not_found")]
    [InlineData("It says \"28 days of leave\" and «ещё день дают за выслугу» [k00000001][kdeadbeef].", "", "k00000001 quote_not_found, kdeadbeef not_retrieved")]
    [InlineData("It says \"28 days of leave\" [k00000001][kdeadbeef].", "k00000001", "kdeadbeef not_retrieved")]
    public void Marks_and_quotations_are_checked(string answer, string kept, string dropped)
    {
        var (cited, refused) = CitationCheck.Of([Leave, Russian, Marked], answer);
        Assert.Equal(kept, string.Join(' ', cited.Select(static c => c.Id)));
        Assert.Equal(dropped, string.Join(", ", refused.Select(static d => $"{d.CitationId} {d.Reason}")));
    }

    [Fact]
    public void What_the_document_is_called_is_no_quotation_from_it()
    {
        var rules = Leave with { Title = "Leave rules 2024.pdf" };
        Assert.Single(CitationCheck.Of([rules], "As \"Leave rules 2024\" say, there are 28 days [k00000001].").Kept);
        Assert.Empty(CitationCheck.Of([rules], "As \"Leave rules 2025\" say, there are 28 days [k00000001].").Kept);
        Assert.Equal("k00000002", Assert.Single(CitationCheck.Of([rules, Russian], "As \"Leave rules 2024\" say, «ещё день дают за выслугу» [k00000001][k00000002].").Kept).Id);
    }

    [Fact]
    public void Pages_are_cited_by_number_or_address_as_before()
    {
        Citation page = new("1", "A page", "https://example.org/a", "Water boils.");
        Assert.Single(CitationCheck.Of([page], "It boils [1].").Kept);
        Assert.Single(CitationCheck.Of([page], "See https://example.org/a").Kept);
        Assert.Empty(CitationCheck.Of([page], "It boils [2].").Kept);
    }

    [Theory]
    [InlineData("\"Water boils at 100 degrees\" [1].", "1", "")]
    [InlineData("\"Water boils at 90 degrees\" [1].", "", "1 quote_not_found")]
    [InlineData("[1]: \"Water boils at 90 degrees\"", "", "1 quote_not_found")]
    [InlineData("\"Water boils at 90 degrees\" [1], see https://example.org/a", "", "1 quote_not_found")]
    [InlineData("As \"All about water\" says, it boils at a hundred [1].", "1", "")]
    [InlineData("\"Ice melts at 0 degrees\" [2.1], \"Water boils at 100 degrees\" [1].", "1 2.1", "")]
    [InlineData("\"Ice melts at 5 degrees\" [2.1], \"Water boils at 100 degrees\" [1].", "1", "2.1 quote_not_found")]
    [InlineData("Both say \"boils at 100 degrees\" [1][2.1].", "1", "2.1 quote_not_found")]
    [InlineData("\"28 days of leave\" [k00000001], \"Water boils at 100 degrees\" [1].", "1 k00000001", "")]
    [InlineData("\"28 days of leave\" [1], \"Water boils at 100 degrees\" [k00000001].", "", "1 quote_not_found, k00000001 quote_not_found")]
    [InlineData("\"Nobody has ever written this\" [3].", "3", "")]
    [InlineData("\"Some words of five\" in cells[7] of the table, and [1].", "", "1 quote_not_found")]
    [InlineData("It is in cells[7].", "", "")]
    public void Quotations_of_pages_are_checked_against_what_the_run_was_given_of_them(string answer, string kept, string dropped)
    {
        Citation[] given =
        [
            new("1", "All about water", "https://example.org/a", "Water boils at 100 degrees."), new("2.1", "Ice", "https://example.org/b", "Ice melts at 0 degrees."),
            new("3", "Nothing is known", "https://example.org/c", null), Leave,
        ];
        var (cited, refused) = CitationCheck.Of(given, answer);
        Assert.Equal(kept, string.Join(' ', cited.Select(static c => c.Id)));
        Assert.Equal(dropped, string.Join(", ", refused.Select(static d => $"{d.CitationId} {d.Reason}")));
    }

    /// <summary>People get the beginning of a page as its excerpt, the model had more of it; and what a search found may be quoted from the page that was read then.</summary>
    [Fact]
    public async Task A_page_may_be_quoted_from_wherever_its_tool_gave_it()
    {
        Citation found = new("1.1", "Water", "https://example.org/a", "All about water."), read = new("2", "Water", "https://example.org/a", "All about water");
        var (search, fetch) = (Page("search", "[1.1] Water", found), Page("fetch", "[2] Water\nAll about water. And far below: it boils at 100 degrees.", read));
        var model = new ScriptedChatClient(asked => asked.Number switch
        {
            1 => [Call("search", new { })],
            2 => [Call("fetch", new { })],
            _ => [Say("\"it boils at 100 degrees\" [1.1], \"boils at 100 degrees\" [2]. \"It freezes at 10 degrees\" [2]")],
        });
        var all = await new InMemoryEngine(model, [search, fetch]).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [search, fetch]), "go");
        Assert.Equal(["2 quote_not_found"], all.Events<CitationDropped>().Select(static d => $"{d.CitationId} {d.Reason}"));
        Assert.Equal(found, Assert.Single(all.Events<MessageCompleted>().Single().Citations)); // its excerpt is that of the tool
    }

    private static TestTool Page(string name, string text, Citation page) =>
        new TestTool(name, (_, _, _) => Task.FromResult(new ToolResult(text, Tainted: true) { Citations = [page] })).With(taints: true);

    [Fact]
    public async Task A_dropped_citation_is_an_event_and_the_answer_has_only_the_others()
    {
        var tool = Search(Leave, Russian);
        var model = new ScriptedChatClient(asked => asked.Number == 1 ? [Call("knowledge", new { })] : [Say("\"28 days of leave\" [k00000001], \"thirty\" [k00000002], [kdeadbeef]")]);
        var all = await new InMemoryEngine(model, [tool]).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go");
        Assert.Equal(["k00000002 quote_not_found", "kdeadbeef not_retrieved"], all.Events<CitationDropped>().Select(static d => $"{d.CitationId} {d.Reason}"));
        var citation = Assert.Single(all.Events<MessageCompleted>().Single().Citations);
        Assert.Equal(("k00000001", "28 days of leave", 119, 135), (citation.Id, citation.Excerpt, citation.Start, citation.End));
    }

    [Fact]
    public async Task What_a_specialist_was_given_its_client_may_cite()
    {
        var tool = Search(Leave);
        var model = new ScriptedChatClient(asked => (asked.Agent, asked.ToolResult) switch
        {
            ("lead", null) => [Call("delegate", new { agent = "a", task = "look" })],
            ("lead", _) => [Say("\"Every employee has 28 days\" [k00000001]")],
            (_, null) => [Call("knowledge", new { })],
            _ => [Say("\"28 days of leave\" [k00000001]")],
        });
        var team = TestTeams.Of(PatternKind.Direct, ["lead", "a"], [tool], t => t with { Edges = [new("lead", "a")] });
        var all = await new InMemoryEngine(model, [tool]).AllAsync(team, "go");
        var answer = all.Events<MessageCompleted>().Single(m => m.Agent == "lead");
        Assert.Equal("Every employee has 28 days", Assert.Single(answer.Citations).Excerpt);
        Assert.Empty(all.Events<CitationDropped>());
    }

    private static TestTool Search(params Citation[] found) =>
        new TestTool("knowledge", (_, _, _) => Task.FromResult(new ToolResult(string.Join('\n', found.Select(static f => $"[{f.Id}] {f.Excerpt}")), Tainted: true) { Citations = found })).With(taints: true);
}
