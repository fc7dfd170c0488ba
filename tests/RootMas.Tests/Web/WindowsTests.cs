using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Several windows, on one device and on two; what a window keeps over a reload, and what it still does when it is left.</summary>
[Collection(WebCollection.Name)]
public sealed class WindowsTests(WebWorld world)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [WebFact]
    public async Task What_happens_in_one_window_is_seen_in_the_other_that_nobody_touches()
    {
        world.Say("""default: { text: "One two three four five six seven eight nine ten." }""");
        var page = await world.NewChatAsync();
        var other = await page.Context.NewPageAsync();
        // A window in the background asks for nothing by itself: what it learns it was told.
        await other.AddInitScriptAsync("Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });");
        await other.GotoAsync("/");
        await Expect(other.GetByText("No conversations yet")).ToBeVisibleAsync();
        await page.AskAsync("trains", "eight nine ten.");
        await other.GetByRole(AriaRole.Link, new() { Name = "trains" }).ClickAsync();
        await Expect(other.Stored()).ToContainTextAsync("eight nine ten.");

        // Asked here, read there as it is written.
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await page.SendAsync("Once more");
        await hold.Reached.WaitAsync(Patience);
        await Expect(other.Locator("[role=log] article[data-run]")).ToContainTextAsync("One two");
        hold.Release();
        await Expect(other.Locator("[role=log] article[data-message]")).ToHaveCountAsync(2);

        await page.Button("What to do with trains").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Rename" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Title").FillAsync("Railways");
        await page.Button("Save").ClickAsync();
        await Expect(other.GetByRole(AriaRole.Link, new() { Name = "Railways" })).ToBeVisibleAsync();

        // Out here is out there.
        await page.GetByRole(AriaRole.Link, new() { Name = "Profile", Exact = true }).ClickAsync();
        await page.Button("Sign out").ClickAsync();
        await Expect(other.GetByRole(AriaRole.Heading, new() { Name = "Sign in" })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task What_happens_on_one_device_is_seen_on_the_other_that_shows_the_conversation()
    {
        world.Say("""default: { text: "Answer to {{last_user}}" }""");
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/");
        await page.AskAsync("apples", "Answer to apples");
        var elsewhere = await world.SignedInAsync(name);
        await elsewhere.Clock.InstallAsync();
        await elsewhere.GotoAsync(page.Url);
        await Expect(elsewhere.Stored()).ToContainTextAsync("Answer to apples");
        await page.AskAsync("pears", "Answer to pears");
        await elsewhere.Clock.FastForwardAsync(16_000);
        await Expect(elsewhere.Stored()).ToContainTextAsync("Answer to pears");
        await elsewhere.Context.CloseAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task What_was_chosen_edited_and_given_as_a_reason_is_there_after_a_reload_until_it_was_sent()
    {
        world.Say("""
            rules:
              - match: { last_role: tool, tool_result: "refused this call" }
                answer: { text: "Then I leave it." }
              - match: { last_user: "Post it", last_role: user }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            default: { text: "Answer to {{last_user}}" }
            """);
        var page = await world.NewChatAsync();
        await page.Button("Who answers").ClickAsync();
        var agent = page.GetByLabel("Agent", new() { Exact = true });
        await agent.SelectOptionAsync("multi_tool");
        await page.ReloadAsync();
        await Expect(agent).ToHaveValueAsync("multi_tool");
        await page.AskAsync("apples", "Answer to apples");
        await page.SendAsync("Post it");
        var card = page.GetByRole(AriaRole.Group, new() { Name = "May http_request run?" });
        await card.GetByLabel("Reason (optional)").FillAsync("Not today");
        await page.Button("Edit the message").First.ClickAsync();
        var edit = page.GetByRole(AriaRole.Textbox, new() { Name = "Edit the message" });
        await edit.FillAsync("pears");
        await page.ReloadAsync();
        await Expect(agent).ToHaveValueAsync("multi_tool");
        await Expect(edit).ToHaveValueAsync("pears");
        await Expect(card.GetByLabel("Reason (optional)")).ToHaveValueAsync("Not today");
        await card.GetByRole(AriaRole.Button, new() { Name = "Deny", Exact = true }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Then I leave it.");
        await page.GetByRole(AriaRole.Article, new() { Name = "You" }).GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");
        await Expect(page.GetByRole(AriaRole.Article, new() { Name = "multi_tool answers" }).Last).ToContainTextAsync("Answer to pears");
        await page.UntilAsync("() => !Object.keys(localStorage).some(k => k.includes(':draft:') && !k.endsWith('/choice'))");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_deletion_is_done_when_the_page_is_left_before_the_time_to_undo_is_over()
    {
        world.Say("""default: { text: "The answer." }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("apples", "The answer.");
        var address = "/api/v1/conversations/" + page.ConversationId();
        await page.Button("What to do with apples").ClickAsync();
        // The page asks for the version that the deletion will name: only when it has it, it can delete while it is left.
        await page.EvaluateAsync(
            """
            address => {
              const ask = window.fetch;
              addEventListener('click', () => { window.isChosen = true; }, true);
              window.fetch = async request => {
                const isIt = window.isChosen && request.method === 'GET' && request.url.endsWith(address);
                const answer = await ask(request);
                if (isIt) {
                  const read = answer.headers.get.bind(answer.headers);
                  answer.headers.get = name => {
                    window.isKnown ||= name === 'etag';
                    return read(name);
                  };
                }
                return answer;
              };
            }
            """,
            address);
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Delete" }).ClickAsync();
        await Expect(page.GetByText("was deleted", new() { Exact = false }).First).ToBeVisibleAsync();
        await page.EvaluateAsync("() => dispatchEvent(new Event('blur'))"); // what can be undone stays as long as nobody looks
        await page.UntilAsync("() => window.isKnown");
        Assert.True((await page.Context.APIRequest.GetAsync(address)).Ok);
        await page.GotoAsync("about:blank");
        await Wait.UntilAsync(static async at => (await at.page.Context.APIRequest.GetAsync(at.address)).Status == 404, (page, address), "The conversation was not deleted");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_change_that_the_page_shows_is_made_when_the_page_is_left_at_that_moment()
    {
        world.Say("""default: { text: "The answer." }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("apples", "The answer.");
        var address = "/api/v1/conversations/" + page.ConversationId();
        await page.Button("What to do with apples").ClickAsync();
        // The page is left as soon as it has asked for anything, before an answer can have come.
        await page.EvaluateAsync(
            """
            address => {
              const ask = window.fetch;
              addEventListener('click', () => {
                window.fetch = request => {
                  const answer = ask(request);
                  if (request.url.endsWith(address)) location.href = 'about:blank';
                  return answer;
                };
              }, true);
            }
            """,
            address);
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Pin", Exact = true }).ClickAsync();
        await page.WaitForURLAsync("about:blank");
        await Wait.UntilAsync(
            static async at => await (await at.page.Context.APIRequest.GetAsync(at.address)).JsonAsync() is { } found && found.GetProperty("pinned").GetBoolean(), (page, address), "The conversation was not pinned");
        await page.Context.CloseAsync();
    }
}
