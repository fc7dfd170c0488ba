using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What a person reads before they decide is what runs.</summary>
[Collection(WebCollection.Name)]
public sealed class ApprovalTests(WebWorld world)
{
    private const string Account = "9007199254740993";

    [WebFact]
    public async Task A_card_shows_the_numbers_and_the_characters_that_run()
    {
        SayPay();
        var page = await world.NewChatAsync();
        await PayAsync(page);
        var card = Card(page);
        await ReadsExactlyAsync(card);
        await page.ReloadAsync();
        await ReadsExactlyAsync(card);
        await page.GotoAsync("/approvals");
        await ReadsExactlyAsync(card);
        var waits = (await page.ApiAsync("/api/v1/approvals")).GetProperty("items")[0];
        Assert.Contains(Account, waits.GetProperty("arguments_text").GetString(), StringComparison.Ordinal);

        // The log of the run says the same.
        await page.GetByRole(AriaRole.Link, new() { Name = "Open the run" }).ClickAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Events" }).ClickAsync();
        await page.GetByRole(AriaRole.Button).Filter(new() { HasText = "approval.requested" }).ClickAsync();
        await Expect(page.Locator("pre").Filter(new() { HasText = "approval_id" })).ToContainTextAsync($"\"account\": {Account},");

        await page.GotoAsync("/approvals");
        await card.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Expect(card).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Tab, new() { Name = "Decided" }).ClickAsync();
        var row = page.GetByRole(AriaRole.Table, new() { Name = "Decided" }).GetByRole(AriaRole.Row).Filter(new() { HasText = "http_request" });
        await Expect(row).ToContainTextAsync("Approved");
        await Expect(row).ToContainTextAsync("You");
        await page.UntilAsync("async run => (await (await fetch('/api/v1/runs/' + run)).json()).status === 'completed'", waits.GetProperty("run_id").GetString());
        Assert.Contains(Account, Assert.Single(world.Sim.ToolCounts["pay"].Bodies), StringComparison.Ordinal);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task An_administrator_is_told_whose_call_it_is_and_who_decided()
    {
        SayPay();
        var (_, name) = await world.NewPersonAsync();
        var owner = await world.SignedInAsync(name);
        await owner.GotoAsync("/");
        await PayAsync(owner);
        await Expect(Card(owner)).ToBeVisibleAsync();

        var (_, chief) = await world.NewPersonAsync("admin");
        var page = await world.SignedInAsync(chief);
        await page.GotoAsync("/approvals");
        var card = Card(page).Filter(new() { HasText = name });
        await Expect(card).ToContainTextAsync("Works for");
        await card.GetByRole(AriaRole.Button, new() { Name = "Deny", Exact = true }).ClickAsync();
        await Expect(card).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Tab, new() { Name = "Decided" }).ClickAsync();
        var row = page.GetByRole(AriaRole.Table, new() { Name = "Decided" }).GetByRole(AriaRole.Row).Filter(new() { HasText = name });
        await Expect(row).ToContainTextAsync("Denied");
        await Expect(row).ToContainTextAsync("You");

        await owner.GotoAsync("/approvals");
        await owner.GetByRole(AriaRole.Tab, new() { Name = "Decided" }).ClickAsync();
        await Expect(owner.GetByRole(AriaRole.Table, new() { Name = "Decided" })).ToContainTextAsync("Denied");
        await page.Context.CloseAsync();
        await owner.Context.CloseAsync();
    }

    /// <summary>Asked of an agent that has the tool.</summary>
    private static async Task PayAsync(IPage page)
    {
        await page.Button("Who answers").ClickAsync();
        await page.GetByLabel("Agent", new() { Exact = true }).SelectOptionAsync("multi_tool");
        await page.SendAsync("Pay it");
    }

    private static ILocator Card(IPage page) => page.GetByRole(AriaRole.Group, new() { Name = "May http_request run?" });

    private static async Task ReadsExactlyAsync(ILocator card)
    {
        await Expect(card).ToContainTextAsync($"\"account\": {Account},");
        await Expect(card).ToContainTextAsync("\"to\": \"ann\\u202egpj.exe\\u200b\"");
        await Expect(card).ToContainTextAsync("<img src=x onerror=window.pwned=1>");
        Assert.DoesNotContain('\u202E', await card.InnerTextAsync());
        Assert.True(await card.Page.EvaluateAsync<bool>("() => window.pwned === undefined && document.querySelector('[role=group] pre img') === null"));
    }

    private void SayPay() => world.Say(JsonSerializer.Serialize(new
    {
        rules = new object[]
        {
            new { match = new { last_role = "tool" }, answer = new { text = "That is all." } },
            new
            {
                match = new { last_user = "Pay it" },
                answer = new
                {
                    tool_calls = new[]
                    {
                        new
                        {
                            name = "http_request",
                            arguments = new { method = "POST", url = "{{base_url}}/_tool/pay", json = new { account = 9007199254740993, to = "ann\u202Egpj.exe\u200B", note = "<img src=x onerror=window.pwned=1>" } },
                        },
                    },
                },
            },
        },
        @default = new { text = "Nothing to do." },
    }));
}
