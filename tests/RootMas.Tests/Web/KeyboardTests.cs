using System.Text.RegularExpressions;
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
        await page.WaitForURLAsync(new Regex("/$"));
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
        await page.Keyboard.TypeAsync("sign out");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByLabel("Password", new() { Exact = true })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    /// <summary>What a browser reports of a key while a Russian layout is on; Playwright's own keyboard is an American one.</summary>
    private static Task PressRussianAsync(IPage page, string key, string code, bool chord = false, bool shift = false) =>
        page.EvaluateAsync(
            "([key, code, ctrlKey, shiftKey]) => { document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, code, ctrlKey, shiftKey, bubbles: true, cancelable: true })); }",
            new object[] { key, code, chord, shift });

    /// <summary>Tab by tab, so that what cannot be reached, or does not show its focus, is found.</summary>
    private static async Task TabToAsync(IPage page, string name, bool back = false)
    {
        for (var i = 0; i < 80; i++)
        {
            await page.Keyboard.PressAsync(back ? "Shift+Tab" : "Tab");
            var at = await page.EvaluateAsync<string[]>(
                "() => { const e = document.activeElement, s = getComputedStyle(e); return [e.getAttribute('aria-label') || e.textContent.trim(), String(s.outlineStyle !== 'none' || s.boxShadow !== 'none')]; }");
            if (at[0] == name)
            {
                Assert.True(at[1] == "true", $"'{name}' does not show that it has the focus");
                return;
            }
        }

        Assert.Fail($"'{name}' cannot be reached with Tab");
    }
}
