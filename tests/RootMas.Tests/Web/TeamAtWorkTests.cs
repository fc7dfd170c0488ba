using Microsoft.Playwright;
using RootMas.LlmSimulator;
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

    private static ILocator WithStatus(ILocator plan, string status) => plan.Locator($"[data-status={status}]");

    private static Task AllReachedAsync(params SimHold[] holds) => Task.WhenAll(holds.Select(static h => h.Reached)).WaitAsync(Patience);
}
