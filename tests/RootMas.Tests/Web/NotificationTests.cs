using System.Collections.Concurrent;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Who has asked for notifications is told by whichever page of the app is open, once, and not of what is in view.</summary>
[Collection(WebCollection.Name)]
public sealed class NotificationTests(WebWorld world)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Every notification that a window of the browser shows, in the place of the browser's own.</summary>
    private static string SpyOf(string userId) => """
        if (location.protocol.startsWith('http')) {
          localStorage.setItem('rootmas:preference:USER:notifications', 'on');
          window.Notification = class {
            static permission = 'granted';
            static requestPermission = () => Promise.resolve('granted');
            constructor(title, options) { void window.tellTest(`${title} | ${options.body} | ${options.data.path}`); }
            close() {}
          };
        }
        """.Replace("USER", userId, StringComparison.Ordinal);

    [WebFact]
    public async Task Whoever_is_elsewhere_in_the_app_is_told_once_of_an_end_and_of_a_call_that_waits_and_not_of_what_is_in_view()
    {
        world.Say("""
            rules:
              - match: { agent: multi_tool, last_role: user }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            default: { text: "One two three four five six seven eight nine ten." }
            """);
        ConcurrentQueue<string> told = [];
        var (id, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name);
        await page.Context.GrantPermissionsAsync(["notifications"]);
        await page.Context.ExposeFunctionAsync("tellTest", (string notice) => told.Enqueue(notice));
        await page.Context.AddInitScriptAsync(SpyOf(id));
        await page.GotoAsync("/");

        // Another window of the same browser, which nobody sees.
        var other = await page.Context.NewPageAsync();
        await other.AddInitScriptAsync("Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });");
        await other.GotoAsync("/profile");
        await Expect(other.GetByRole(AriaRole.Heading, new() { Name = "Profile", Exact = true })).ToBeVisibleAsync();

        // What is in view is told by the page itself.
        await page.AskAsync("Count", "ten.");

        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await page.SendAsync("Count once more");
        await hold.Reached.WaitAsync(Patience);
        var conversation = page.ConversationId();
        await GoToAsync(page, "Runs");
        hold.Release();
        var answered = $"The answer is there | Count once more | /c/{conversation}";
        await Wait.UntilAsync(static told => Task.FromResult(!told.IsEmpty), told, "Nobody was told of the answer");
        Assert.Equal([answered], told);

        await GoToAsync(page, "Chat");
        await page.Button("Who answers").ClickAsync();
        await page.GetByLabel("Agent", new() { Exact = true }).SelectOptionAsync("multi_tool");
        var before = world.Sim.Hold(new() { Agent = "multi_tool" });
        await page.SendAsync("Post it");
        await before.Reached.WaitAsync(Patience);
        await GoToAsync(page, "Runs");
        before.Release();
        await Wait.UntilAsync(static told => Task.FromResult(told.Count > 1), told, "Nobody was told that something waits");
        Assert.Equal([answered, "Something waits for you | http_request | /approvals"], told);
        await page.Context.CloseAsync();
    }

    private static async Task GoToAsync(IPage page, string place)
    {
        await page.GetByRole(AriaRole.Navigation, new() { Name = "Main" }).GetByRole(AriaRole.Link, new() { Name = place, Exact = true }).ClickAsync();
        await Expect(page.Locator("[role=log]")).ToHaveCountAsync(place == "Chat" ? 1 : 0);
    }
}
