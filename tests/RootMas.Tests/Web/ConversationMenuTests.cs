using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What the menu of a conversation does, with the mouse: seen, and still so after a reload.</summary>
[Collection(WebCollection.Name)]
public sealed class ConversationMenuTests(WebWorld world)
{
    private const string Apples = "apples";

    [WebFact]
    public async Task A_conversation_is_pinned_and_archived_by_its_menu_and_back()
    {
        var page = await TwoConversationsAsync();
        var pinned = page.GetByRole(AriaRole.Region, new() { Name = "Pinned" });
        await ChangeAsync(page, "Pin");
        await Expect(Link(pinned)).ToBeVisibleAsync();
        await page.ReloadAsync();
        await Expect(Link(pinned)).ToBeVisibleAsync();
        await Expect(pinned.GetByRole(AriaRole.Link)).ToHaveCountAsync(1);
        await ChangeAsync(page, "Unpin");
        await Expect(pinned).ToHaveCountAsync(0);
        await Expect(Link(page)).ToBeVisibleAsync();

        await ChangeAsync(page, "Archive");
        await Expect(Link(page)).ToHaveCountAsync(0);
        await page.ReloadAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "pears", Exact = true })).ToBeVisibleAsync();
        await Expect(Link(page)).ToHaveCountAsync(0);
        await page.Button("Show the archive").ClickAsync();
        await Expect(Link(page)).ToBeVisibleAsync();
        await ChangeAsync(page, "Take out of the archive");
        await Expect(page.GetByText("Nothing is archived.")).ToBeVisibleAsync();
        await page.Button("Show the conversations in use").ClickAsync();
        await Expect(Link(page)).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_deleted_conversation_is_back_by_Undo_and_gone_for_good_without_it()
    {
        var page = await TwoConversationsAsync();
        var address = await Link(page).GetAttributeAsync("href");
        // The offer stands for some seconds, which may be over before a slow machine has found it: the page itself takes it.
        await page.EvaluateAsync("""
            address => {
              new MutationObserver((_, observer) => {
                const undo = [...document.querySelectorAll('button')].find(b => b.textContent === 'Undo');
                if (!undo || document.querySelector(`a[href="${address}"]`)) return;
                observer.disconnect();
                window.wasGone = true;
                undo.click();
              }).observe(document.body, { subtree: true, childList: true });
            }
            """, address);
        await ChooseAsync(page, "Delete");
        await page.UntilAsync("() => window.wasGone");
        await Expect(Link(page)).ToBeVisibleAsync();
        await page.ReloadAsync();
        await Link(page).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to apples");

        await ChooseAsync(page, "Delete");
        await Expect(Link(page)).ToHaveCountAsync(0);
        await page.UntilAsync("async address => (await fetch(address.replace('/c/', '/api/v1/conversations/'))).status === 404", address);
        await page.ReloadAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "pears", Exact = true })).ToBeVisibleAsync();
        await Expect(Link(page)).ToHaveCountAsync(0);
        await page.Context.CloseAsync();
    }

    private async Task<IPage> TwoConversationsAsync()
    {
        world.Say("""default: { text: "Answer to {{last_user}}" }""");
        var page = await world.NewChatAsync();
        foreach (var text in (string[])[Apples, "pears"])
        {
            await page.GotoAsync("/");
            await page.AskAsync(text, $"Answer to {text}");
        }

        return page;
    }

    private static ILocator Link(IPage page) => page.GetByRole(AriaRole.Link, new() { Name = Apples, Exact = true });

    private static ILocator Link(ILocator part) => part.GetByRole(AriaRole.Link, new() { Name = Apples, Exact = true });

    /// <summary>The page shows it before the server has it, which would not hear of it from a page that is left meanwhile.</summary>
    private static Task<IResponse> ChangeAsync(IPage page, string what) => page.RunAndWaitForResponseAsync(() => ChooseAsync(page, what), static response => response.Request.Method == "PATCH" && response.Ok);

    private static async Task ChooseAsync(IPage page, string what)
    {
        await page.Button($"What to do with {Apples}").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = what, Exact = true }).ClickAsync();
    }
}
