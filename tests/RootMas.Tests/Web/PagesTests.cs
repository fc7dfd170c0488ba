using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Every page in both languages and both themes, wide and narrow: no violation that axe can find, nothing that scrolls sideways, nothing that the browser complains of. Its pictures are kept.</summary>
[Collection(WebCollection.Name)]
public sealed class PagesTests(WebWorld world)
{
    /// <summary>Every address of the app; RUN, CONVERSATION stand for some that are there.</summary>
    public static TheoryData<string, string> Addresses => new()
    {
        { "chat", "/" }, { "conversation", "/c/CONVERSATION" }, { "runs", "/runs" }, { "run", "/runs/RUN" }, { "team", "/team" }, { "agent", "/team/agents/communicator" },
        { "approvals", "/approvals" }, { "dashboard", "/dashboard" }, { "admin", "/admin" }, { "admin-users", "/admin/users" }, { "profile", "/profile" }, { "not-found", "/c/none" },
    };

    [WebTheory]
    [MemberData(nameof(Addresses))]
    public async Task Page_is_for_everybody(string name, string address)
    {
        world.Sim.Use(Rich);
        var (_, admin) = await world.NewPersonAsync("admin");
        foreach (var (language, width) in ((string, int)[])[("en-US", 1280), ("ru-RU", 390)])
        {
            var page = await world.SignedInAsync(admin, new Visit { Language = language, Width = width });
            List<string> complaints = [];
            page.PageError += (_, error) => complaints.Add(error);
            page.Console += (_, message) => complaints.AddRange(message.Type == "error" && !message.Text.Contains("404", StringComparison.Ordinal) ? [message.Text] : Array.Empty<string>());
            await OpenAsync(page, address);
            foreach (var theme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
            {
                await page.EmulateMediaAsync(new() { ColorScheme = theme });
                await page.UntilAsync("theme => document.documentElement.dataset.theme === theme", theme == ColorScheme.Dark ? "dark" : "light");
                var picture = $"{name}-{language[..2]}-{(theme == ColorScheme.Dark ? "dark" : "light")}-{width}";
                await page.ScreenshotAsync(new() { Path = Path.Combine(WebWorld.Pictures, picture + ".png") });
                await AssertNoViolationsAsync(page, picture);
            }

            Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"), $"{name} scrolls sideways at {width} px");
            Assert.Equal(language[..2], await page.EvaluateAsync<string>("() => document.documentElement.lang"));
            Assert.Empty(complaints);
            await page.Context.CloseAsync();
        }
    }

    [WebFact]
    public async Task Sign_in_is_for_everybody()
    {
        foreach (var (language, width) in ((string, int)[])[("en-US", 1280), ("ru-RU", 390)])
        {
            var page = await world.VisitAsync(new Visit { Language = language, Width = width, Theme = width == 390 ? ColorScheme.Dark : ColorScheme.Light });
            await page.GotoAsync("/");
            await Expect(page.Locator("input[name=username]")).ToBeVisibleAsync();
            await page.ScreenshotAsync(new() { Path = Path.Combine(WebWorld.Pictures, $"sign-in-{language[..2]}-{width}.png") });
            await AssertNoViolationsAsync(page, "sign-in");
            await page.Context.CloseAsync();
        }
    }

    [WebFact]
    public async Task What_opens_over_a_page_is_for_everybody_too()
    {
        world.Sim.Use(Rich);
        var page = await world.NewChatAsync();
        await page.AskAsync("Show me everything", "The end of everything.");
        await page.Keyboard.PressAsync("Control+k");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await AssertNoViolationsAsync(page, "palette", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Button("Answer again").ClickAsync();
        await AssertNoViolationsAsync(page, "again", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Button("Bad answer").ClickAsync();
        await AssertNoViolationsAsync(page, "feedback", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Button("Who answers").ClickAsync();
        await page.Button("Edit the message").ClickAsync();
        await AssertNoViolationsAsync(page, "options and edit", isOver: true);
        await page.GetByRole(AriaRole.Button, new() { Name = "What to do with" }).First.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Menu)).ToBeVisibleAsync();
        await AssertNoViolationsAsync(page, "menu", isOver: true);
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Rename" }).ClickAsync();
        await AssertNoViolationsAsync(page, "rename", isOver: true);
        await page.Context.CloseAsync();
    }

    private async Task OpenAsync(IPage page, string address)
    {
        if (address.Contains("CONVERSATION", StringComparison.Ordinal) || address.Contains("RUN", StringComparison.Ordinal))
        {
            await page.GotoAsync("/");
            await page.AskAsync("Show me everything", "The end of everything.");
            var run = (await page.ApiAsync("/api/v1/runs?limit=1")).GetProperty("items")[0].GetProperty("id").GetString()!;
            address = address.Replace("CONVERSATION", page.ConversationId(), StringComparison.Ordinal).Replace("RUN", run, StringComparison.Ordinal);
        }

        await page.GotoAsync(address);
        await Expect(page.Locator("main h1, main [role=log], main [role=alert]").First).ToBeVisibleAsync();
        await page.UntilAsync("() => !document.querySelector('main [class*=loading], main [aria-busy=true]')");
        await page.EvaluateAsync("() => document.fonts.ready.then(() => true)");
    }

    private static async Task AssertNoViolationsAsync(IPage page, string where, bool isOver = false)
    {
        var result = await page.RunAxe(new AxeRunOptions { RunOnly = new RunOnlyOptions { Type = "tag", Values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } });
        var found = result.Violations.Where(v => !isOver || v.Id != "region").ToList(); // a hint or a menu stands outside of every landmark
        Assert.True(found.Count == 0, where + "\n" + string.Join('\n', found.Select(static v => $"{v.Id}: {v.Help}\n" + string.Join('\n', v.Nodes.Take(5).Select(static n => "  " + n.Html + "\n    " + string.Join("; ", n.Any.Concat(n.All).Concat(n.None).Select(static c => c.Message)))))));
    }

    /// <summary>Everything that an answer may be made of.</summary>
    private static readonly string Rich = $$"""
        default: { text: {{System.Text.Json.JsonSerializer.Serialize("""
            ## A heading

            Text with **bold**, *italic*, ~~struck~~, `code` and [a link](https://example.org/path).

            | Name | Value |
            |------|------:|
            | one | 1 |

            - [x] done
            - a list

            > A quotation.

            ```js
            // a comment
            const answer = "forty-two" + 42; function f(x) { return null; }
            ```

            $$ E = mc^2 $$

            The end of everything.
            """)}} }
        """;
}
