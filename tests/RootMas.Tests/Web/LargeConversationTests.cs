using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Thousands of messages, answers of hundreds of kilobytes: only what is in view is there to be laid out, and only what is new is made.</summary>
[Collection(WebCollection.Name)]
public sealed class LargeConversationTests(WebWorld world)
{
    private const int Messages = 2000;
    private const int MostShown = 60;
    private const int Paragraphs = 700;
    /// <summary>Work instead of time, which a slow machine has more of: rows that were made and the most that were there at once, changes of the log, paragraphs that were made.</summary>
    private const string Count = """
        () => {
          [window.made, window.most, window.changed, window.paragraphs] = [0, 0, 0, 0];
          const log = document.querySelector('[role=log]');
          new MutationObserver(records => {
            window.changed += records.length;
            window.most = Math.max(window.most, log.querySelectorAll('article').length);
            for (const node of records.flatMap(r => [...r.addedNodes])) {
              if (node.nodeType !== Node.ELEMENT_NODE) continue;
              window.made += node.querySelectorAll('article').length;
              window.paragraphs += node.querySelectorAll('p').length + (node.tagName === 'P' ? 1 : 0);
            }
          }).observe(log, { subtree: true, childList: true });
        }
        """;

    /// <summary>Waits until what came before has been shown, and counts its changes no more.</summary>
    private const string Settled = """
        async () => {
          do {
            window.changed = 0;
            for (let i = 0; i < 20; i++) await new Promise(requestAnimationFrame);
          } while (window.changed > 0);
        }
        """;

    private static readonly string Padding = string.Join(' ', Enumerable.Repeat("word", 40));

    [WebFact]
    public async Task Of_two_thousand_messages_those_in_view_are_laid_out_and_all_can_be_reached()
    {
        var (id, name) = await world.NewPersonAsync();
        var (conversation, first) = await FillAsync(id);
        var page = await world.SignedInAsync(name);
        await page.GotoAsync($"/c/{conversation}");
        await Expect(page.GetByText("Message 2000.", new() { Exact = true })).ToBeInViewportAsync();
        var log = page.GetByRole(AriaRole.Log);
        await page.EvaluateAsync(Count);
        Assert.InRange(await log.GetByRole(AriaRole.Article).CountAsync(), 1, MostShown);
        await log.FocusAsync();
        await page.Keyboard.PressAsync("Home");
        await Expect(page.GetByText("Message 1.", new() { Exact = true })).ToBeInViewportAsync();
        Assert.InRange(await log.GetByRole(AriaRole.Article).CountAsync(), 1, MostShown);
        await log.EvaluateAsync("e => e.scrollTo(0, e.scrollHeight / 2)");
        await page.UntilAsync("() => [...document.querySelectorAll('[role=log] article')].some(a => Math.abs(parseInt(a.innerText.match(/Message (\\d+)/)?.[1]) - 1000) < 300)");
        Assert.InRange(await log.GetByRole(AriaRole.Article).CountAsync(), 1, MostShown);

        // From one end to the other, one view after the other: no row is made that is not passed, and never are there many.
        await page.EvaluateAsync("() => window.made = 0");
        var steps = 0;
        await log.EvaluateAsync("e => e.scrollTo(0, e.scrollHeight)");
        while (await log.EvaluateAsync<bool>("async e => { e.scrollBy(0, -e.clientHeight); await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame); return e.scrollTop > 0; }"))
        {
            steps++;
        }

        await Expect(page.GetByText("Message 1.", new() { Exact = true })).ToBeInViewportAsync();
        Assert.InRange(await page.EvaluateAsync<int>("() => window.most"), 1, MostShown);
        Assert.InRange(await page.EvaluateAsync<int>("() => window.made"), steps, 2 * Messages);
        await log.EvaluateAsync("e => e.scrollTo(0, e.scrollHeight)");
        await Expect(page.GetByText("Message 2000.", new() { Exact = true })).ToBeInViewportAsync();

        // Whoever types has nothing made anew for it.
        await page.Composer().FocusAsync();
        await page.EvaluateAsync(Settled);
        await page.Keyboard.TypeAsync("typed while two thousand messages are there");
        Assert.Equal(0, await page.EvaluateAsync<int>("() => window.changed"));

        // What was read is not read again: only the page that the new messages are on, however often the page looks.
        var asked = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        page.Request += (_, request) => asked[new Uri(request.Url).PathAndQuery] = true;
        world.Say("""default: { text: "The answer." }""");
        await page.SendAsync("One more");
        await Expect(page.Stored()).ToContainTextAsync("The answer.");
        Assert.Contains($"/api/v1/conversations/{conversation}/messages/pages?limit=200", asked.Keys);
        Assert.Single(asked.Keys, at => at.StartsWith($"/api/v1/conversations/{conversation}/messages?", StringComparison.Ordinal));
        await page.Context.CloseAsync();

        // An address that names a message leads to it also where what shows messages comes after them.
        var late = await world.SignedInAsync(name);
        var (read, go) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await late.RouteAsync("**/assets/Turns-*.js", async route =>
        {
            await go.Task;
            await route.ContinueAsync();
        });
        late.Response += (_, response) => read += response.Url.Contains($"/conversations/{conversation}/messages?", StringComparison.Ordinal) ? 1 : 0;
        await late.GotoAsync($"/c/{conversation}#m-{first}");
        await Wait.UntilAsync(() => read > Messages / 200);
        go.SetResult();
        await Expect(late.GetByText("Message 1.", new() { Exact = true })).ToBeInViewportAsync();
        await late.Context.CloseAsync();
    }

