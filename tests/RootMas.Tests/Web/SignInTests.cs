using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>How people come in, and how they are put out.</summary>
[Collection(WebCollection.Name)]
public sealed class SignInTests(WebWorld world)
{
    [WebFact]
    public async Task The_first_run_makes_an_administrator_who_can_ask_at_once_and_see_the_plan_that_the_team_made()
    {
        await using var app = await TestApp.StartAsync();
        var page = await world.VisitAsync(server: app.Url);
        await page.GotoAsync("/");
        await Expect(page.GetByLabel("Setup token")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("setup");
        await page.GetByLabel("Setup token").FillAsync("wrong");
        await FillPasswordsAsync(page);
        await page.Button("Create and sign in").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert).First).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("setup refused");
        await FillTokenAsync(page, app);
        await page.Button("Create and sign in").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Hello, admin" })).ToBeVisibleAsync();
        await Expect(page.Button("Stay offline")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("choice of a model");
        await page.Button("Stay offline").ClickAsync();
        await Expect(page.GetByText("No model is configured")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("offline");

        await page.GetByRole(AriaRole.Button, new() { Name = "Plan a three-day trip" }).ClickAsync();
        await Expect(page.Stored()).ToBeVisibleAsync();
        Assert.Equal((await page.StoredAnswersAsync()).Count, await page.Locator("[role=log] article[data-message]").CountAsync());

        // What happened stays to be seen: the run's page has the plan with every task settled.
        await page.Stored().GetByRole(AriaRole.Link, new() { Name = "Run", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Plan" }).ClickAsync();
        var plan = page.GetByRole(AriaRole.Figure).First;
        await Expect(plan.Locator("[data-status=done]")).Not.ToHaveCountAsync(0);
        await Expect(plan.Locator("[data-status]:not([data-status=done])")).ToHaveCountAsync(0);
        await page.ScreenshotAsync(new() { Path = Path.Combine(WebWorld.Pictures, "plan.png") });
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task The_first_run_tries_a_providers_key_with_a_real_call_and_the_next_question_is_answered_with_it()
    {
        await using var sim = await Simulator.StartAsync("""
            keys: [sk-right]
            default: { text: "A real answer." }
            """);
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { house: { base_url: "{{sim.OpenAiUrl}}", key_secret: house, optional: true } }
            models: { small: { provider: house, context: 100000, free: true } }
            tiers: { cheap: [small], standard: [small], premium: [small] }
            """);
        var page = await world.VisitAsync(server: app.Url);
        await page.GotoAsync("/");
        await FillTokenAsync(page, app);
        await FillPasswordsAsync(page);
        await page.Button("Create and sign in").ClickAsync();
        var key = page.GetByLabel("Key", new() { Exact = true });
        await key.FillAsync("sk-wrong");
        await page.Button("Save and test").ClickAsync();
        await Expect(page.GetByText("small does not answer: the key is refused")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("key refused");
        await Expect(key).ToHaveValueAsync("");
        await key.FillAsync("sk-right");
        await page.Button("Save and test").ClickAsync();
        await Expect(page.GetByText("small answers", new() { Exact = true })).ToBeVisibleAsync();
        await page.AskAsync("Who are you?", "A real answer.");
        Assert.All(sim.Calls, static call => Assert.Equal("Bearer sk-right", call.Authorization));
        Assert.DoesNotMatch("sk-(right|wrong)", await page.EvaluateAsync<string>("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]) + document.documentElement.outerHTML"));
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_wrong_password_says_so_and_the_right_one_opens_the_page_that_was_asked_for()
    {
        var (_, name) = await world.NewPersonAsync();
        var page = await world.VisitAsync();
        await page.GotoAsync("/profile");
        await page.GetByLabel("Name").FillAsync(name);
        await page.GetByLabel("Password").FillAsync("not the password 1");
        await page.Button("Sign in").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        Assert.Equal(("username", "current-password"), (await page.GetByLabel("Name").GetAttributeAsync("autocomplete"), await page.GetByLabel("Password").GetAttributeAsync("autocomplete")));
        await page.GetByLabel("Password").FillAsync(WebWorld.Password);
        await page.Button("Sign in").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Navigation, new() { Name = "Main" })).ToBeVisibleAsync();
        Assert.EndsWith("/profile", page.Url, StringComparison.Ordinal);
        Assert.DoesNotContain("token", await page.EvaluateAsync<string>("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"), StringComparison.OrdinalIgnoreCase);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_is_disabled_loses_the_open_tab_in_the_middle_of_an_answer_and_keeps_the_draft()
    {
        world.Say("""default: { text: "One two three four five six seven eight nine ten." }""");
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = LlmSimulator.HoldPoint.Middle });
        var (id, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/");
        await page.SendAsync("Count to ten for me");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await page.Composer().FillAsync("a draft");
        using var disabled = await DisableAsync(id);
        var again = page.GetByRole(AriaRole.Dialog, new() { Name = "Your session has ended" });
        await Expect(again).ToBeVisibleAsync();
        await again.GetByLabel("Password").FillAsync(WebWorld.Password);
        await again.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(again.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        Assert.Equal("a draft", await page.Composer().InputValueAsync());
        hold.Release();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_session_that_ended_is_taken_up_again_where_it_was()
    {
        world.Say("""default: { text: "The answer." }""");
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/");
        await page.Composer().FillAsync("What I was about to ask");
        await page.Context.ClearCookiesAsync();
        await page.Keyboard.PressAsync("Enter");
        var again = page.GetByRole(AriaRole.Dialog, new() { Name = "Your session has ended" });
        await Expect(again).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("session ended", isOver: true);
        // Whoever types goes on without looking where.
        await Expect(again.GetByLabel("Password")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync(WebWorld.Password);
        Assert.DoesNotContain(WebWorld.Password, await page.EvaluateAsync<string>("() => JSON.stringify({ ...localStorage })"), StringComparison.Ordinal);
        await page.Keyboard.PressAsync("Enter");
        await Expect(again).ToBeHiddenAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
        await Expect(page.Composer()).ToHaveValueAsync("What I was about to ask");
        await page.Composer().FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Stored()).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    private static async Task FillTokenAsync(IPage page, TestApp app) =>
        await page.GetByLabel("Setup token").FillAsync((await File.ReadAllTextAsync(Path.Combine(app.Data, "setup-token"))).Trim());

    private static async Task FillPasswordsAsync(IPage page)
    {
        await page.GetByLabel("New password").FillAsync(WebWorld.Password);
        await page.GetByLabel("The same password again").FillAsync(WebWorld.Password);
    }

    /// <summary>As an administrator does.</summary>
    private async Task<HttpResponseMessage> DisableAsync(string id)
    {
        using var user = await world.App.SendAsync(HttpMethod.Get, $"/api/v1/users/{id}");
        var changed = await world.App.SendAsync(HttpMethod.Patch, $"/api/v1/users/{id}", """{"disabled":true}""", ("If-Match", user.Headers.ETag?.ToString() ?? "*"));
        Assert.True(changed.IsSuccessStatusCode, await changed.Content.ReadAsStringAsync());
        return changed;
    }
}
