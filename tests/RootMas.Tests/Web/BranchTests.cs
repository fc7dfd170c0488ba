using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What is asked while something else is being answered: behind it, or beside it on another branch.</summary>
[Collection(WebCollection.Name)]
public sealed class BranchTests(WebWorld world)
{
    private const string Echo = """default: { text: "Answer to {{last_user}}" }""";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [WebFact]
    public async Task What_is_asked_meanwhile_is_seen_to_wait_its_turn_also_after_a_reload()
    {
        world.Say(Echo);
        var page = await world.NewChatAsync();
        var hold = world.Sim.Hold(new() { Agent = "communicator", Call = 1 });
        await page.SendAsync("one");
        await hold.Reached.WaitAsync(Patience);
        await page.UntilAsync("() => location.pathname.startsWith('/c/')");
        await page.SendAsync("two");
        await Expect(Waiting(page)).ToContainTextAsync(["two"]);
        await page.SendAsync("three");
        await Expect(Waiting(page)).ToContainTextAsync(["two", "three"]);
        await Expect(page.Composer()).ToHaveValueAsync("");
        await page.AssertNoViolationsAsync("messages that wait their turn");
        await page.ReloadAsync();
        await Expect(Questions(page)).ToContainTextAsync(["one", "two", "three"]);
        await Expect(Waiting(page)).ToContainTextAsync(["two", "three"]);
        await Expect(Questions(page).First.GetByText("Version")).ToHaveCountAsync(0);
        await Expect(page.GetByLabel("Version 1 of 2")).ToHaveCountAsync(0);
        hold.Release();
        await Expect(page.Locator("[role=log] article[data-message]")).ToContainTextAsync(["Answer to one", "Answer to two", "Answer to three"]);
        await Expect(Questions(page)).ToContainTextAsync(["one", "two", "three"]);
        await Expect(Waiting(page)).ToHaveCountAsync(0);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Stop_reaches_what_waits_and_its_words_stay_where_they_were_said()
    {
        world.Say(Echo);
        var page = await world.NewChatAsync();
        var hold = world.Sim.Hold(new() { Agent = "communicator", Call = 1 });
        await page.SendAsync("one");
        await hold.Reached.WaitAsync(Patience);
        await page.UntilAsync("() => location.pathname.startsWith('/c/')");
        await page.SendAsync("two");
        await Expect(Waiting(page)).ToContainTextAsync(["two"]);
        await page.ReloadAsync();
        await Expect(Waiting(page)).ToContainTextAsync(["two"]);
        await page.Button("Stop").ClickAsync();
        await Expect(page.GetByText("The run was stopped.")).ToHaveCountAsync(2);
        await Expect(Waiting(page)).ToHaveCountAsync(0);
        await Expect(page.Button("Stop")).ToBeHiddenAsync();
        hold.Release();
        await page.AskAsync("three", "Answer to three");
        await Expect(Questions(page)).ToContainTextAsync(["one", "two", "three"]);
        await page.ReloadAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to three");
        await Expect(Questions(page)).ToContainTextAsync(["one", "two", "three"]);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task An_answer_that_arrows_led_back_to_while_it_was_written_stays_and_is_gone_on_from()
    {
        world.Say(Echo);
        var page = await world.NewChatAsync();
        await page.AskAsync("apples", "Answer to apples");
        var hold = world.Sim.Hold(new() { Agent = "communicator", Call = 1 });
        await EditAsync(page, "pears");
        await hold.Reached.WaitAsync(Patience);
        await Expect(page.GetByLabel("Version 2 of 2")).ToBeVisibleAsync();
        await page.Button("Older version").ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to apples");
        await page.Button("Newer version").ClickAsync();
        await Expect(page.GetByLabel("Version 2 of 2")).ToBeVisibleAsync();
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");
        await Expect(page.Locator("[role=log] article[data-run]")).ToHaveCountAsync(0);
        var answer = await page.Stored().GetAttributeAsync("data-message");
        var asked = new ConcurrentQueue<string>();
        page.Request += (_, request) =>
        {
            if (request.Method == "POST" && request.Url.EndsWith("/runs", StringComparison.Ordinal))
            {
                asked.Enqueue(request.PostData ?? "");
            }
        };
        await page.AskAsync("plums", "Answer to plums");
        Assert.Equal(answer, JsonElement.Parse(Assert.Single(asked)).GetProperty("parent_id").GetString());
        Assert.Contains("Answer to pears", AskedFor("plums"), StringComparison.Ordinal);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_goes_on_with_an_older_version_stays_on_it()
    {
        world.Say(Echo);
        var page = await world.NewChatAsync();
        await page.AskAsync("apples", "Answer to apples");
        await EditAsync(page, "pears");
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");
        await page.Button("Older version").ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to apples");
        await page.AskAsync("plums", "Answer to plums");
        await page.AskAsync("cherries", "Answer to cherries");
        await Expect(Questions(page)).ToContainTextAsync(["apples", "plums", "cherries"]);
        await page.ReloadAsync();
        await Expect(Questions(page)).ToContainTextAsync(["apples", "plums", "cherries"]);
        Assert.DoesNotContain("pears", AskedFor("cherries"), StringComparison.Ordinal);
        await page.Context.CloseAsync();
    }

    /// <summary>What the model was sent with this question; what other tests' users said of themselves is read meanwhile.</summary>
    private string AskedFor(string words) => world.Sim.Calls.Last(c => c.Agent == "communicator" && c.Body!.Contains(words, StringComparison.Ordinal)).Body!;

    private static async Task EditAsync(IPage page, string text)
    {
        await page.Button("Edit the message").First.ClickAsync();
        await page.GetByRole(AriaRole.Textbox, new() { Name = "Edit the message" }).FillAsync(text);
        await Questions(page).GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
    }

    private static ILocator Questions(IPage page) => page.GetByRole(AriaRole.Log).GetByRole(AriaRole.Article, new() { Name = "You" });

    private static ILocator Waiting(IPage page) => Questions(page).Filter(new() { HasText = "Waits its turn" });
}
