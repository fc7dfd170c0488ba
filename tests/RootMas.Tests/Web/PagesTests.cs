using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Every page in both languages and both themes, wide and narrow: no violation that axe can find, nothing that scrolls sideways or out of the window, nothing that the browser complains of. Its pictures are kept.</summary>
[Collection(WebCollection.Name)]
public sealed class PagesTests(WebWorld world)
{
    /// <summary>Which page has a title already: tabs and history tell pages apart by nothing else.</summary>
    private static readonly ConcurrentDictionary<string, string> Titles = new(StringComparer.Ordinal);

    /// <summary>Every address of the app; what is written large stands for something that is there.</summary>
    public static TheoryData<string, string> Addresses => new()
    {
        { "welcome", "/" }, { "conversation", "/c/RICH" }, { "chat", "/c/TRIP" }, { "approval", "/c/WAITING" }, { "runs", "/runs" }, { "runs-of-all", "/runs?user=*" }, { "run", "/runs/RUN" }, { "run-plan", "/runs/RUN?tab=plan" },
        { "run-events", "/runs/RUN?tab=events" }, { "run-of-others", "/runs/FOREIGN" }, { "run-none", "/runs/none" }, { "team", "/team" }, { "agent", "/team/agents/communicator" }, { "team-detail", "/team/teams/root-mas" },
        { "documents", "/documents" }, { "document", "/documents/DOCUMENT?start=10&end=44" },
        { "approvals", "/approvals" }, { "dashboard", "/dashboard" }, { "admin-users", "/admin" }, { "admin-roles", "/admin/roles" }, { "admin-models", "/admin/models" }, { "admin-settings", "/admin/settings" },
        { "admin-secrets", "/admin/secrets" }, { "admin-keys", "/admin/keys" }, { "admin-audit", "/admin/audit" }, { "admin-backups", "/admin/backups" }, { "admin-queue", "/admin/queue" }, { "admin-logs", "/admin/logs" },
        { "profile", "/profile" }, { "memory", "/profile/memory" }, { "not-found", "/c/none" },
    };

    [WebTheory]
    [MemberData(nameof(Addresses))]
    public async Task Page_is_for_everybody(string name, string address)
    {
        var room = await world.ShowroomAsync();
        await Task.WhenAll(
            LookAsync(room, room.Wide, address, name, ColorScheme.Light),
            LookAsync(room, room.Narrow, address, name, ColorScheme.Dark));
    }

    [WebFact]
    public async Task Sign_in_is_for_everybody()
    {
        foreach (var (language, width, theme) in ((string, int, ColorScheme)[])[("en-US", 1280, ColorScheme.Light), ("ru-RU", 390, ColorScheme.Dark)])
        {
            var page = await world.VisitAsync(new Visit { Language = language, Width = width, Theme = theme });
            await page.GotoAsync("/");
            await Expect(page.Locator("input[name=username]")).ToBeVisibleAsync();
            await world.KeepPictureAsync(page, "sign-in", theme);
            await page.AssertNoViolationsAsync("sign-in");
            Assert.Contains(" – Root-MAS", await page.TitleAsync(), StringComparison.Ordinal);
            if (width == 390)
            {
                await AssertFitsSmallestAsync(page, "sign-in");
            }

            await page.Context.CloseAsync();
        }
    }

    [WebFact]
    public async Task First_run_is_for_everybody()
    {
        await using var app = await TestApp.StartAsync(static o => o.ConfigFiles["models.yaml"] = """
            providers: { openai: { base_url: "https://api.openai.com/v1", key_secret: openai, optional: true } }
            models: { small: { provider: openai, context: 100000, free: true } }
            tiers: { cheap: [small], standard: [small], premium: [small] }
            """);
        var token = (await File.ReadAllTextAsync(Path.Combine(app.Data, "setup-token"))).Trim();
        Visit[] visits = [new(), new() { Language = "ru-RU", Width = 390, Theme = ColorScheme.Dark }];
        foreach (var visit in visits)
        {
            var page = await world.VisitAsync(visit, app.Url);
            await page.GotoAsync("/");
            await Expect(page.Locator("input[name=setup_token]")).ToBeFocusedAsync();
            await LookAtFirstRunAsync(page, visit, "setup");
            if (visit == visits[^1])
            {
                await page.Locator("input[name=setup_token]").FillAsync(token);
                await page.Locator("input[name=password]").FillAsync(WebWorld.Password);
                await page.Locator("input[name=password-again]").FillAsync(WebWorld.Password);
                await page.Keyboard.PressAsync("Enter");
                await Expect(page.Composer()).ToBeVisibleAsync();
            }

            await page.Context.CloseAsync();
        }

        foreach (var visit in visits)
        {
            var page = await world.SignedInAsync("admin", visit, app.Url);
            await page.GotoAsync("/");
            await Expect(page.Locator("main input[type=password]")).ToBeVisibleAsync();
            await LookAtFirstRunAsync(page, visit, "first-model");
            await page.Context.CloseAsync();
        }
    }

