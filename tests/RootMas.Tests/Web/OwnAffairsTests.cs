using System.Collections.Concurrent;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What belongs to whoever sits there: where they are signed in, what they have typed, which keys mean something.</summary>
[Collection(WebCollection.Name)]
public sealed class OwnAffairsTests(WebWorld world)
{
    [WebFact]
    public async Task A_long_form_is_kept_under_the_sign_in_when_the_session_ends_and_is_saved_after_it()
    {
        var name = (await world.NewPersonAsync("admin")).Name;
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/team");
        await page.Button("New agent").ClickAsync();
        var form = page.GetByRole(AriaRole.Dialog, new() { Name = "New agent" });
        await form.GetByLabel("Name", new() { Exact = true }).FillAsync("late_writer");
        await form.GetByLabel("Role", new() { Exact = true }).FillAsync("Writes late");
        await form.GetByLabel("Description").FillAsync("Writes late at night");
        await form.GetByLabel("Instructions").FillAsync("You write what\nwas typed before the session ended.");
        await form.GetByLabel("Joins teams as a specialist").UncheckAsync();

        // Ended by the same person, elsewhere.
        var other = await world.SignedInAsync(name);
        await other.GotoAsync("/profile");
        await other.Button("End all others").ClickAsync();
        await other.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "End all others" }).ClickAsync();
        await Expect(other.GetByText("Only this session is left", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(other.GetByRole(AriaRole.Table, new() { Name = "Where you are signed in" }).Locator("tbody tr")).ToHaveCountAsync(1);
        Assert.Equal(401, (await page.Context.APIRequest.GetAsync("/api/v1/auth/me")).Status);
        Assert.Equal(200, (await other.Context.APIRequest.GetAsync("/api/v1/auth/me")).Status);

        await form.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        var again = page.GetByRole(AriaRole.Dialog, new() { Name = "Your session has ended" });
        await Expect(again.GetByLabel("Password")).ToBeFocusedAsync();
        await page.AssertNoViolationsAsync("session ended over a form", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Keyboard.TypeAsync(WebWorld.Password);
        await page.Keyboard.PressAsync("Enter");
        await Expect(again).ToBeHiddenAsync();
        await Expect(form.GetByLabel("Instructions")).ToHaveValueAsync("You write what\nwas typed before the session ended.");
        await form.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await Expect(form).ToBeHiddenAsync();
        Assert.Equal("You write what\nwas typed before the session ended.", (await page.ApiAsync("/api/v1/agents/late_writer")).GetProperty("instructions").GetString());
        using var removed = await world.App.SendAsync(HttpMethod.Delete, "/api/v1/agents/late_writer", null, ("If-Match", "*"));
        Assert.True(removed.IsSuccessStatusCode, await removed.Content.ReadAsStringAsync());
        await other.Context.CloseAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Keys_that_were_switched_off_do_nothing_and_switched_on_again_they_do()
    {
        world.Say("""default: { text: "One two three four five six seven eight nine ten." }""");
        var page = await world.NewChatAsync();
        ConcurrentQueue<string> stops = [];
        page.Request += (_, request) => { if (request.Url.EndsWith("/cancel", StringComparison.Ordinal)) { stops.Enqueue(request.Url); } };
        var dialog = page.GetByRole(AriaRole.Dialog);
        await SwitchAsync(page, on: false);
        var hold = await AskAsync(page);
        await page.EvaluateAsync("() => document.activeElement.blur()");
        foreach (var key in (string[])["/", "?", "Control+k", "Control+Shift+s", "Control+Shift+o"])
        {
            await page.Keyboard.PressAsync(key);
        }

        await page.EvaluateAsync("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))");
        Assert.Equal((0, true), (await dialog.CountAsync(), await page.EvaluateAsync<bool>("() => document.activeElement === document.body && location.pathname.startsWith('/c/')")));
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("ten.");
        Assert.Empty(stops);

        await SwitchAsync(page, on: true);
        hold = await AskAsync(page);
        await page.EvaluateAsync("() => document.activeElement.blur()");
        await page.Keyboard.PressAsync("/");
        await Expect(page.Composer()).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Control+k");
        await Expect(dialog).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(dialog).ToHaveCountAsync(0);
        await page.Keyboard.PressAsync("Control+Shift+s");
        await Expect(page.Stored()).ToContainTextAsync("one two", new() { IgnoreCase = true });
        await page.UntilAsync("async () => (await (await fetch('/api/v1/runs')).json()).items[0].status === 'cancelled'");
        hold.Release();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Language_and_theme_stay_as_chosen_and_nothing_moves_before_who_does_not_want_it()
    {
        world.Say("""default: { text: "One two three four five six seven eight nine ten." }""");
        var page = await world.NewChatAsync(new Visit { Moves = true });
        await page.GotoAsync("/profile");
        await page.GetByLabel("Theme", new() { Exact = true }).SelectOptionAsync("dark");
        await page.GetByLabel("Language", new() { Exact = true }).SelectOptionAsync("ru");
        await page.UntilAsync("() => document.documentElement.lang === 'ru'");
        await page.ReloadAsync();
        await page.UntilAsync("() => document.documentElement.lang === 'ru' && document.documentElement.dataset.theme === 'dark'");
        await page.GetByLabel(new PageTexts("ru")["preferences.language"], new() { Exact = true }).SelectOptionAsync("en");
        await page.UntilAsync("() => document.documentElement.lang === 'en'");

        await page.GotoAsync("/");
        var hold = await AskAsync(page);
        await page.UntilAsync(Moving);
        await page.EmulateMediaAsync(new() { ReducedMotion = ReducedMotion.Reduce });
        await page.UntilAsync($"() => !({Moving})()");
        hold.Release();
        await Expect(page.Stored()).ToContainTextAsync("ten.");
        await page.Context.CloseAsync();
    }

    /// <summary>Whether something in the page moves by itself for longer than one can see.</summary>
    private const string Moving = "() => document.getAnimations().some(a => a.playState === 'running' && a.effect.getComputedTiming().duration > 1)";

    private static async Task SwitchAsync(IPage page, bool on)
    {
        await page.GotoAsync("/profile");
        await page.GetByLabel("Shortcuts are on").SetCheckedAsync(on);
        await page.GotoAsync("/");
    }

    private async Task<SimHold> AskAsync(IPage page)
    {
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await page.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await page.UntilAsync("() => location.pathname.startsWith('/c/')");
        return hold;
    }
}
