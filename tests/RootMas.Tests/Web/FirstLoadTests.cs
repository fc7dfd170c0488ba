using System.Collections.Concurrent;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What the first visit costs over a slow line: counted where it is fetched, because a build only knows what it means to fetch.</summary>
[Collection(WebCollection.Name)]
public sealed class FirstLoadTests(WebWorld world)
{
    // As `web/scripts/finish.mjs` has them.
    private const long Budget = 260 * 1024, ConversationBudget = 336 * 1024;

    private static readonly string[] Asked = ["/api/", "/health", "/ws"];

    [WebTheory]
    [InlineData("en-US", "ru")]
    [InlineData("ru-RU", "en")]
    public async Task A_first_visit_fetches_no_more_than_the_budget_and_one_language(string language, string other)
    {
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name, new Visit { Language = language });
        var fetched = Fetched(page);
        await page.GotoAsync("/");
        await Expect(page.Composer()).ToBeVisibleAsync();
        await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        var files = AssertWithin(Budget, fetched);
        Assert.Contains(files, file => file.StartsWith($"assets/{language[..2]}-", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.StartsWith($"assets/{other}-", StringComparison.Ordinal));
        await page.Context.CloseAsync();
    }

    [WebTheory]
    [InlineData("en-US")]
    [InlineData("ru-RU")]
    public async Task A_first_visit_of_a_conversation_fetches_no_more_than_its_budget_without_code_and_formulas(string language)
    {
        world.Say("""default: { text: "Apples **keep**:\n\n- in the *cold*\n- [in the dark](https://example.org/dark)\n\n| kind | weeks |\n|---|---|\n| Antonovka | 12 |" }""");
        var (_, name) = await world.NewPersonAsync();
        var asked = await world.SignedInAsync(name);
        await asked.GotoAsync("/");
        await asked.AskAsync("apples", "Antonovka");
        var page = await world.SignedInAsync(name, new Visit { Language = language });
        var fetched = Fetched(page);
        await page.GotoAsync(asked.Url);
        await Expect(page.Stored().GetByRole(AriaRole.Cell, new() { Name = "Antonovka" })).ToBeVisibleAsync();
        await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        var files = AssertWithin(ConversationBudget, fetched);
        Assert.Contains(files, static file => file.StartsWith("assets/MarkdownBlock-", StringComparison.Ordinal));
        Assert.DoesNotContain(files, static file => file.StartsWith("assets/RichBlock-", StringComparison.Ordinal));
        await page.Context.CloseAsync();
        await asked.Context.CloseAsync();
    }

    [WebFact]
    public async Task Without_texts_the_page_says_so_and_those_of_another_language_are_better_than_none()
    {
        var page = await world.NewChatAsync();
        await page.RouteAsync("**/assets/en-*.js", static route => route.AbortAsync());
        await page.RouteAsync("**/assets/ru-*.js", static route => route.AbortAsync());
        await page.ReloadAsync();
        await Expect(page.GetByText("Root-MAS could not be loaded. Nothing was lost.")).ToBeVisibleAsync();
        await Expect(page.GetByText("Root-MAS не загрузился. Ничего не потеряно.")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("without texts");
        await page.UnrouteAsync("**/assets/ru-*.js");
        await page.Button("Reload · Обновить").ClickAsync();
        await page.UntilAsync("() => document.documentElement.lang === 'ru'");
        await Expect(page.GetByRole(AriaRole.Navigation, new() { Name = "Главное меню" })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_language_that_cannot_be_fetched_changes_nothing_and_is_said()
    {
        var page = await world.NewChatAsync();
        await page.RouteAsync("**/assets/ru-*.js", static route => route.AbortAsync());
        await page.GotoAsync("/profile");
        await page.GetByLabel("Language").SelectOptionAsync("ru");
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This language cannot be fetched");
        await Expect(page.GetByLabel("Language")).ToHaveValueAsync("en");
        Assert.Equal("en", await page.EvaluateAsync<string>("() => document.documentElement.lang"));
        await page.ReloadAsync();
        await Expect(page.GetByLabel("Language")).ToHaveValueAsync("en");
        await page.Context.CloseAsync();
    }

    private static ConcurrentDictionary<string, bool> Fetched(IPage page)
    {
        var fetched = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        page.Request += (_, request) => fetched[new Uri(request.Url).AbsolutePath] = true;
        return fetched;
    }

    /// <summary>The files among what was fetched, with the worker, which the browser fetches by itself.</summary>
    private static List<string> AssertWithin(long budget, ConcurrentDictionary<string, bool> fetched)
    {
        var files = fetched.Keys.Where(static path => !Asked.Any(asked => path.StartsWith(asked, StringComparison.Ordinal)))
            .Select(static path => path == "/" || path.StartsWith("/c/", StringComparison.Ordinal) ? "index.html" : path[1..]).Append("sw.js").Distinct(StringComparer.Ordinal).ToList();
        var sizes = files.ToDictionary(static file => file, static file => new FileInfo(Path.Combine(AppContext.BaseDirectory, "wwwroot", file)) is var plain && File.Exists(plain.FullName + ".gz") ? new FileInfo(plain.FullName + ".gz").Length : plain.Length);
        Assert.True(sizes.Values.Sum() <= budget, $"{sizes.Values.Sum()} bytes:\n{string.Join('\n', sizes.OrderByDescending(static s => s.Value).Select(static s => $"{s.Value} {s.Key}"))}");
        return files;
    }
}