    [WebFact]
    public async Task What_opens_over_a_page_is_for_everybody_too()
    {
        world.Say("""default: { text: "The answer." }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("A question", "The answer.");
        await page.Keyboard.PressAsync("Control+k");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("palette", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Button("Answer again").ClickAsync();
        await page.AssertNoViolationsAsync("again", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Button("Bad answer").ClickAsync();
        await page.AssertNoViolationsAsync("feedback", isOver: true);
        await page.Keyboard.PressAsync("Escape");
        await page.Button("Who answers").ClickAsync();
        await page.Button("Edit the message").ClickAsync();
        await page.AssertNoViolationsAsync("options and edit", isOver: true);
        await page.GetByRole(AriaRole.Button, new() { Name = "What to do with" }).First.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Menu)).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("menu", isOver: true);
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Rename" }).ClickAsync();
        await page.AssertNoViolationsAsync("rename", isOver: true);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Dialogs_for_keys_shortcuts_and_collections_are_for_everybody_too()
    {
        var page = await world.NewChatAsync();
        await page.GotoAsync("/profile");
        await page.Button("New key").ClickAsync();
        await OpenedAsync(page, "New key");
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Name").FillAsync("A program");
        await page.GetByLabel("May do").SelectOptionAsync("all");
        await page.Button("Create the key").ClickAsync();
        await OpenedAsync(page, "Your new key");
        await page.Button("I have kept it").ClickAsync();
        await page.Button("Revoke A program").ClickAsync();
        await OpenedAsync(page, "Revoke A program?");
        await page.Button("Cancel").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeHiddenAsync();
        await page.EvaluateAsync("() => document.activeElement.blur()");
        await page.Keyboard.PressAsync("?");
        await OpenedAsync(page, "Keyboard shortcuts");

        await page.GotoAsync("/documents");
        await page.Button("New collection").ClickAsync();
        await OpenedAsync(page, "New collection");
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Name").FillAsync("Handbooks");
        await page.Button("Create").ClickAsync();
        foreach (var (entry, title) in ((string, string)[])[("Who reaches Handbooks", "Who reaches Handbooks"), ("Delete Handbooks", "Delete Handbooks?")])
        {
            await page.Button("What to do with Handbooks").ClickAsync();
            await page.GetByRole(AriaRole.Menuitem, new() { Name = entry }).ClickAsync();
            await OpenedAsync(page, title);
            await page.Keyboard.PressAsync("Escape");
            await Expect(page.GetByRole(AriaRole.Dialog)).ToBeHiddenAsync();
        }

        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Pages_that_say_no_are_for_everybody_too()
    {
        var page = await world.NewChatAsync();
        await Expect(page.Composer()).ToBeVisibleAsync();
        await page.GotoAsync("/nowhere");
        await SaysAsync(page, "Not found");
        await page.GotoAsync("/admin");
        await SaysAsync(page, "This part is for administrators");

        // A part of the app that is not there any more, as after an upgrade.
        await page.RouteAsync("**/assets/RunsPage-*.js", static route => route.AbortAsync());
        await page.GetByRole(AriaRole.Link, new() { Name = "Runs" }).ClickAsync();
        await SaysAsync(page, "Root-MAS was upgraded");
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whatever_says_that_something_is_not_there_says_what_to_quote()
    {
        var page = await world.NewChatAsync();
        await Expect(page.Composer()).ToBeVisibleAsync();
        foreach (var (path, title) in ((string, string)[])[($"/runs/{Guid.NewGuid()}", "runs"), ("/team/agents/nobody_there", "nobody_there"), ("/team/teams/nobody_there", "nobody_there")])
        {
            await page.GotoAsync(path);
            await Expect(page.GetByText("When you ask for help, quote")).ToHaveTextAsync(new Regex("^When you ask for help, quote [0-9a-f]{32}$", RegexOptions.None, TimeSpan.FromSeconds(1)));
            await page.AssertNoViolationsAsync(title);
        }

        await page.Context.CloseAsync();
    }

    private async Task LookAtFirstRunAsync(IPage page, Visit visit, string name)
    {
        await page.EvaluateAsync("() => document.fonts.ready.then(() => true)");
        await world.KeepPictureAsync(page, name, visit.Theme);
        await page.AssertNoViolationsAsync(name);
        if (visit.Width == 390)
        {
            await AssertFitsSmallestAsync(page, name);
        }
    }

    private static async Task OpenedAsync(IPage page, string title)
    {
        await Expect(page.GetByRole(AriaRole.Dialog, new() { Name = title, Exact = true })).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync(title, isOver: true);
    }

    private static async Task SaysAsync(IPage page, string title)
    {
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = title })).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync(title);
    }

    /// <summary>In the language of the window: everything at both widths, and what the other theme can change in that; changed where the page stands, which costs less than opening it anew.</summary>
    private async Task LookAsync(Showroom room, IPage page, string address, string name, ColorScheme theme)
    {
        var (language, own) = page == room.Wide ? ("en", 1280) : ("ru", 390);
        var other = theme == ColorScheme.Light ? ColorScheme.Dark : ColorScheme.Light;
        List<string> complaints = [];
        void OnError(object? sender, string error) => complaints.Add(error);
        void OnConsole(object? sender, IConsoleMessage message) => complaints.AddRange(message.Type == "error" && !message.Text.Contains("404", StringComparison.Ordinal) ? [message.Text] : Array.Empty<string>());
        page.PageError += OnError;
        page.Console += OnConsole;
        try
        {
            await room.GoAsync(page, address);
            await ThemeAsync(page, other);
            if (name is "chat")
            {
                await page.Stored().Locator("footer button[aria-expanded=false]").ClickAsync();
                await Expect(page.GetByRole(AriaRole.Figure)).ToBeVisibleAsync();
                await world.KeepPictureAsync(page, name, other);
            }

            await page.AssertContrastAsync($"{name}, {language}, {own} px, {other}");
            await ThemeAsync(page, theme);
            await world.KeepPictureAsync(page, name, theme);
            await LookAtSizeAsync(page, name, address, language, own, theme);
            var turned = own == 390 ? 1280 : 390;
            await WidthAsync(page, turned);
            await LookAtSizeAsync(page, name, address, language, turned, theme);
            await ThemeAsync(page, other);
            await page.AssertContrastAsync($"{name}, {language}, {turned} px, {other}");
        }
        finally
        {
            page.PageError -= OnError;
            page.Console -= OnConsole;
            await WidthAsync(page, own);
        }

        Assert.Equal(language, await page.EvaluateAsync<string>("() => document.documentElement.lang"));
        var title = await page.TitleAsync();
        Assert.EndsWith(" – Root-MAS", title, StringComparison.Ordinal);
        Assert.Equal(name, Titles.GetOrAdd($"{language}: {title}", name));
        Assert.Empty(complaints);
    }

    private static async Task LookAtSizeAsync(IPage page, string name, string address, string language, int width, ColorScheme theme)
    {
        var where = $"{name}, {language}, {width} px, {theme}";
        await page.AssertNoViolationsAsync(where);
        Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"), $"{where} scrolls sideways");
        Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollHeight <= innerHeight"), $"{where} scrolls out of its window");
        if (width == 390)
        {
            await AssertFitsSmallestAsync(page, where);
        }

        if (address.StartsWith("/c/", StringComparison.Ordinal))
        {
            // Here what is too wide would be cut off, and the page would not scroll.
            Assert.Empty(await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('main [role=log], main [class*=markdown]')].filter(e => e.scrollWidth > e.clientWidth).map(e => `${e.scrollWidth} px in ${e.clientWidth}: ${e.outerHTML.slice(0, 200)}`)"));
            Assert.Empty(await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('main button, main textarea, main [role=group]')].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('pre, figure, table')).map(e => e.outerHTML.slice(0, 200))"));
        }

        var untranslated = await page.EvaluateAsync<string[]>(
            """
            names => {
              const said = [...document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')].flatMap(e => ['aria-label', 'title', 'placeholder', 'alt'].map(a => e.getAttribute(a) ?? ''));
              const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walk.nextNode()) if (!walk.currentNode.parentElement.closest('script, style, code, pre')) said.push(walk.currentNode.data);
              const key = new RegExp(`(?<![\\w.])(?:${names.join('|')})(?:\\.\\w+)+|\\{\\{`, 'g');
              return [document.title, ...said].flatMap(text => text.match(key) ?? []);
            }
            """,
            (object)PageTexts.Names);
        Assert.True(untranslated.Length == 0, $"{where}: {string.Join(", ", untranslated)}");
    }

    /// <summary>The narrowest telephone that the app is for.</summary>
    private static async Task AssertFitsSmallestAsync(IPage page, string name)
    {
        await WidthAsync(page, 360);
        Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"), $"{name} scrolls sideways at 360 px");
        await WidthAsync(page, 390);
    }

    /// <summary>What is laid out anew by a script is, two frames later.</summary>
    private static async Task WidthAsync(IPage page, int width)
    {
        await page.SetViewportSizeAsync(width, 800);
        await page.UntilAsync("width => innerWidth === width", width);
        await page.EvaluateAsync("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))");
    }

    private static async Task ThemeAsync(IPage page, ColorScheme theme)
    {
        await page.EmulateMediaAsync(new() { ColorScheme = theme });
        await page.UntilAsync("theme => document.documentElement.dataset.theme === theme", theme == ColorScheme.Dark ? "dark" : "light");
    }
}
