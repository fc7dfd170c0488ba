using System.Net;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>A journey without a mouse.</summary>
[Collection(WebCollection.Name)]
public sealed class KeyboardTests(WebWorld world)
{
    [WebFact]
    public async Task Everything_from_sign_in_to_a_branch_is_done_with_keys_alone()
    {
        world.Say("""default: { text: "Answer to {{last_user}}" }""");
        var (_, name) = await world.NewPersonAsync();
        var page = await world.VisitAsync();
        await page.GotoAsync("/");
        await Expect(page.GetByLabel("Name")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync(name);
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync(WebWorld.Password);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Navigation, new() { Name = "Main" })).ToBeVisibleAsync();

        // To the message from anywhere, and off it goes. A new page has put the focus there itself; in the box a slash would be a slash.
        await Expect(page.Composer()).ToBeVisibleAsync();
        await page.EvaluateAsync("() => document.activeElement.blur()");
        await page.Keyboard.PressAsync("/");
        await Expect(page.Composer()).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("apples");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Stored()).ToContainTextAsync("Answer to apples");
        await Expect(page.Composer()).ToBeFocusedAsync();

        // Back to the question, to edit it.
        await TabToAsync(page, "Edit the message", back: true);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByLabel("Edit the message")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Control+a");
        await page.Keyboard.TypeAsync("pears");
        await TabToAsync(page, "Send");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Stored()).ToContainTextAsync("Answer to pears");
        await Expect(page.Composer()).ToBeFocusedAsync();
        await TabToAsync(page, "Older version", back: true);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Stored()).ToContainTextAsync("Answer to apples");

        // A dialog takes the focus and gives it back.
        await TabToAsync(page, "Answer again");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        Assert.True(await page.EvaluateAsync<bool>("() => document.activeElement.closest('[role=dialog]') !== null"));
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Answer again" })).ToBeFocusedAsync();

        // The palette leads to every page, whose title then has the focus.
        foreach (var (typed, address) in ((string, string)[])[("runs", "/runs"), ("approv", "/approvals"), ("profile", "/profile")])
        {
            await page.Keyboard.PressAsync("Control+k");
            await Expect(page.GetByRole(AriaRole.Combobox)).ToBeFocusedAsync();
            await page.Keyboard.TypeAsync(typed);
            await page.Keyboard.PressAsync("Enter");
            await page.WaitForURLAsync("**" + address);
            await Expect(page.Locator("[data-page-title]")).ToBeFocusedAsync();
        }

        // And to a conversation, by a word of its title.
        await page.Keyboard.PressAsync("Control+k");
        await Expect(page.GetByRole(AriaRole.Combobox)).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("apples");
        await Expect(page.GetByRole(AriaRole.Option)).ToHaveTextAsync(["Conversation: apples"]);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Stored()).ToBeVisibleAsync();
        await page.GotoAsync("/profile");

        // What says these letters and signs on a Russian keyboard.
        await Expect(page.Locator("[data-page-title]")).ToBeVisibleAsync();
        await PressRussianAsync(page, "л", "KeyK", chord: true);
        await Expect(page.GetByRole(AriaRole.Combobox)).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Escape");
        await PressRussianAsync(page, "щ", "KeyO", chord: true, shift: true);
        await page.WaitForURLAsync(static url => url.EndsWith('/'));
        await Expect(page.Composer()).ToBeFocusedAsync();
        await page.EvaluateAsync("() => document.activeElement.blur()");
        await PressRussianAsync(page, ".", "Slash");
        await Expect(page.Composer()).ToBeFocusedAsync();
        await page.GotoAsync("/profile");

        // Past the navigation in one step.
        await page.ReloadAsync();
        await Expect(page.Locator("[data-page-title]")).ToBeVisibleAsync();
        await TabToAsync(page, "Skip to the content");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("main")).ToBeFocusedAsync();

        await page.Keyboard.PressAsync("Control+k");
        await Expect(page.GetByRole(AriaRole.Combobox)).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("sign out");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByLabel("Password", new() { Exact = true })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_decides_with_keys_goes_on_from_where_the_card_was()
    {
        world.Say("""
            rules:
              - match: { last_role: tool, tool_result: "refused this call" }
                answer: { text: "Then I leave it." }
              - match: { last_user: "Post it", last_role: user }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            default: { text: "It is posted." }
            """);
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/");
        await page.Button("Who answers").ClickAsync();
        await page.GetByLabel("Agent", new() { Exact = true }).SelectOptionAsync("multi_tool");
        await page.SendAsync("Post it");
        var card = page.GetByRole(AriaRole.Group, new() { Name = "May http_request run?" });
        await Expect(card).ToBeVisibleAsync();
        await TabToAsync(page, "Approve", back: true);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Stored()).ToContainTextAsync("It is posted.");
        await Expect(page.GetByRole(AriaRole.Log)).ToBeFocusedAsync();

        // In the inbox it goes from card to card, and at last to the page's title.
        using var person = await world.App.LogInAsync(name, WebWorld.Password);
        for (var i = 0; i < 2; i++)
        {
            await person.PostAsync("/api/v1/chat", new { message = "Post it", agent = "multi_tool" }, HttpStatusCode.Accepted);
        }

        await page.GetByRole(AriaRole.Link, new() { Name = "Approvals" }).ClickAsync();
        await Expect(card).ToHaveCountAsync(2);
        await card.First.GetByRole(AriaRole.Button, new() { Name = "Deny" }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(card).ToHaveCountAsync(1);
        await Expect(card).ToBeFocusedAsync();
        await TabToAsync(page, "Deny");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByText("Nothing waits for you")).ToBeVisibleAsync();
        await Expect(page.Locator("[data-page-title]")).ToBeFocusedAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_shadow_that_is_always_there_shows_no_focus()
    {
        var page = await world.VisitAsync();
        await page.SetContentAsync("<style>button { outline: none } .raised { box-shadow: 0 2px 4px black } .ringed:focus-visible { box-shadow: 0 0 0 3px blue } .lined:focus-visible { outline: 2px solid }</style><button class=\"raised ringed\">Ringed</button><button class=lined>Lined</button><button class=raised>Raised</button>");
        await TabToAsync(page, "Ringed");
        await TabToAsync(page, "Lined");
        var refused = await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => TabToAsync(page, "Raised"));
        Assert.Contains("does not show that it has the focus", refused.Message, StringComparison.Ordinal);
        await page.Context.CloseAsync();
    }

    /// <summary>How everything that does not have the focus looks; what has it then has to look otherwise, by its outline or its shadow.</summary>
    private const string LooksAtRest = """
        () => {
          const looks = e => {
            const style = getComputedStyle(e);
            const outline = style.outlineStyle === 'none' || style.outlineWidth === '0px' ? '' : `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}`;
            return { outline, shadow: style.boxShadow === 'none' ? '' : style.boxShadow };
          };
          const rest = new Map([...document.querySelectorAll('*')].filter(e => e !== document.activeElement && e.tabIndex >= 0).map(e => [e, looks(e)]));
          window.isRinged = e => {
            const [before, now] = [rest.get(e), looks(e)];
            return before === undefined ? 'new' : ['outline', 'shadow'].some(of => now[of] !== '' && now[of] !== before[of]);
          };
        }
        """;

    /// <summary>What a browser reports of a key while a Russian layout is on; Playwright's own keyboard is an American one.</summary>
    private static Task<JsonElement?> PressRussianAsync(IPage page, string key, string code, bool chord = false, bool shift = false) =>
        page.EvaluateAsync(
            "([key, code, ctrlKey, shiftKey]) => { document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, code, ctrlKey, shiftKey, bubbles: true, cancelable: true })); }",
            new object[] { key, code, chord, shift });

    /// <summary>Tab by tab, so that what cannot be reached, or does not show its focus, is found.</summary>
    private static async Task TabToAsync(IPage page, string name, bool back = false)
    {
        for (var i = 0; i < 80; i++)
        {
            await page.EvaluateAsync(LooksAtRest);
            await page.Keyboard.PressAsync(back ? "Shift+Tab" : "Tab");
            if (await page.EvaluateAsync<bool>("() => window.isRinged(document.activeElement) === 'new'"))
            {
                // Made anew between the look and the key: it is looked at now.
                await page.EvaluateAsync("() => { window.at = document.activeElement; window.at.blur(); }");
                await page.EvaluateAsync(LooksAtRest);
                await page.EvaluateAsync("() => window.at.focus({ focusVisible: true })");
            }

            var at = await page.EvaluateAsync<string[]>("() => { const e = document.activeElement; return [e.getAttribute('aria-label') || e.textContent.trim(), String(window.isRinged(e))]; }");
            if (at[0] == name)
            {
                Assert.True(at[1] == "true", $"'{name}' does not show that it has the focus");
                return;
            }
        }

        Assert.Fail($"'{name}' cannot be reached with Tab");
    }
}
