using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What people do on the chat page, in their words.</summary>
internal static class ChatPageExtensions
{
    public static ILocator Composer(this IPage page) => page.Locator("textarea#message-box");

    public static ILocator Button(this IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    /// <summary>Answers, finished or not.</summary>
    public static ILocator Answers(this IPage page) => page.Locator("[role=log] article[data-message], [role=log] article[data-run]");

    /// <summary>The last answer once it is stored.</summary>
    public static ILocator Stored(this IPage page) => page.Locator("[role=log] article[data-message]").Last;

    public static async Task SendAsync(this IPage page, string text)
    {
        await page.Composer().FillAsync(text);
        await page.Keyboard.PressAsync("Enter");
    }

    /// <summary>Asks and waits until the answer is there and stored.</summary>
    public static async Task AskAsync(this IPage page, string text, string answer)
    {
        await page.SendAsync(text);
        await Expect(page.Locator("[role=log] article[data-message]").Filter(new() { HasText = answer }).Last).ToBeVisibleAsync();
    }

    /// <summary>Calls the API as the page would.</summary>
    public static async Task<JsonElement> ApiAsync(this IPage page, string path)
    {
        var answer = await page.Context.APIRequest.GetAsync(path);
        var text = await answer.TextAsync();
        Assert.True(answer.Ok, $"{path}: {answer.Status} {text}");
        return JsonElement.Parse(text);
    }

    public static string ConversationId(this IPage page) => new Uri(page.Url).Segments[^1];

    /// <summary>Texts of the stored answers of the open conversation, oldest first.</summary>
    public static async Task<List<string>> StoredAnswersAsync(this IPage page) =>
        [.. (await page.ApiAsync($"/api/v1/conversations/{page.ConversationId()}/messages")).GetProperty("items").EnumerateArray()
            .Where(static m => m.GetProperty("role").GetString() == "assistant").Select(static m => m.GetProperty("content").GetString()!)];

    /// <summary>The words that the last answer shows, whoever renders them.</summary>
    public static Task<string> ShownAsync(this IPage page) => page.EvaluateAsync<string>(
        "() => [...document.querySelectorAll('[role=log] article[data-message], [role=log] article[data-run]')].at(-1)?.querySelectorAll('p').values().map(p => p.innerText).toArray().join('\\n\\n') ?? ''");

    /// <summary>Waits until a condition holds in the page.</summary>
    public static Task UntilAsync(this IPage page, string condition, object? argument = null) => page.WaitForFunctionAsync(condition, argument, new() { PollingInterval = 20, Timeout = 90_000 });
}