    [WebFact]
    public async Task An_answer_of_two_hundred_kilobytes_is_made_block_by_block_and_once()
    {
        var text = string.Join("\n\n", Enumerable.Range(1, Paragraphs).Select(static i => string.Create(CultureInfo.InvariantCulture, $"**Paragraph {i}** of an answer that goes on and on, with `code` and words, to a length that nobody reads in one go. {Padding}")));
        Assert.True(text.Length > 200_000, $"{text.Length}");
        world.Say($$"""default: { text: {{System.Text.Json.JsonSerializer.Serialize(text)}} }""");
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = LlmSimulator.HoldPoint.Middle });
        var page = await world.NewChatAsync();
        await page.SendAsync("Write and write");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Expect(page.Answers().Last).ToContainTextAsync("Paragraph 348"); // nearly all that comes before the middle

        // A block that was finished is not made again by what follows it.
        await page.EvaluateAsync("() => { const p = document.querySelector('[role=log] article[data-run] p'); p.dataset.first = 'same'; window.kept = p; window.here = () => p.isConnected && document.querySelector('[role=log] article[data-run] p') === p; }");
        await page.EvaluateAsync(Count);
        await page.EvaluateAsync(Settled);
        await page.Composer().FillAsync("one can go on typing");
        Assert.True(await page.EvaluateAsync<bool>("() => window.here()"));
        Assert.Equal(0, await page.EvaluateAsync<int>("() => window.changed"));
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("Paragraph 700");
        await Expect(page.Stored()).ToContainTextAsync("Paragraph 1 of");
        await Expect(page.Composer()).ToHaveValueAsync("one can go on typing");

        // What came after the hold, block by block, and the stored answer in place of the written one: made anew for each piece, it would be hundreds of times that.
        Assert.InRange(await page.EvaluateAsync<int>("() => window.paragraphs"), 1, 4 * Paragraphs);
        Assert.Equal(text, Assert.Single(await page.StoredAnswersAsync()));
        await Expect(page.Stored().Locator("strong")).ToHaveCountAsync(Paragraphs);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task On_paper_a_conversation_is_whole()
    {
        const int few = 100;
        var (id, name) = await world.NewPersonAsync();
        var (conversation, _) = await FillAsync(id, few);
        var page = await world.SignedInAsync(name);
        await page.GotoAsync($"/c/{conversation}");
        await Expect(page.GetByText("Message 100.", new() { Exact = true })).ToBeInViewportAsync();
        var log = page.GetByRole(AriaRole.Log);
        var top = await log.EvaluateAsync<double>("e => e.scrollTop");
        var pages = Regex.Count(Encoding.Latin1.GetString(await page.PdfAsync(new() { Format = "A4" })), @"/Type\s*/Page\b", RegexOptions.None, TimeSpan.FromSeconds(10));
        Assert.InRange(pages, few / 25, few / 3); // of what a screen shows there had been one
        Assert.InRange(await log.GetByRole(AriaRole.Article).CountAsync(), 1, MostShown);
        Assert.Equal(top, await log.EvaluateAsync<double>("e => e.scrollTop"));
        await page.Context.CloseAsync();
    }

    /// <summary>As they lie in the database after a thousand questions and answers.</summary>
    private async Task<(string Conversation, string First)> FillAsync(string owner, int messages = Messages)
    {
        var conversation = Guid.CreateVersion7().ToString();
        var ids = Enumerable.Range(0, messages).Select(static _ => Guid.CreateVersion7().ToString()).ToList();
        await world.App.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await session.Prepared("insert into conversations (id, owner_id, title, current_leaf, created_at, updated_at) values (@id, @owner, 'Long', @leaf, @now, @now)")
                    .Set("id", conversation).Set("owner", owner).Set("leaf", ids[^1]).Set("now", session.Now).RunAsync();
                for (var i = 0; i < messages; i++)
                {
                    await session.Prepared("""
                        insert into messages (id, conversation_id, owner_id, parent_id, branch_id, depth, role, content, agent, status, created_at)
                        values (@id, @conversation, @owner, @parent, @conversation, @depth, @role, @content, @agent, 'complete', @at)
                        """)
                        .Set("id", ids[i]).Set("conversation", conversation).Set("owner", owner).Set("parent", i == 0 ? null : ids[i - 1]).Set("depth", (long)i + 1)
                        .Set("role", i % 2 == 0 ? "user" : "assistant").Set("content", string.Create(CultureInfo.InvariantCulture, $"Message {i + 1}.")).Set("agent", i % 2 == 0 ? null : "communicator")
                        .Set("at", UnixTime.ToMicros(session.Now) - messages + i).RunAsync();
                }
            },
            CancellationToken.None);
        return (conversation, ids[0]);
    }
}
