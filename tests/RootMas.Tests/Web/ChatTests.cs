using System.Globalization;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Asking, stopping, branching, deciding: in a real browser against the real server.</summary>
[Collection(WebCollection.Name)]
public sealed class ChatTests(WebWorld world)
{
    private const string Posts = """
        rules:
          - match: { last_role: tool, tool_result: "refused this call" }
            answer: { text: "Then I leave it." }
          - match: { tool_called: http_request }
            answer: { text: "It is posted." }
          - match: { last_user: "Post it", last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
        default: { text: "Nothing to do." }
        """;

    [WebFact]
    public async Task A_question_is_answered_and_the_end_of_the_answer_is_in_view()
    {
        var text = string.Join("\n\n", Enumerable.Range(1, 60).Select(static i => $"Paragraph {i} of a long answer.")) + "\n\nThe very end.";
        world.Say(Answer(text));
        var page = await world.NewChatAsync();
        await page.AskAsync("Tell me something long", "The very end.");
        await Expect(page.GetByText("The very end.")).ToBeInViewportAsync();
        await page.AskAsync("And again", "The very end.");
        await Expect(page.GetByText("The very end.").Last).ToBeInViewportAsync();
        await Expect(page.Composer()).ToHaveValueAsync("");
        await Expect(page.Composer()).ToBeFocusedAsync();

        // To the team and back within the same page: both read the teams.
        var places = page.GetByRole(AriaRole.Navigation, new() { Name = "Main" });
        await places.GetByRole(AriaRole.Link, new() { Name = "Team", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "All agents", Exact = true })).ToBeVisibleAsync();
        await places.GetByRole(AriaRole.Link, new() { Name = "Chat", Exact = true }).ClickAsync();
        await page.Button("Who answers").ClickAsync();
        await Expect(page.GetByLabel("Agent", new() { Exact = true })).ToContainTextAsync("multi_tool");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_has_scrolled_up_is_left_there_when_the_answer_goes_on()
    {
        var text = string.Join("\n\n", Enumerable.Range(1, 80).Select(static i => $"Paragraph {i} of a long answer."));
        world.Say(Answer(text));
        var page = await world.NewChatAsync();
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await page.SendAsync("Tell me something long");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        var log = page.GetByRole(AriaRole.Log);
        await Expect(page.Answers().Last).ToContainTextAsync("Paragraph 38"); // all but the last of what comes before the middle
        await page.UntilAsync("() => document.querySelector('[role=log]').scrollTop > 300");

        // Until the page has heard of it: what grows in the frame before takes it along to the end.
        await log.EvaluateAsync("""
            async e => {
              const frame = () => new Promise(requestAnimationFrame);
              do { e.scrollTo(0, 0); await frame(); await frame(); } while (e.scrollTop >= 80);
            }
            """);
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("Paragraph 80");
        Assert.True(await log.EvaluateAsync<double>("e => e.scrollTop") < 80);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Stop_ends_the_run_and_keeps_what_there_was_and_one_can_have_it_continued()
    {
        world.Say(Answer("One two three four five six seven eight nine ten."));
        var page = await world.NewChatAsync();
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await page.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Expect(page.Answers().Last).ToContainTextAsync("One two");
        await page.Button("Stop").ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Stopped: this is what there was so far.");
        await Expect(page.Button("Stop")).ToBeHiddenAsync();
        hold.Release();
        var stored = Assert.Single(await page.StoredAnswersAsync());
        Assert.StartsWith("One two", stored, StringComparison.Ordinal);
        Assert.DoesNotContain("ten", stored, StringComparison.Ordinal);
        Assert.Contains(stored.Trim(), await page.Stored().InnerTextAsync(), StringComparison.Ordinal);
        world.Say(Answer("Ten, eleven, twelve."));
        await page.Stored().GetByRole(AriaRole.Button, new() { Name = "Continue" }).ClickAsync();
        await Expect(page.GetByText("Go on where you stopped.")).ToBeVisibleAsync();
        await Expect(page.Stored()).ToContainTextAsync("Ten, eleven, twelve.");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task An_edited_question_is_a_branch_and_arrows_lead_back()
    {
        world.Say("""default: { text: "Answer to {{last_user}}" }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("apples", "Answer to apples");
        await page.AskAsync("and their price", "Answer to and their price");
        await page.Button("Edit the message").First.ClickAsync();
        await page.GetByRole(AriaRole.Textbox, new() { Name = "Edit the message" }).FillAsync("pears");
        await page.GetByRole(AriaRole.Article, new() { Name = "You" }).GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");
        await Expect(page.GetByLabel("Version 2 of 2")).ToBeVisibleAsync();
        await Expect(page.GetByText("Answer to and their price")).ToBeHiddenAsync();
        await page.Button("Older version").ClickAsync();
        await Expect(page.GetByLabel("Version 1 of 2")).ToBeVisibleAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to and their price");
        await page.Button("Newer version").ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");

        // Another answer to the same question is a branch, too; what follows hangs on what is shown.
        await page.Button("Answer again").Last.ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Answer again" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeHiddenAsync();
        await Expect(page.GetByLabel("Version 3 of 3")).ToBeVisibleAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");
        await page.ReloadAsync();
        await Expect(page.GetByLabel("Version 3 of 3")).ToBeVisibleAsync();

        // Somebody else is asked, with another tier.
        await page.Button("Answer again").Last.ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Agent", new() { Exact = true }).SelectOptionAsync("multi_tool");
        await dialog.GetByLabel("Model tier").SelectOptionAsync("premium");
        await page.EvaluateAsync(
            """
            () => {
              const ask = window.fetch;
              window.fetch = async request => {
                if (request.method === 'POST' && request.url.endsWith('/runs')) window.wanted = await request.clone().json();
                return ask(request);
              };
            }
            """);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Answer again" }).ClickAsync();
        await Expect(dialog).ToBeHiddenAsync();
        Assert.Equal("pears multi_tool premium", await page.EvaluateAsync<string>("() => [window.wanted.message, window.wanted.agent, window.wanted.model].join(' ')"));
        await Expect(page.GetByRole(AriaRole.Article, new() { Name = "multi_tool answers" })).ToContainTextAsync("Answer to pears");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task What_one_thinks_of_an_answer_is_there_after_a_reload_with_its_reason()
    {
        world.Say(Answer("The answer."));
        var page = await world.NewChatAsync();
        await page.AskAsync("A question", "The answer.");
        await page.Button("Good answer").ClickAsync();
        await Expect(page.Button("Good answer")).ToHaveAttributeAsync("aria-pressed", "true");
        await page.ReloadAsync();
        await Expect(page.Button("Good answer")).ToHaveAttributeAsync("aria-pressed", "true");
        await page.Button("Bad answer").ClickAsync();
        await page.GetByLabel("Reason (optional)").FillAsync("It names no source");
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeHiddenAsync();
        await page.ReloadAsync();
        await Expect(page.Button("Bad answer")).ToHaveAttributeAsync("aria-pressed", "true");
        await Expect(page.Button("Good answer")).ToHaveAttributeAsync("aria-pressed", "false");
        await page.Button("Bad answer").ClickAsync();
        await Expect(page.GetByLabel("Reason (optional)")).ToHaveValueAsync("It names no source");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_message_is_found_by_its_words_and_opened_at_its_place()
    {
        world.Say("""default: { text: "{{last_user}}, says the answer.\n\nThe end of it." }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("Apples and pears", "Apples and pears, says");
        await page.AskAsync("Ferries to Kazan", "Ferries to Kazan, says");
        await page.Button("New conversation").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Hello" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Searchbox, new() { Name = "Search conversations" }).FillAsync("answer KAZAN");
        var found = page.GetByRole(AriaRole.Region, new() { Name = "In messages" });
        await Expect(found.GetByRole(AriaRole.Link)).ToHaveCountAsync(1);
        await Expect(found.Locator("mark")).ToHaveTextAsync(["Kazan", "answer"]);
        await page.AssertNoViolationsAsync("messages that were found");
        await found.GetByRole(AriaRole.Link).ClickAsync();
        await Expect(page.Locator("[data-named]")).ToContainTextAsync("Ferries to Kazan, says the answer.");
        await Expect(page.Locator("[data-named]")).ToBeInViewportAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task An_answer_is_shown_although_what_is_known_of_the_conversation_is_older_than_it()
    {
        world.Say(Answer("The answer."));
        var page = await world.NewChatAsync();
        await page.RouteAsync(
            "**/api/v1/conversations/*",
            async route =>
            {
                var answer = await route.FetchAsync();
                var question = (await page.Context.APIRequest.GetAsync(route.Request.Url + "/messages?limit=1")).JsonAsync();
                var old = System.Text.Json.Nodes.JsonNode.Parse(await answer.TextAsync())!;
                old["current_leaf"] = (await question)!.Value.GetProperty("items")[0].GetProperty("id").GetString();
                await route.FulfillAsync(new() { Response = answer, Body = old.ToJsonString() });
            });
        await page.AskAsync("A question", "The answer.");
        await page.ReloadAsync();
        await Expect(page.Stored()).ToContainTextAsync("The answer.");
        await page.Context.CloseAsync();
    }

    [WebTheory]
    [InlineData("Approve", "It is posted.", 1)]
    [InlineData("Deny", "Then I leave it.", 0)]
    public async Task A_call_waits_in_the_conversation_for_a_decision(string decision, string answer, int effects)
    {
        world.Say(Posts);
        var page = await world.NewChatAsync();
        await page.Button("Who answers").ClickAsync();
        await page.GetByLabel("Agent", new() { Exact = true }).SelectOptionAsync("multi_tool");
        await page.SendAsync("Post it");
        var card = page.GetByRole(AriaRole.Group, new() { Name = "May http_request run?" });
        await Expect(card).ToContainTextAsync("/_tool/note");
        Assert.Equal(0, Effects());
        await page.ReloadAsync();
        await Expect(card).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Approvals" })).ToContainTextAsync("1");
        await page.ScreenshotAsync(new() { Path = Path.Combine(WebWorld.Pictures, $"approval-{decision}.png") });
        await card.GetByRole(AriaRole.Button, new() { Name = decision, Exact = true }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync(answer);
        await Expect(card).ToBeHiddenAsync();
        Assert.Equal(effects, Effects());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Reloads_at_random_moments_of_a_stream_lose_nothing_and_double_nothing()
    {
        var reloads = TestLength.IsLong ? 50 : 5;
        var seed = TestLength.Seed ?? 7;
        var random = new Random(seed);
        var words = string.Join(' ', Enumerable.Range(1, 700).Select(static i => string.Create(CultureInfo.InvariantCulture, $"word{i}{(i % 35 == 0 ? ".\n\n" : "")}")));
        world.Say($$"""default: { text: {{Quoted(words)}}, tokens_per_second: 150 }""");
        var page = await world.NewChatAsync();
        await page.SendAsync("Write and write");
        var (done, before) = (0, 0);
        while (done < reloads)
        {
            var seen = before + random.Next(1, 900);
            await page.UntilAsync("seen => { const last = [...document.querySelectorAll('[role=log] article')].at(-1); return last?.dataset.message || (last?.dataset.run && last.innerText.length > seen); }", seen);
            if (await page.Locator("[role=log] article").Last.GetAttributeAsync("data-message") is not null)
            {
                // Each answer has a conversation of its own: of a long one only a part of the rows is there, and the last of them need not be the newest.
                await AssertSameAsync(page, words, seed);
                await page.GotoAsync("/");
                await page.SendAsync("Once more");
                before = 0;
                continue;
            }

            before = seen;
            await page.ReloadAsync();
            done++;
        }

        await page.UntilAsync("() => [...document.querySelectorAll('[role=log] article')].at(-1)?.dataset.message");
        await AssertSameAsync(page, words, seed);
        await page.Context.CloseAsync();
    }

    private static async Task AssertSameAsync(IPage page, string words, int seed)
    {
        var stored = Assert.Single(await page.StoredAnswersAsync());
        Assert.Equal(Words(words), Words(stored));
        var shown = await page.ShownAsync();
        Assert.True(Enumerable.SequenceEqual(Words(stored), Words(shown)), $"seed {seed}: shown is not what is stored");
    }

    private static string[] Words(string text) => text.Split((char[])[' ', '\n', '\r', '\t'], StringSplitOptions.RemoveEmptyEntries);

    private long Effects() => world.Sim.ToolCounts.TryGetValue("note", out var count) ? count.Effects : 0;

    private static string Answer(string text) => $$"""default: { text: {{Quoted(text)}} }""";

    /// <summary>JSON is YAML.</summary>
    private static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}
