using System.Net;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Whatever people and tools call things, on the smallest telephone: nothing of it runs, nothing pushes the page wider, and nothing turns the words beside it around.</summary>
[Collection(WebCollection.Name)]
public sealed class HostileNamesTests(WebWorld world)
{
    private const string Evil = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>\u202Egpj.";

    /// <summary>As long as names may be.</summary>
    private static readonly string Name = Evil.PadRight(100, 'x');

    private static readonly string Endless = Evil + new string('y', 5_000);

    [WebFact]
    public async Task Names_titles_arguments_and_results_neither_run_nor_push_the_page_wider_nor_turn_what_stands_beside_them()
    {
        world.Say(JsonSerializer.Serialize(new
        {
            rules = new object[]
            {
                new { match = new { last_role = "tool" }, answer = new { text = Endless } },
                new { match = new { agent = "multi_tool", last_role = "user" }, answer = new { tool_calls = new[] { new { name = "http_request", arguments = new { method = "GET", url = "{{base_url}}/_tool/note?q=" + Endless[..1_500] } } } } },
            },
            @default = new { text = "Nothing to do." },
        }));
        var (_, name) = await world.NewPersonAsync();
        using var person = await world.App.LogInAsync(name, WebWorld.Password);
        var said = await person.PostAsync("/api/v1/chat", new { message = Endless, agent = "multi_tool" });
        var (conversation, run) = (said.GetProperty("conversation_id").GetString()!, said.GetProperty("run_id").GetString()!);
        var document = (await person.UploadAsync(Evil + new string('z', 60) + ".txt", Endless)).Id();
        await person.PostAsync("/api/v1/collections", new { name = Name, description = Name }, HttpStatusCode.Created);
        await person.PostAsync("/api/v1/api-keys", new { name = Name, scopes = new[] { "chat:read" } }, HttpStatusCode.Created);
        await person.PostAsync("/api/v1/memory", new { text = Endless[..1_000] }, HttpStatusCode.Created);

        var page = await world.SignedInAsync(name, new Visit { Width = 360 });
        List<string> bad = [];
        foreach (var (path, shown) in ((string, string)[])[
            ("/", Evil[..20]), ($"/c/{conversation}", Endless[..200]), ("/runs", Evil[..20]), ($"/runs/{run}", Evil[..20]), ($"/runs/{run}?tab=events", Evil[..20]), ("/documents", Evil[..20]), ($"/documents/{document}", new string('y', 200)),
            ("/profile", Evil[..20]), ("/profile/memory", Endless[..200])])
        {
            await page.GotoAsync(path);
            await Expect(page.Locator("main h1, main [role=log]").First).ToBeAttachedAsync();
            await page.UntilAsync("() => !document.querySelector('main [class*=loading], main [aria-busy=true]:not(article)')");
            if (!await page.EvaluateAsync<bool>("shown => document.body.textContent.includes(shown)", shown))
            {
                bad.Add($"{path} does not show {shown[..20]}");
            }

            if (path == $"/c/{conversation}")
            {
                await page.Stored().GetByRole(AriaRole.Button, new() { Name = "Steps", Exact = true }).ClickAsync();
                await page.Stored().Locator("button[aria-expanded=false]").First.ClickAsync();
                await page.GetByRole(AriaRole.Button).Filter(new() { HasText = "http_request" }).First.ClickAsync();
                await Expect(page.GetByText("\"method\"").First).ToBeVisibleAsync();
            }

            bad.AddRange((await HarmAsync(page)).Select(what => $"{path} {what}"));
        }

        await page.Context.CloseAsync();
        Assert.True(bad.Count == 0, string.Join('\n', bad));
    }

    private static Task<string[]> HarmAsync(IPage page) => page.EvaluateAsync<string[]>(
            """
            () => {
              const bad = [];
              if (window.pwned !== undefined) bad.push('it ran');
              if (document.documentElement.scrollWidth > innerWidth) bad.push(`the page is ${document.documentElement.scrollWidth} wide`);
              const what = e => `${e.tagName} ${e.className} ${Math.round(e.getBoundingClientRect().width)}: ${e.textContent.slice(0, 60)}`;
              for (const e of document.querySelectorAll('img, script')) if (e.getAttribute('src') === 'x' || e.textContent.includes('pwned')) bad.push('made: ' + e.outerHTML);
              for (const e of document.querySelectorAll('main button, main input, main textarea, main [role=group], main li, main p, main h1, main h2')) {
                const { left, right, width } = e.getBoundingClientRect();
                if (width > 0 && left < innerWidth && right > innerWidth + 1 && !e.closest('pre, figure, table, [role=treegrid], [role=tablist], [role=menu]')) bad.push('cut off: ' + what(e));
              }
              for (const e of document.querySelectorAll('main table')) if (e.getBoundingClientRect().width > 3 * innerWidth) bad.push('a table without an end: ' + what(e));
              const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walk.nextNode()) {
                const text = walk.currentNode;
                if (!text.data.includes('\u202e') || text.parentElement.closest('article p, pre')) continue; // words of one mouth
                let at = text.parentElement;
                while (getComputedStyle(at).display === 'inline' && !/isolate|plaintext/.test(getComputedStyle(at).unicodeBidi)) at = at.parentElement;
                if (at.textContent.trim() !== text.data.trim()) bad.push('turns what is beside it: ' + what(at) + ' || ' + text.data.slice(0, 30));
              }
              return [...new Set(bad)];
            }
            """);
}
