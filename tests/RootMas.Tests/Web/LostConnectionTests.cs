using System.Net;
using System.Net.Http.Json;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>The network goes, the server goes: the page says so and comes back without a gap.</summary>
[Collection(WebCollection.Name)]
public sealed class LostConnectionTests(WebWorld world)
{
    private const string Text = "One two three four five six seven eight nine ten.";
    private const string Lost = "The connection is lost.";

    /// <summary>The paths that the worker has kept.</summary>
    private const string Kept = "async () => (await Promise.all((await caches.keys()).map(async n => (await (await caches.open(n)).keys()).map(r => new URL(r.url).pathname)))).flat()";

    [WebFact]
    public async Task A_network_that_goes_and_comes_back_leaves_no_gap()
    {
        world.Say($"default: {{ text: \"{Text}\" }}");
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        var page = await world.NewChatAsync();
        await page.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Expect(page.Answers().Last).ToContainTextAsync("One two");
        await page.Context.SetOfflineAsync(true);
        await Expect(page.GetByText(Lost)).ToBeVisibleAsync();
        await Expect(page.Answers().Last).ToContainTextAsync("One two");
        hold.Release();
        await page.Context.SetOfflineAsync(false);
        await Expect(page.Stored()).ToContainTextAsync(Text);
        await Expect(page.GetByText(Lost)).ToBeHiddenAsync();
        Assert.Equal([Text], await page.StoredAnswersAsync());
        Assert.Equal(Text, await page.ShownAsync());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_line_that_is_cut_while_the_browser_thinks_that_it_is_connected_leaves_no_gap()
    {
        await using var way = new CuttingProxy(world.App.Url.Port);
        world.Say($"default: {{ text: \"{Text}\" }}");
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name, server: new Uri($"http://127.0.0.1:{way.Port}"));
        await page.GotoAsync("/");
        await page.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Expect(page.Answers().Last).ToContainTextAsync("One two");
        way.Let(Traffic.Refused);
        await Expect(page.GetByText(Lost)).ToBeVisibleAsync();
        hold.Release();
        way.Let(Traffic.Flows);
        await Expect(page.Stored()).ToContainTextAsync(Text);
        Assert.Equal([Text], await page.StoredAnswersAsync());
        Assert.Equal(Text, await page.ShownAsync());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_message_that_could_not_be_sent_stays_and_is_sent_once_by_trying_again()
    {
        world.Say("""default: { text: "Answer to {{last_user}}" }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("first", "Answer to first");
        await page.Context.SetOfflineAsync(true);
        await page.SendAsync("second");
        await Expect(page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        await Expect(page.Composer()).ToHaveValueAsync("second");
        await page.Context.SetOfflineAsync(false);
        await page.Button("Try again").First.ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Answer to second");
        await Expect(page.Composer()).ToHaveValueAsync("");
        Assert.Equal(["Answer to first", "Answer to second"], await page.StoredAnswersAsync());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_server_that_is_killed_in_the_middle_of_an_answer_and_started_again_goes_on_with_it()
    {
        await using var sim = await Simulator.StartAsync($"default: {{ text: \"{Text}\" }}");
        await using var server = await ServerProcess.StartAsync(ServerSettings.With(sim) with { Config = Repository.PathOf("config") });
        using var made = await server.Http.PostAsJsonAsync("/api/v1/users", new { username = "alice", role = "user", password = WebWorld.Password });
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var page = await world.SignedInAsync("alice", server: new Uri(server.BaseUrl));
        await page.GotoAsync("/");
        var hold = sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await page.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Expect(page.Answers().Last).ToContainTextAsync("One two");
        await server.KillAsync();
        await Expect(page.GetByText(Lost)).ToBeVisibleAsync();
        hold.Release();
        await server.StartAgainAsync();
        await Expect(page.Stored()).ToContainTextAsync(Text);
        await Expect(page.GetByText(Lost)).ToBeHiddenAsync();
        Assert.Equal([Text], await page.StoredAnswersAsync());
        Assert.Equal(Text, await page.ShownAsync());
        await page.AskAsync("Again", Text);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_page_whose_part_does_not_come_says_so_and_comes_with_its_style_when_the_server_is_back()
    {
        var page = await world.NewChatAsync();
        await Expect(page.Composer()).ToBeVisibleAsync();
        await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        await page.Context.SetOfflineAsync(true);
        await page.GetByRole(AriaRole.Link, new() { Name = "Dashboard" }).ClickAsync();
        await Expect(page.GetByText("The server does not answer", new() { Exact = true }).First).ToBeVisibleAsync();
        await page.Context.SetOfflineAsync(false);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Dashboard", Exact = true })).ToBeVisibleAsync();
        await Expect(page.GetByText("The server does not answer", new() { Exact = true })).ToHaveCountAsync(0);
        Assert.Equal("grid", await page.Locator("main dl").First.EvaluateAsync<string>("e => getComputedStyle(e).display"));
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_style_that_got_lost_on_its_way_is_fetched_again()
    {
        var page = await world.NewChatAsync();
        await Expect(page.Composer()).ToBeVisibleAsync();
        var asked = 0;
        await page.RouteAsync("**/assets/DashboardPage-*.css", route => Interlocked.Increment(ref asked) == 1 ? route.AbortAsync() : route.ContinueAsync());
        await page.GetByRole(AriaRole.Link, new() { Name = "Dashboard" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Dashboard", Exact = true })).ToBeVisibleAsync();
        Assert.Equal("grid", await page.Locator("main dl").First.EvaluateAsync<string>("e => getComputedStyle(e).display"));
        Assert.Equal(2, asked);
        await page.Context.CloseAsync();
    }

    /// <summary>What a release before this one kept, under its name or under this one's.</summary>
    [WebTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_an_upgrade_the_shell_is_the_new_one_with_the_languages_that_were_in_use(bool underThisName)
    {
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name, new Visit { Worker = true });
        await page.GotoAsync("/");
        await page.UntilAsync("() => navigator.serviceWorker.controller");
        await page.UntilAsync($"async () => (await ({Kept})()).some(p => p.startsWith('/assets/en-'))");
        await page.EvaluateAsync("""
            async underThisName => {
              const [now] = await caches.keys();
              const kept = await caches.open(underThisName ? now : 'rootmas-shell-v1');
              if (!underThisName) {
                for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister();
                await caches.delete(now);
              }
              const page = new Request('/', { headers: { accept: 'text/html' } });
              await kept.put(page, new Response('<meta name="texts" content="/assets/en-old.js /assets/ru-old.js"><script src="/assets/first-old.js"></script>', { headers: { etag: '"old"', 'content-type': 'text/html' } }));
              for (const path of ['/assets/ru-old.js', '/assets/first-old.js']) await kept.put(path, new Response('1'));
            }
            """, underThisName);
        await page.ReloadAsync();
        await page.UntilAsync("() => navigator.serviceWorker.controller");
        await page.UntilAsync($"async () => {{ const kept = await ({Kept})(); return kept.includes('/') && kept.some(p => p.startsWith('/assets/ru-')) && kept.some(p => p.startsWith('/assets/first-')) && !kept.some(p => p.endsWith('-old.js')); }}");
        await page.UntilAsync("async () => (await caches.keys()).length === 1");
        await page.Context.SetOfflineAsync(true);
        await page.GotoAsync("/runs");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "The server does not answer" })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Without_the_server_the_kept_shell_opens_and_says_what_is_wrong()
    {
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name, new Visit { Worker = true });
        await page.GotoAsync("/");
        await page.UntilAsync("() => navigator.serviceWorker.controller");
        // The texts in use came before the worker: it is asked for them when it is there.
        await page.UntilAsync($"async () => (await ({Kept})()).some(p => p.startsWith('/assets/en-'))");
        await page.Context.SetOfflineAsync(true);
        await page.GotoAsync("/runs");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "The server does not answer" })).ToBeVisibleAsync();
        Assert.True(await page.Locator("main img").EvaluateAsync<bool>("async e => { await e.decode(); return e.naturalWidth > 0; }"));
        await page.AssertNoViolationsAsync("offline");
        var kept = await page.EvaluateAsync<string[]>(Kept);
        Assert.All(kept, static path => Assert.True(path is "/" or "/icon.svg" or "/manifest.webmanifest" || path.StartsWith("/assets/", StringComparison.Ordinal), path));
        Assert.DoesNotContain(kept, static path => path.StartsWith("/assets/ru-", StringComparison.Ordinal));
        await page.Context.SetOfflineAsync(false);
        // As it promises, by itself.
        await Expect(page.GetByRole(AriaRole.Navigation, new() { Name = "Main" })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }
}
