using System.Net;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>The team works, and one watches: what is given to others is seen in the conversation, also after a reload.</summary>
[Collection(WebCollection.Name)]
public sealed class TeamAtWorkTests(WebWorld world)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [WebFact]
    public async Task A_plan_is_watched_task_by_task_and_is_the_same_after_a_reload()
    {
        world.Say(Showroom.Script);
        var facts = world.Sim.Hold(new() { Agent = "researcher" });
        var route = world.Sim.Hold(new() { Agent = "workflow_builder" });
        var sum = world.Sim.Hold(new() { Agent = "budget_manager" });
        var page = await world.NewChatAsync();
        await page.SendAsync("Plan three days in Kazan with a budget of 300 dollars");
        var plan = page.GetByRole(AriaRole.Figure);
        await facts.Reached.WaitAsync(Patience);
        await Expect(plan).ToContainTextAsync("0 of 3");
        await Expect(WithStatus(plan, "running")).ToContainTextAsync("Collect sights");
        await Expect(WithStatus(plan, "pending")).ToHaveCountAsync(2);
        facts.Release();
        await AllReachedAsync(route, sum);
        await Expect(plan).ToContainTextAsync("1 of 3");
        await Expect(WithStatus(plan, "running")).ToHaveCountAsync(2);
        await page.ReloadAsync();
        await Expect(plan).ToContainTextAsync("1 of 3");
        await Expect(WithStatus(plan, "running")).ToHaveCountAsync(2);
        await page.ScreenshotAsync(new() { Path = Path.Combine(WebWorld.Pictures, "plan-live.png") });
        route.Release();
        await Expect(plan).ToContainTextAsync("2 of 3");
        await Expect(WithStatus(plan, "running")).ToContainTextAsync("Check the arithmetic");
        sum.Release();
        await Expect(page.Stored()).ToContainTextAsync("245 dollars");
        await page.Stored().GetByRole(AriaRole.Button, new() { Name = "Steps", Exact = true }).ClickAsync();
        await Expect(plan).ToContainTextAsync("3 of 3");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task What_somebody_below_wants_to_do_is_decided_in_the_conversation()
    {
        world.Say("""
            rules:
              - match: { agent: communicator, last_role: tool }
                answer: { text: "Done: {{tool_result}}" }
              - match: { agent: communicator }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "Post the note" } } ] }
              - match: { agent: multi_tool, last_role: tool }
                answer: { text: "The note is posted." }
              - match: { agent: multi_tool }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            default: { text: "Nothing to do." }
            """);
        var page = await world.NewChatAsync();
        await page.SendAsync("Have it posted");
        var card = page.GetByRole(AriaRole.Group, new() { Name = "May http_request run?" });
        await Expect(card).ToContainTextAsync("/_tool/note");
        await page.ReloadAsync();
        await card.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("The note is posted.");
        Assert.Equal(1, world.Sim.ToolCounts["note"].Effects);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Work_flows_through_the_picture_of_the_team_while_it_is_done()
    {
        world.Say("""
            rules:
              - match: { agent: communicator, last_role: tool }
                answer: { text: "Trains leave at nine." }
              - match: { agent: communicator }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "Look up the trains" } } ] }
            default: { text: "At nine." }
            """);
        var (_, name) = await world.NewPersonAsync();
        using var user = await world.App.LogInAsync(name, WebWorld.Password);
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/team");
        await Expect(page.GetByText("Connected", new() { Exact = true })).ToBeVisibleAsync();
        // A light is on its way for a moment only: what was lit is written down.
        await page.EvaluateAsync("""
            () => {
              window.lit = new Set();
              new MutationObserver(() => {
                if (document.querySelector('svg circle')) document.querySelectorAll('path[data-busy]').forEach(way => window.lit.add(way.dataset.way));
              }).observe(document.body, { subtree: true, childList: true, attributes: true });
            }
            """);
        var begun = world.Sim.Hold(new() { Agent = "communicator", Call = 1 });
        var research = world.Sim.Hold(new() { Agent = "researcher" });
        var conversation = (await user.PostAsync("/api/v1/conversations", new { }, HttpStatusCode.Created)).Text("id");
        await user.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "When do trains leave?" }, HttpStatusCode.Accepted);

        await begun.Reached.WaitAsync(Patience);
        var feed = page.GetByRole(AriaRole.List, new() { Name = "What happens now" });
        await Expect(feed).ToContainTextAsync("When do trains leave?");
        await Expect(page.GetByText("1 run at work", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(Node(page, "communicator")).ToHaveAttributeAsync("data-mood", "thinking");
        await Expect(page.Locator("a[href='/team/agents/researcher'][data-mood]")).ToHaveCountAsync(0);
        begun.Release();

        await research.Reached.WaitAsync(Patience);
        await Expect(feed).ToContainTextAsync("Look up the trains");
        await Expect(Node(page, "researcher")).ToHaveAttributeAsync("data-mood", "thinking");
        await page.UntilAsync("() => window.lit.has('communicator>researcher')");
        await page.ScreenshotAsync(new() { Path = Path.Combine(WebWorld.Pictures, "team-live.png") });
        research.Release();

        await Expect(feed).ToContainTextAsync("Trains leave at nine.");
        await Expect(page.GetByText("Connected", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(page.Locator("a[data-mood]")).ToHaveCountAsync(0);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_comes_to_the_team_while_it_works_sees_it_work()
    {
        world.Say("""
            rules:
              - match: { agent: communicator, last_role: tool }
                answer: { text: "Ships leave at ten." }
              - match: { agent: communicator }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "Look up the ships" } } ] }
            default: { text: "At ten." }
            """);
        var page = await world.NewChatAsync();
        var research = world.Sim.Hold(new() { Agent = "researcher" });
        await page.SendAsync("When do ships leave?");
        await research.Reached.WaitAsync(Patience);
        await page.GetByRole(AriaRole.Navigation, new() { Name = "Main" }).GetByRole(AriaRole.Link, new() { Name = "Team", Exact = true }).ClickAsync();
        await AtWorkAsync(page);
        await page.ReloadAsync();
        await AtWorkAsync(page);
        research.Release();
        await Expect(page.GetByRole(AriaRole.List, new() { Name = "What happens now" })).ToContainTextAsync("Ships leave at ten.");
        await Expect(page.Locator("a[data-mood]")).ToHaveCountAsync(0);
        await page.Context.CloseAsync();
    }

    private static async Task AtWorkAsync(IPage page)
    {
        await Expect(page.GetByText("1 run at work", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(page.Locator("a[href='/team/agents/researcher'][data-mood]")).ToBeVisibleAsync(); // what it was doing is in no log until it is done
        await Expect(page.GetByRole(AriaRole.List, new() { Name = "What happens now" })).ToContainTextAsync("When do ships leave?");
    }

    [WebFact]
    public async Task What_somebody_below_does_is_opened_in_the_conversation_while_they_work_and_later()
    {
        world.Say("""
            rules:
              - match: { agent: communicator, last_role: tool }
                answer: { text: "They leave {{tool_result}}" }
              - match: { agent: communicator }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "Look it up" } } ] }
              - match: { agent: researcher, last_role: tool }
                answer: { text: "at nine." }
            default: { tool_calls: [ { name: knowledge_search, arguments: { query: "trains to Kazan" } } ] }
            """);
        var hold = world.Sim.Hold(new() { Agent = "researcher", Call = 2 });
        var page = await world.NewChatAsync();
        await page.SendAsync("When do trains leave?");
        await hold.Reached.WaitAsync(Patience);
        await page.UntilAsync("() => location.pathname.startsWith('/c/')");
        await page.ReloadAsync();
        var given = page.GetByRole(AriaRole.Button, new() { Name = "researcher: Look it up" });
        await given.ClickAsync();
        var used = page.GetByRole(AriaRole.Button, new() { Name = "researcher used knowledge_search" });
        await used.ClickAsync();
        await Expect(page.GetByText("\"query\": \"trains to Kazan\"")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("steps of somebody below");
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("at nine.");
        await page.Stored().GetByRole(AriaRole.Button, new() { Name = "Steps", Exact = true }).ClickAsync();
        await page.Stored().Locator("button[aria-expanded=false]").First.ClickAsync();
        await given.ClickAsync();
        await used.ClickAsync();
        await Expect(page.GetByText("\"query\": \"trains to Kazan\"")).ToBeVisibleAsync();

        // What they used counts as what the answer took.
        var run = (await page.ApiAsync("/api/v1/runs?limit=1")).GetProperty("items")[0];
        var (own, all) = (Tokens(run.GetProperty("usage")), Tokens(run.GetProperty("tree_usage")));
        Assert.True(all > own, $"{all} {own}");
        Assert.Equal(all, own + Tokens((await page.ApiAsync($"/api/v1/runs/{run.Text("id")}?tree=1")).GetProperty("children")[0].GetProperty("usage")));
        await page.Context.CloseAsync();
    }

    [WebTheory]
    [InlineData("From the failed step", 1)]
    [InlineData("From the start", 2)]
    public async Task A_run_is_repeated_from_the_step_that_failed_or_from_its_start(string from, int asked)
    {
        const string calculates = """- { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ] } }""";
        world.Say($$"""
            rules:
              {{calculates}}
            default: { fault: { kind: status, status: 400 } }
            """);
        var page = await world.NewChatAsync();
        await page.SendAsync("How much is six times seven?");
        var notice = page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "The run failed" });
        await Expect(notice).ToContainTextAsync("The model did not accept the request.");
        await notice.GetByRole(AriaRole.Link, new() { Name = "See what the run did" }).ClickAsync();
        var steps = page.GetByRole(AriaRole.Treegrid, new() { Name = "Timeline" }).GetByRole(AriaRole.Row);
        await Expect(steps.Filter(new() { HasText = "calculator" })).ToHaveAttributeAsync("data-state", "done");
        await Expect(page.Locator("[role=row][data-state=failed][data-kind=model]")).ToHaveCountAsync(1);
        var failed = new Uri(page.Url).Segments[^1];

        world.Say($$"""
            rules:
              {{calculates}}
            default: { text: "It is 42." }
            """);
        await page.Button("Repeat").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = from }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "The earlier run" })).ToHaveAttributeAsync("href", $"/runs/{failed}");
        await Expect(page.GetByText("Completed", new() { Exact = true }).First).ToBeVisibleAsync();
        await Expect(steps.Filter(new() { HasText = "calculator" })).ToHaveAttributeAsync("data-state", "done");
        await Expect(page.Locator("[role=row][data-state=failed]")).ToHaveCountAsync(0);
        var repeated = new Uri(page.Url).Segments[^1];
        Assert.NotEqual(failed, repeated);
        Assert.Equal(await ResultAsync(page, failed), await ResultAsync(page, repeated));
        Assert.Equal(asked, world.Sim.Calls.Count(static call => call.Agent == "communicator")); // from the failed step on, nothing before it was asked again
        await page.GetByRole(AriaRole.Tab, new() { Name = "Answer" }).ClickAsync();
        await Expect(page.GetByText("It is 42.")).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    private static long Tokens(JsonElement usage) => usage.GetProperty("input_tokens").GetInt64() + usage.GetProperty("output_tokens").GetInt64();

    /// <summary>What the calculator gave, as the run's log has it.</summary>
    private static async Task<string> ResultAsync(IPage page, string run) =>
        (await page.ApiAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().Single(static e => e.Text("type") == "tool.completed").Text("result");

    private static ILocator Node(IPage page, string agent) => page.GetByRole(AriaRole.Group).Locator($"a[href='/team/agents/{agent}']");

    private static ILocator WithStatus(ILocator plan, string status) => plan.Locator($"[data-status={status}]");

    private static Task AllReachedAsync(params SimHold[] holds) => Task.WhenAll(holds.Select(static h => h.Reached)).WaitAsync(Patience);
}
