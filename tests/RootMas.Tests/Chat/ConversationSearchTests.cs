using System.Net;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Knowledge;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public sealed class ConversationSearchOnSqliteTests() : ConversationSearchTests(DatabaseKind.Sqlite);

public sealed class ConversationSearchOnPostgresTests() : ConversationSearchTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Conversations are found by their titles, and summed, where they lie (decision 54).</summary>
public abstract class ConversationSearchTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task Conversations_are_found_by_all_words_of_their_title_in_any_case_and_only_by_their_owner()
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"Hello.\" }");
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        foreach (var title in (string[])["Поездка в Казань", "Train to KAZAN", "Groceries"])
        {
            await ann.PostAsync("/api/v1/conversations", new { title }, HttpStatusCode.Created);
        }

        Assert.Equal(["Поездка в Казань"], (await FindAsync(ann, "search=КАЗАНЬ поезд")).Titles);
        Assert.Equal(["Train to KAZAN"], (await FindAsync(ann, "search=kazan")).Titles);
        Assert.Empty((await FindAsync(ann, "search=kazan groceries")).Titles);
        Assert.Empty((await FindAsync(ann, "search=kaz_n")).Titles);
        Assert.Empty((await FindAsync(ann, "search=kazan&archived=true")).Titles);
        Assert.Empty((await FindAsync(bob, "search=kazan")).Titles);
        Assert.Equal(3, (await FindAsync(ann, "search=%20")).Titles.Count);
        await ann.GetAsync($"/api/v1/conversations?search={new string('x', 201)}", HttpStatusCode.BadRequest);

        var page = await FindAsync(ann, "search=а&limit=1");
        Assert.Equal(["Поездка в Казань"], page.Titles);
        Assert.Empty((await FindAsync(ann, $"search=а&limit=1&cursor={Uri.EscapeDataString(page.Next!)}")).Titles);
    }

    [DatabaseFact]
    public async Task A_search_reads_on_until_its_page_is_full_says_where_it_stopped_and_finds_what_lies_far_back()
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"Hello.\" }");
        using var ann = await world.App.AsAsync("ann");
        await ann.PostAsync("/api/v1/conversations", new { title = "The oldest needle" }, HttpStatusCode.Created);
        await world.App.Get<IDatabase>().WriteAsync(
            session => session.Prepared("""
                insert into conversations (id, owner_id, title, archived, pinned, kind, created_at, updated_at, version)
                with recursive n (i) as (select 1 union all select i + 1 from n where i < 10050)
                select 'c-' || cast(i as text), @owner, 'Hay', @no, @no, 'chat', @at + i, @at + i, 1 from n
                """).Set("owner", ann.Id).Set("no", false).Set("at", session.Now.AddDays(1)).RunAsync(),
            CancellationToken.None);
        var first = await FindAsync(ann, "search=needle");
        Assert.Empty(first.Titles);
        Assert.NotNull(first.Next);
        var rest = await FindAsync(ann, $"search=needle&cursor={Uri.EscapeDataString(first.Next)}");
        Assert.Equal(["The oldest needle"], rest.Titles);
        Assert.Null(rest.Next);
        Assert.Equal(50, (await FindAsync(ann, "search=hay")).Titles.Count);
    }

    [DatabaseFact]
    public async Task A_conversation_tells_what_all_its_runs_cost_together()
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"Hello.\" }");
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var conversation = (await ann.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).Id();
        Assert.Equal((0, 0), await TotalsAsync(ann, conversation, []));
        await ann.PostAsync("/api/v1/chat", new { message = "One", conversation_id = conversation });
        await ann.PostAsync("/api/v1/chat", new { message = "Two", conversation_id = conversation });
        await ann.PostAsync("/api/v1/chat", new { message = "Elsewhere", team = "solo" });
        var runs = (await ann.GetAsync($"/api/v1/runs?conversation={conversation}")).GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(2, runs.Count);
        Assert.Equal((2, runs.Sum(static r => r.GetProperty("usage").GetProperty("input_tokens").GetInt64())), await TotalsAsync(ann, conversation, [runs[0].GetProperty("answer").Text("model")]));
        await bob.GetAsync($"/api/v1/conversations/{conversation}/totals", HttpStatusCode.NotFound);

        // What was given to others, and what a kept answer saved.
        await world.App.Get<IDatabase>().WriteAsync(
            session => session.Prepared("update runs set cost_micro_usd = 100, tree_cost_micro_usd = 350 where id = @id").Set("id", runs[0].Id()).RunAsync(), CancellationToken.None);
        await world.App.Get<IDatabase>().WriteAsync(
            session => session.Prepared("update runs set cost_micro_usd = 0, tree_cost_micro_usd = 0 where id = @id").Set("id", runs[1].Id()).RunAsync(), CancellationToken.None);
        var totals = await ann.GetAsync($"/api/v1/conversations/{conversation}/totals");
        Assert.Equal(("0.00035", "0.00025", 0), (totals.Text("cost_usd"), totals.Text("others_cost_usd"), totals.GetProperty("kept_answers").GetInt32()));
    }

    [DatabaseFact]
    public async Task The_tokens_of_those_to_whom_work_was_given_count()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { agent: communicator, last_role: tool }
                answer: { text: "At nine." }
              - match: { agent: communicator }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "Look it up" } } ] }
            default: { text: "At nine." }
            """);
        using var ann = await world.App.AsAsync("ann");
        var conversation = (await ann.PostAsync("/api/v1/conversations", new { }, HttpStatusCode.Created)).Id();
        await ann.PostAsync("/api/v1/chat", new { message = "When?", conversation_id = conversation });
        var run = (await ann.GetAsync($"/api/v1/runs?conversation={conversation}")).GetProperty("items")[0];
        var totals = await ann.GetAsync($"/api/v1/conversations/{conversation}/totals");
        Assert.Equal(run.GetProperty("usage").GetRawText(), totals.GetProperty("usage").GetRawText());
        Assert.Equal(run.GetProperty("tree_usage").GetRawText(), totals.GetProperty("tree_usage").GetRawText());
        Assert.NotEqual(totals.GetProperty("usage").GetRawText(), totals.GetProperty("tree_usage").GetRawText());
    }

    private static async Task<(int Runs, long Input)> TotalsAsync(TestUser user, string conversation, string[] models)
    {
        var totals = await user.GetAsync($"/api/v1/conversations/{conversation}/totals");
        Assert.Equal(models, totals.GetProperty("models").EnumerateArray().Select(static m => m.GetString()));
        return (totals.GetProperty("runs").GetInt32(), totals.GetProperty("usage").GetProperty("input_tokens").GetInt64());
    }

    private static async Task<(List<string> Titles, string? Next)> FindAsync(TestUser user, string query)
    {
        var found = await user.GetAsync("/api/v1/conversations?" + query);
        return ([.. found.GetProperty("items").EnumerateArray().Select(static c => c.Text("title"))], found.GetProperty("next_cursor").GetString());
    }
}
