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

    [WebFact]
    public async Task Long_names_of_agents_tools_and_people_push_neither_their_pages_nor_the_dialogs_over_them_wider()
    {
        var agent = new string('l', 60);
        var (_, administrator) = await world.NewPersonAsync("admin");
        var (_, person) = await world.NewPersonAsync(name: new string('u', 64));
        await world.App.PostJsonAsync(
            "/api/v1/agents",
            new
            {
                name = agent,
                role = new string('R', 100),
                description = new string('d', 300),
                instructions = new string('i', 2_000),
                tier = "standard",
                tools = new[] { new string('t', 60) },
                capabilities = new[] { new string('c', 60) },
            },
            HttpStatusCode.Created);
        var page = await world.SignedInAsync(administrator, new Visit { Width = 360 });
        List<string> bad = [];
        async Task LookAsync(string what) => bad.AddRange((await HarmAsync(page)).Select(harm => $"{what} {harm}"));

        await page.GotoAsync($"/team/agents/{agent}");
        await Expect(page.Button("Edit")).ToBeVisibleAsync();
        await LookAsync("the agent");
        await page.Button("Edit").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog).GetByLabel("Description")).ToBeVisibleAsync();
        await LookAsync("the agent's form");
        await page.GotoAsync($"/team/agents/{agent[..50]}_gone");
        await Expect(page.GetByText("When you ask for help, quote")).ToBeVisibleAsync();
        await LookAsync("no such agent");
        foreach (var (entry, shown) in ((string, string)[])[("Edit", "Unfinished runs at once"), ("Set the password", "New password")])
        {
            await page.GotoAsync("/admin/users");
            await page.GetByLabel("Exact name").FillAsync(person);
            await page.Button("Search").ClickAsync();
            await page.Button($"Actions for {person}").ClickAsync();
            await page.GetByRole(AriaRole.Menuitem, new() { Name = entry }).ClickAsync();
            await Expect(page.GetByRole(AriaRole.Dialog).GetByLabel(shown)).ToBeVisibleAsync();
            await LookAsync($"{entry}, of a person");
        }

        await page.Context.CloseAsync();
        using var removed = await world.App.SendAsync(HttpMethod.Delete, $"/api/v1/agents/{agent}", null, ("If-Match", "*"));
        Assert.True(bad.Count == 0, string.Join('\n', bad));
        Assert.True(removed.IsSuccessStatusCode, removed.ToString());
    }

    private static Task<string[]> HarmAsync(IPage page) => page.EvaluateAsync<string[]>(
            """
            () => {
              const bad = [];
              if (window.pwned !== undefined) bad.push('it ran');
              if (document.documentElement.scrollWidth > innerWidth) bad.push(`the page is ${document.documentElement.scrollWidth} wide`);
              for (const e of document.querySelectorAll('[role=dialog]')) if (e.scrollWidth > e.clientWidth) bad.push(`a dialog of ${e.clientWidth} is ${e.scrollWidth} wide`);
              const what = e => `${e.tagName} ${e.className} ${Math.round(e.getBoundingClientRect().width)}: ${e.textContent.slice(0, 60)}`;
              for (const e of document.querySelectorAll('img, script')) if (e.getAttribute('src') === 'x' || e.textContent.includes('pwned')) bad.push('made: ' + e.outerHTML);
              for (const e of document.querySelectorAll('main button, main input, main textarea, main [role=group], main li, main p, main h1, main h2')) {
                const { left, right, width } = e.getBoundingClientRect();
                if (width > 0 && left < innerWidth && right > innerWidth + 1 && !e.closest('pre, figure, table, [role=treegrid], [role=tablist], [role=menu], nav')) bad.push('cut off: ' + what(e));
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
