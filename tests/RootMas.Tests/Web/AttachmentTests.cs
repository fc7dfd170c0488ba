using System.Text;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Files in the chat: from the file on one's machine to the cited words in view.</summary>
[Collection(WebCollection.Name)]
public sealed class AttachmentTests(WebWorld world)
{
    private const string Words = "28 days of leave";

    /// <summary>The model looks into the documents and cites the passage that it finds first.</summary>
    private const string Cites = """
        rules:
          - name: cites
            match: { last_role: tool, last_message_regex: "\\[(k[0-9a-f]{8})\\]" }
            answer: { text: "The handbook says \"28 days of leave\" [{{group_1}}]. Ask again if you would like to know when they have to be taken, and by whom that is decided." }
          - match: { last_role: user, last_user: "leave" }
            answer: { tool_calls: [ { name: knowledge_search, arguments: { query: "how many days of leave", count: 1 } } ] }
        default: { text: "Nothing to say." }
        """;

    [WebFact]
    public async Task A_file_is_followed_until_it_is_ready_and_the_message_that_waits_for_it_goes_by_itself()
    {
        world.Say(Cites);
        var page = await world.NewChatAsync();
        var line = await page.Context.NewCDPSessionAsync(page);
        await line.SendAsync("Network.enable");
        await UploadsAsync(line, 10_000);
        await page.EvaluateAsync(
            """
            () => {
              window.seen = new Set();
              new MutationObserver(() => document.querySelectorAll('form progress').forEach(p => p.position > 0 && p.position < 1 && window.seen.add(p.position)))
                .observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
            }
            """);
        await ChooseAsync(page, File("handbook.md", Handbook()), File("minutes.txt", Minutes(200_000)));
        await Expect(Chips(page)).ToHaveCountAsync(2);
        await page.SendAsync("How much leave is there?");
        await Expect(page.GetByText("The message waits for its files")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("a message that waits for its files");
        await world.KeepPictureAsync(page, "attachments", ColorScheme.Light);
        await page.UntilAsync("() => window.seen.size > 0");
        await UploadsAsync(line, -1);
        await Expect(page.Stored()).ToContainTextAsync("The handbook says");
        await Expect(Chips(page)).ToHaveCountAsync(0);
        await Expect(page.Composer()).ToHaveValueAsync("");

        var question = page.Locator("[role=log] article").First;
        await Expect(question.GetByRole(AriaRole.Button, new() { Name = "handbook.md" })).ToBeVisibleAsync();
        await Expect(question.GetByRole(AriaRole.Button, new() { Name = "minutes.txt" })).ToBeVisibleAsync();
        var sent = (await page.ApiAsync($"/api/v1/conversations/{page.ConversationId()}/messages")).GetProperty("items")[0].GetProperty("attachments");
        Assert.Equal(["handbook.md", "minutes.txt"], sent.EnumerateArray().Select(static a => a.GetProperty("name").GetString()));
        await question.GetByRole(AriaRole.Button, new() { Name = "minutes.txt" }).ClickAsync();
        await Expect(Panel(page)).ToContainTextAsync("Minute 1:");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_mark_opens_the_source_at_the_words_while_the_answer_is_written_and_after_a_reload()
    {
        world.Say(Cites);
        var page = await world.NewChatAsync();
        await ChooseAsync(page, File("handbook.md", Handbook()));
        await Expect(Chips(page).Locator("progress")).ToHaveCountAsync(0);
        var hold = world.Sim.Hold(new() { Rule = "cites", At = HoldPoint.Middle });
        await page.SendAsync("How much leave is there?");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        var mark = page.GetByRole(AriaRole.Button, new() { Name = "Source 1: handbook.md" });
        await mark.ClickAsync();
        await ExpectWordsInViewAsync(page);
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("by whom that is decided");
        await ExpectWordsInViewAsync(page);
        await page.AssertNoViolationsAsync("a source beside the conversation");
        await world.KeepPictureAsync(page, "source", ColorScheme.Light);

        // The mark of the stored answer is another one than that which was pressed.
        await Panel(page).GetByRole(AriaRole.Heading).FocusAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(Panel(page)).ToBeHiddenAsync();
        await Expect(mark).ToBeFocusedAsync();

        await page.ReloadAsync();
        await mark.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await ExpectWordsInViewAsync(page);
        await Expect(Panel(page).GetByRole(AriaRole.Heading)).ToBeFocusedAsync();
        await Panel(page).GetByRole(AriaRole.Button, new() { Name = "Close" }).ClickAsync();
        await Expect(mark).ToBeFocusedAsync();

        await page.GetByRole(AriaRole.List, new() { Name = "Sources" }).GetByRole(AriaRole.Button).ClickAsync();
        await Panel(page).GetByRole(AriaRole.Link, new() { Name = "The whole document" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "handbook.md", Level = 1 })).ToBeVisibleAsync(); // the panel has one of its own
        await Expect(page.Locator("mark")).ToHaveTextAsync(Words);
        await Expect(page.Locator("mark")).ToBeInViewportAsync();
        await page.AssertNoViolationsAsync("a document");

        // The page of the run shows the same answer with the same sources.
        var run = (await page.ApiAsync("/api/v1/runs?limit=1")).GetProperty("items")[0].GetProperty("id").GetString();
        await page.GotoAsync($"/runs/{run}?tab=answer");
        var answer = page.GetByRole(AriaRole.Tabpanel);
        await Expect(answer).ToContainTextAsync("by whom that is decided");
        await Expect(answer).Not.ToContainTextAsync("[k");
        await answer.GetByRole(AriaRole.List, new() { Name = "Sources" }).GetByRole(AriaRole.Link, new() { Name = "handbook.md" }).ClickAsync();
        await Expect(page.Locator("mark")).ToHaveTextAsync(Words);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task On_a_phone_in_Russian_a_dropped_file_is_attached_and_its_words_open_over_the_conversation()
    {
        world.Say(Cites);
        var page = await world.NewChatAsync(new Visit { Language = "ru-RU", Width = 390, Height = 844, Theme = ColorScheme.Dark });
        await DropAsync(page, "handbook.md", Handbook());
        await Expect(Chips(page)).ToHaveCountAsync(1);
        await Expect(Chips(page).Locator("progress")).ToHaveCountAsync(0);
        await page.AssertNoViolationsAsync("files, ru");
        Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"));
        await page.SendAsync("Сколько дней отпуска (leave)?");
        await Expect(page.Stored()).ToContainTextAsync("The handbook says");
        await page.GetByRole(AriaRole.Button, new() { Name = "Источник 1: handbook.md" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog, new() { Name = "handbook.md" });
        await Expect(dialog.Locator("mark")).ToHaveTextAsync(Words);
        await Expect(dialog.Locator("mark")).ToBeInViewportAsync();
        await page.AssertNoViolationsAsync("a source over the conversation, ru", isOver: true);
        await world.KeepPictureAsync(page, "source", ColorScheme.Dark);
        await page.Keyboard.PressAsync("Escape");
        await Expect(dialog).ToBeHiddenAsync();
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Источник 1: handbook.md" })).ToBeFocusedAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task What_cannot_be_read_says_why_and_nothing_of_a_draft_is_lost()
    {
        world.Say(Cites);
        var page = await world.NewChatAsync();
        var dropped = 0;
        await page.RouteAsync("**/api/v1/documents?*", route => Interlocked.Increment(ref dropped) == 1 ? route.AbortAsync("connectionreset") : route.ContinueAsync());
        await ChooseAsync(page, File("handbook.md", Handbook()));
        await Expect(Chips(page)).ToContainTextAsync("The server does not answer");
        await page.GetByRole(AriaRole.Button, new() { Name = "Try handbook.md again" }).ClickAsync();
        await Expect(Chips(page).And(page.Locator("[data-state=ready]"))).ToHaveCountAsync(1);
        var picture = new FilePayload { Name = "picture.png", MimeType = "image/png", Buffer = [0x89, 0x50, 0x4E, 0x47, 0, 1, 2, 3] };
        await ChooseAsync(page, picture);
        await Expect(Chips(page).Nth(1)).ToContainTextAsync("is of no kind");
        await page.EvaluateAsync(
            """
            () => {
              const over = new DataTransfer();
              over.items.add(new File([new Uint8Array(26_214_401)], 'huge.txt'));
              document.getElementById('message-box').dispatchEvent(new ClipboardEvent('paste', { clipboardData: over, bubbles: true, cancelable: true }));
            }
            """);
        await Expect(Chips(page).Nth(2)).ToContainTextAsync("files may have 26.2 MB at most");
        Assert.Equal(3, dropped);

        await page.SendAsync("How much leave is there?");
        await Expect(page.GetByText("Not every file could be read")).ToBeVisibleAsync();
        await page.Button("Do not send yet").ClickAsync();
        await page.ReloadAsync();
        await Expect(page.Composer()).ToHaveValueAsync("How much leave is there?");
        await Expect(Chips(page)).ToHaveCountAsync(1);
        await Expect(Chips(page).And(page.Locator("[data-state=ready]"))).ToContainTextAsync("handbook.md");
        await page.RouteAsync("**/api/v1/conversations", static route => route.Request.Method == "POST" ? route.AbortAsync("connectionreset") : route.ContinueAsync());
        await page.Composer().FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        await Expect(page.Composer()).ToHaveValueAsync("How much leave is there?");
        await Expect(Chips(page)).ToHaveCountAsync(1);

        await page.UnrouteAsync("**/api/v1/conversations");
        await ChooseAsync(page, picture);
        await Expect(Chips(page).And(page.Locator("[data-state=failed]"))).ToHaveCountAsync(1);
        await page.Button("Send").ClickAsync();
        await page.Button("Send without what is not ready").ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("The handbook says");
        await Expect(page.Locator("[role=log] article").First).ToContainTextAsync("handbook.md");
        await Expect(Chips(page)).ToContainTextAsync("picture.png"); // left for the next message of the conversation that has begun
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_source_that_was_deleted_is_said_to_be_gone_and_its_words_stay_where_they_were_read()
    {
        world.Say(Cites);
        var page = await world.NewChatAsync();
        await ChooseAsync(page, File("handbook.md", Handbook()));
        await page.AskAsync("How much leave is there?", "The handbook says");
        var id = (await page.ApiAsync("/api/v1/documents")).GetProperty("items")[0].GetProperty("id").GetString();
        var gone = await page.Context.APIRequest.DeleteAsync($"/api/v1/documents/{id}", new() { Headers = [KeyValuePair.Create("X-RootMas-Csrf", "1")] });
        Assert.Equal(204, gone.Status);
        await page.GetByRole(AriaRole.Button, new() { Name = "Source 1: handbook.md" }).ClickAsync();
        await Expect(Panel(page)).ToContainTextAsync("The document is no longer there");
        await Expect(Panel(page)).ToContainTextAsync(Words);
        await page.Context.CloseAsync();
    }

    private static ILocator Chips(IPage page) => page.Locator("form li[data-state]");

    private static ILocator Panel(IPage page) => page.GetByRole(AriaRole.Complementary, new() { Name = "Source", Exact = true });

    private static Task ChooseAsync(IPage page, params FilePayload[] files) => page.Locator("form input[type=file]").SetInputFilesAsync(files);

    private static FilePayload File(string name, string text) => new() { Name = name, MimeType = "text/plain", Buffer = Encoding.UTF8.GetBytes(text) };

    /// <summary>The words that count stand far below what is seen first.</summary>
    private static string Handbook() =>
        $"# Handbook\n\n{string.Join("\n\n", Enumerable.Range(1, 60).Select(static i => $"Rule {i}: the office opens at nine and the doors are closed again at six."))}\n\n## Leave\n\nEvery employee has {Words} a year.\n\n## Travel\n\n"
        + string.Join("\n\n", Enumerable.Range(1, 60).Select(static i => $"Journey {i}: a train ride in second class is paid in full."));

    private static string Minutes(int length)
    {
        var text = new StringBuilder();
        for (var i = 1; text.Length < length; i++)
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Minute {i}: nothing was decided about the garden.\n\n");
        }

        return text.ToString();
    }

    private static async Task ExpectWordsInViewAsync(IPage page)
    {
        await Expect(Panel(page).Locator("mark")).ToHaveTextAsync(Words);
        await Expect(Panel(page).Locator("mark")).ToBeInViewportAsync();
    }

    /// <summary>So many bytes a second, so that what is on its way can be seen; -1: as many as there are.</summary>
    private static async Task UploadsAsync(ICDPSession line, int bytesPerSecond) =>
        await line.SendAsync("Network.emulateNetworkConditions", new() { ["offline"] = false, ["latency"] = 0, ["downloadThroughput"] = -1, ["uploadThroughput"] = bytesPerSecond });

    private static async Task DropAsync(IPage page, string name, string text)
    {
        var data = await page.EvaluateHandleAsync("([name, text]) => { const d = new DataTransfer(); d.items.add(new File([text], name, { type: 'text/plain' })); return d; }", new[] { name, text });
        foreach (var type in (string[])["dragenter", "dragover"])
        {
            await page.Locator("[role=log], h1").First.DispatchEventAsync(type, new { dataTransfer = data });
        }

        await Expect(page.GetByText("Отпустите файлы, чтобы приложить их")).ToBeVisibleAsync();
        await page.Locator("[role=log], h1").First.DispatchEventAsync("drop", new { dataTransfer = data });
    }
}
