using System.Collections.Concurrent;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What the first visit costs over a slow line: counted where it is fetched, because a build only knows what it means to fetch.</summary>
[Collection(WebCollection.Name)]
public sealed class FirstLoadTests(WebWorld world)
{
    private const long Budget = 260 * 1024;

    private static readonly string[] Asked = ["/api/", "/health", "/ws"];

    [WebTheory]
    [InlineData("en-US", "ru")]
    [InlineData("ru-RU", "en")]
    public async Task A_first_visit_fetches_no_more_than_the_budget_and_one_language(string language, string other)
    {
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name, new Visit { Language = language });
        var fetched = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        page.Request += (_, request) => fetched[new Uri(request.Url).AbsolutePath] = true;
        await page.GotoAsync("/");
        await Expect(page.Composer()).ToBeVisibleAsync();
        await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        var files = fetched.Keys.Where(static path => !Asked.Any(asked => path.StartsWith(asked, StringComparison.Ordinal))).Select(static path => path == "/" ? "index.html" : path[1..]).Append("sw.js").Distinct(StringComparer.Ordinal).ToList();
        var sizes = files.ToDictionary(static file => file, static file => new FileInfo(Path.Combine(AppContext.BaseDirectory, "wwwroot", file)) is var plain && File.Exists(plain.FullName + ".gz") ? new FileInfo(plain.FullName + ".gz").Length : plain.Length);
        Assert.True(sizes.Values.Sum() <= Budget, $"{sizes.Values.Sum()} bytes:\n{string.Join('\n', sizes.OrderByDescending(static s => s.Value).Select(static s => $"{s.Value} {s.Key}"))}");
        Assert.Contains(files, file => file.StartsWith($"assets/{language[..2]}-", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.StartsWith($"assets/{other}-", StringComparison.Ordinal));
        await page.Context.CloseAsync();
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
}
