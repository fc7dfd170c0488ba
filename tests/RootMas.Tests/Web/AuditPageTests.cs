using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>The audit log on its page.</summary>
[Collection(WebCollection.Name)]
public sealed class AuditPageTests(WebWorld world)
{
    [WebFact]
    public async Task Filters_narrow_the_audit_log_and_an_entry_opens()
    {
        var (id, name) = await world.NewPersonAsync();
        await world.NewPersonAsync();
        var (_, chief) = await world.NewPersonAsync("admin");
        var page = await world.SignedInAsync(chief);
        await page.GotoAsync("/admin/audit");
        var rows = page.GetByRole(AriaRole.Table, new() { Name = "Audit log" }).Locator("tbody tr");
        await Expect(rows.Filter(new() { HasText = "user.create" }).First).ToBeVisibleAsync();
        foreach (var width in (int[])[768, 1440])
        {
            await page.SetViewportSizeAsync(width, 900);
            await page.UntilAsync("width => innerWidth === width", width);
            Assert.Empty(await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('main input')].filter(e => e.getBoundingClientRect().right > e.parentElement.parentElement.getBoundingClientRect().right + 1 || e.offsetWidth > e.parentElement.offsetWidth).map(e => `${innerWidth}: ${e.type}`)"));
        }

        await page.GetByLabel("Target (id)").FillAsync(id);
        await page.GetByLabel("Action begins with").FillAsync("user.");
        await page.Button("Show").ClickAsync();
        await Expect(rows).ToHaveCountAsync(1);
        await Expect(rows).ToContainTextAsync(id);
        await rows.GetByRole(AriaRole.Button).ClickAsync();
        var entry = page.GetByRole(AriaRole.Dialog, new() { Name = "user.create" });
        await Expect(entry).ToContainTextAsync(name);
        await Expect(entry).ToContainTextAsync("This machine");
        await page.Keyboard.PressAsync("Escape");
        await page.GetByLabel("Outcome").SelectOptionAsync("denied");
        await page.Button("Show").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Nothing matches" })).ToBeVisibleAsync();
        await page.Button("Clear").ClickAsync();
        await Expect(rows.Filter(new() { HasText = "auth." }).First).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }
}
