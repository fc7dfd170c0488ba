using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What administrators look after on their pages is really done there: backups, dead letters, keys, secrets, models, settings, logs, and what the dashboard asks for.</summary>
[Collection(WebCollection.Name)]
public sealed class AdministrationPagesTests(WebWorld world)
{
    [WebFact]
    public async Task A_backup_is_made_and_verified_dead_letters_go_again_or_go_and_a_new_key_signs()
    {
        world.Say("""default: { text: "Answered." }""");
        var (administratorId, administrator) = await world.NewPersonAsync("admin");
        var page = await world.SignedInAsync(administrator);
        var main = page.GetByRole(AriaRole.Main);
        var dialog = page.GetByRole(AriaRole.Dialog);
        await page.GotoAsync("/admin/backups");
        await page.Button("Make a backup").ClickAsync();
        await Expect(page.GetByText("The backup is there", new() { Exact = true })).ToBeVisibleAsync();
        var made = main.GetByRole(AriaRole.Row).Filter(new() { HasText = "Verified" });
        await Expect(made).ToHaveCountAsync(1);
        var verified = await page.RunAndWaitForResponseAsync(() => made.GetByRole(AriaRole.Button).ClickAsync(), "**/api/v1/backups/*/verify");
        Assert.True(verified.Ok, await verified.TextAsync());
        await Expect(page.GetByText("The backup is in order", new() { Exact = true })).ToBeVisibleAsync();

        // One of a run that was given up, and one that nothing can be done with.
        await page.GotoAsync("/");
        await page.AskAsync("A question", "Answered.");
        var run = (await page.ApiAsync("/api/v1/runs")).GetProperty("items")[0].GetProperty("id").GetString()!;
        await world.App.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await session.Prepared("UPDATE runs SET status = 'failed' WHERE id = @id").Set("id", run).RunAsync();
                await session.Prepared("INSERT INTO dead_letters (id, kind, run_id, owner_id, reason, deliveries, created_at) VALUES (@id, 'run', @id, @owner, 'r', 4, @at)").Set("id", run).Set("owner", administratorId).Set("at", session.Now).RunAsync();
                await session.Prepared("INSERT INTO dead_letters (id, kind, reason, body, deliveries, created_at) VALUES ('poison', 'message', 'r', 'nonsense', 4, @at)").Set("at", session.Now).RunAsync();
            },
            CancellationToken.None);
        await page.GotoAsync("/admin/queue");
        await Expect(page.Button("Try poison again")).ToBeDisabledAsync();
        await page.Button("Delete poison").ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Delete", Exact = true }).ClickAsync();
        await Expect(page.Button("Delete poison")).ToHaveCountAsync(0);
        await page.Button($"Try {run} again").ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Try again", Exact = true }).ClickAsync();
        await Expect(page.GetByText("The run is in the queue again", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(page.GetByText("Everything was delivered", new() { Exact = true })).ToBeVisibleAsync();
        await page.UntilAsync("async run => (await (await fetch('/api/v1/runs')).json()).items.some(r => r.retry_of === run && r.status === 'completed')", run);

        await page.GotoAsync("/admin/keys");
        var before = await main.GetByRole(AriaRole.Row).Filter(new() { HasText = "Signs now" }).Locator("code").InnerTextAsync();
        await page.Button("New key").ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "New key", Exact = true }).ClickAsync();
        await Expect(page.GetByText("A new key signs from now on", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(main.GetByRole(AriaRole.Row).Filter(new() { HasText = before })).ToContainTextAsync("Verifies until");
        await Expect(main.GetByRole(AriaRole.Row).Filter(new() { HasText = "Signs now" })).ToHaveCountAsync(1);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Settings_are_found_logs_narrowed_and_followed_and_the_dashboard_asks_for_what_was_chosen()
    {
        var page = await world.SignedInAsync((await world.NewPersonAsync("admin")).Name);
        var main = page.GetByRole(AriaRole.Main);
        await page.GotoAsync("/admin/settings");
        await page.GetByLabel("Find a setting").FillAsync("approvalexpiry");
        await Expect(main.Locator("tbody tr")).ToHaveCountAsync(1);
        await Expect(main.Locator("tbody tr")).ToContainTextAsync("Runs:ApprovalExpiry");
        await page.GetByLabel("Only those that were set").CheckAsync();
        await Expect(main.GetByText("No setting matches")).ToBeVisibleAsync();

        var log = world.App.Get<ILoggerFactory>().CreateLogger("Somewhere.Else");
        log.LogInformation("a line that informs");
        log.LogError("a line that alarms");
        await page.GotoAsync("/admin/logs");
        var lines = main.GetByRole(AriaRole.Region, new() { Name = "Log lines" }).GetByRole(AriaRole.Listitem);
        await page.GetByLabel("Component contains").FillAsync("somewhere");
        await page.Button("Show").ClickAsync();
        await Expect(lines).ToHaveCountAsync(2);
        await page.GetByLabel("From level").SelectOptionAsync("error");
        await Expect(lines).ToHaveCountAsync(1);
        await Expect(lines).ToContainTextAsync("a line that alarms");
        await page.GetByLabel("Follow").CheckAsync();
        log.LogError("<img src=x onerror=window.pwned=1> a line that came later");
        await Expect(lines).ToHaveCountAsync(2);
        await Expect(lines.First).ToContainTextAsync("<img src=x onerror=window.pwned=1> a line that came later");
        Assert.True(await page.EvaluateAsync<bool>("() => window.pwned === undefined"));

        await page.GotoAsync("/dashboard");
        foreach (var (card, path, label, option, asked) in ((string, string, string, string, string)[])[
            ("Usage", "usage?", "By", "model", "by=model"), ("Usage", "usage?", "Time", "hours48", "bucket=hour"), ("Usage", "usage?", "Whose", "own", "scope=own"),
            ("Runs over time", "metrics/runs?", "Time", "hours48", "bucket=hour"), ("Runs over time", "metrics/runs?", "Whose", "own", "scope=own")])
        {
            var choice = main.Locator("section").Filter(new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = card, Exact = true }) }).GetByLabel(label, new() { Exact = true });
            await page.RunAndWaitForResponseAsync(() => choice.SelectOptionAsync(option), r => r.Ok && r.Url.Contains(path, StringComparison.Ordinal) && r.Url.Contains(asked, StringComparison.Ordinal));
        }

        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_secret_goes_in_and_never_comes_out_and_the_test_of_a_model_says_whether_it_is_right()
    {
        await using var sim = await Simulator.StartAsync("""
            keys: [sk-right-one]
            default: { text: "A real answer." }
            """);
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { house: { base_url: "{{sim.OpenAiUrl}}", key_secret: house, optional: true } }
            models: { small: { provider: house, context: 100000, free: true } }
            tiers: { cheap: [small], standard: [small], premium: [small] }
            """);
        await app.PostJsonAsync("/api/v1/users", new { username = "root", role = "admin", password = WebWorld.Password }, HttpStatusCode.Created);
        var page = await world.SignedInAsync("root", server: app.Url);
        var dialog = page.GetByRole(AriaRole.Dialog);
        foreach (var (button, value, says, badge) in ((string, string, string, string)[])[("Enter a secret", "sk-wrong-one", "small does not answer: the key is refused", "Key refused"), ("Replace house", "sk-right-one", "small answers", "Reachable")])
        {
            await page.GotoAsync("/admin/secrets");
            await page.Button(button).First.ClickAsync();
            var name = dialog.GetByLabel("Name");
            if (button == "Enter a secret")
            {
                await name.FillAsync("house");
            }

            await Expect(name).ToHaveValueAsync("house");
            await dialog.GetByLabel("Value").FillAsync(value);
            await dialog.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
            await Expect(page.GetByText("house is stored", new() { Exact = true })).ToBeVisibleAsync();
            await Expect(dialog).ToHaveCountAsync(0);
            await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "house" })).ToBeVisibleAsync();
            Assert.DoesNotContain("-one", (await page.ApiAsync("/api/v1/secrets")).GetRawText(), StringComparison.Ordinal);
            await AssertUnseenAsync(page);
            await page.GotoAsync("/admin/models");
            await page.Button("Test small").ClickAsync();
            await Expect(page.GetByText(says, new() { Exact = true })).ToBeVisibleAsync();
            await page.ReloadAsync();
            await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "small" })).ToContainTextAsync(badge);
            await AssertUnseenAsync(page);
        }

        await page.GotoAsync("/admin/secrets");
        await page.Button("Delete house").ClickAsync();
        await Expect(dialog).ToContainTextAsync("goes on without it at once");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Delete", Exact = true }).ClickAsync();
        await Expect(page.GetByText("No secrets yet")).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    private static async Task AssertUnseenAsync(IPage page) =>
        Assert.DoesNotContain("-one", await page.EvaluateAsync<string>("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]) + document.documentElement.outerHTML"), StringComparison.Ordinal);
}
