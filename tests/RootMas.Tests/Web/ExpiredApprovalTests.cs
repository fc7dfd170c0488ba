using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>A call that waits for a person who comes too late. On the embedded database, whose clock is the process's and so the test's.</summary>
[Collection(WebCollection.Name)]
public sealed class ExpiredApprovalTests(WebWorld world)
{
    [WebFact]
    public async Task A_card_whose_time_is_over_goes_where_it_is_followed_and_says_so_where_somebody_presses_it()
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - match: { last_role: tool }
                answer: { text: "Then I leave it." }
              - match: { last_user: "Post it" }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            default: { text: "Nothing to do." }
            """);
        var clock = new LateClock();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Clock = clock;
            o.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
            o.Settings["Outbound:Allow:0"] = new Uri(sim.BaseUrl).Authority;
        });
        await app.PostJsonAsync("/api/v1/users", new { username = "ann", role = "user", password = WebWorld.Password }, System.Net.HttpStatusCode.Created);
        var page = await world.SignedInAsync("ann", server: app.Url);
        await page.GotoAsync("/");
        await page.Button("Who answers").ClickAsync();
        await page.GetByLabel("Agent", new() { Exact = true }).SelectOptionAsync("multi_tool");
        await page.SendAsync("Post it");
        await Expect(Card(page)).ToBeVisibleAsync();

        // Another window that does not look again.
        var inbox = await page.Context.NewPageAsync();
        await inbox.GotoAsync("/approvals");
        await Expect(Card(inbox)).ToBeVisibleAsync();
        await inbox.RouteAsync("**/api/v1/approvals?*", static route => route.AbortAsync());

        clock.Advance(TimeSpan.FromHours(25));
        await Expect(page.Stored()).ToContainTextAsync("Then I leave it.");
        await Expect(Card(page)).ToHaveCountAsync(0);
        await page.Stored().GetByRole(AriaRole.Button, new() { Name = "Steps", Exact = true }).ClickAsync();
        await page.Stored().Locator("button[aria-expanded=false]").First.ClickAsync();
        await page.GetByRole(AriaRole.Button).Filter(new() { HasText = "http_request" }).First.ClickAsync();
        await Expect(page.GetByText("Nobody approved this call in time")).ToBeVisibleAsync();

        await Card(inbox).GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Expect(Card(inbox).GetByRole(AriaRole.Alert)).ToContainTextAsync("The run has ended. Nothing was done.");
        await Expect(Card(inbox).GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true })).ToHaveCountAsync(0);
        await Expect(Card(inbox).GetByRole(AriaRole.Button, new() { Name = "Deny", Exact = true })).ToHaveCountAsync(0);
        await Expect(Card(inbox)).ToBeFocusedAsync();
        await inbox.AssertNoViolationsAsync("a card whose time is over");

        await inbox.UnrouteAllAsync();
        await inbox.ReloadAsync();
        await Expect(inbox.GetByText("Nothing waits for you")).ToBeVisibleAsync();
        await inbox.GetByRole(AriaRole.Tab, new() { Name = "Decided" }).ClickAsync();
        await Expect(inbox.GetByRole(AriaRole.Table, new() { Name = "Decided" })).ToContainTextAsync("Expired");
        Assert.False(sim.ToolCounts.ContainsKey("note"));
        await page.Context.CloseAsync();
    }

    private static ILocator Card(IPage page) => page.GetByRole(AriaRole.Group, new() { Name = "May http_request run?" });

    /// <summary>The real clock, put on.</summary>
    private sealed class LateClock : TimeProvider
    {
        private long _by;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _by));

        public void Advance(TimeSpan by) => Interlocked.Add(ref _by, by.Ticks);
    }
}
