using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What the other tests do in English on a desktop, as one journey on a telephone in Russian, in both themes.</summary>
[Collection(WebCollection.Name)]
public sealed class JourneyTests(WebWorld world)
{
    private const string Script = """
        rules:
          - match: { tool_called: http_request, tool_result: "Не сейчас" }
            answer: { text: "Не отправлено." }
          - match: { tool_called: http_request }
            answer: { text: "Отправлено." }
          - match: { agent: multi_tool, last_user: "Отправь", last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
        default: { text: "Один два три четыре пять шесть семь восемь девять десять." }
        """;

    [WebTheory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task From_sign_in_to_administration_on_a_telephone_in_russian(ColorScheme theme)
    {
        world.Say(Script);
        var t = new PageTexts("ru");
        var (_, name) = await world.NewPersonAsync("admin");
        var page = await world.VisitAsync(new Visit { Language = "ru-RU", Width = 390, Theme = theme });
        await page.GotoAsync("/runs");
        Assert.Equal(theme == ColorScheme.Dark ? "dark" : "light", await page.EvaluateAsync<string>("() => document.documentElement.dataset.theme"));
        await page.GetByLabel(t["signIn.username"], new() { Exact = true }).FillAsync(name);
        await page.GetByLabel(t["signIn.password"], new() { Exact = true }).FillAsync(WebWorld.Password);
        await page.Button(t["signIn.submit"]).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = t["runs.title"], Exact = true })).ToBeVisibleAsync();

        await GoToAsync(page, t, "nav.chat");
        await page.AskAsync("Сосчитай до десяти", "десять.");
        await FitsAsync(page);
        await BranchAsync(page, t);
        await ComeBackAsync(page, t);
        await ApproveAsync(page, t);
        await DenyAsync(page, t);
        await StopAsync(page, t);
        await SeeTheRunAsync(page, t);
        await AdministerAsync(page, t, $"{name}-{theme}".ToLowerInvariant());
        await page.Context.CloseAsync();
    }

    private static async Task BranchAsync(IPage page, PageTexts t)
    {
        var question = page.GetByRole(AriaRole.Log).GetByRole(AriaRole.Article, new() { Name = t["chat.you"] });
        await page.Button(t["chat.editMessage"]).First.ClickAsync();
        await page.GetByRole(AriaRole.Textbox, new() { Name = t["chat.editMessage"] }).FillAsync("Сосчитай иначе");
        await question.GetByRole(AriaRole.Button, new() { Name = t["chat.send"] }).ClickAsync();
        await Expect(question).ToContainTextAsync("Сосчитай иначе");
        await Expect(page.Button(t["chat.olderBranch"])).ToBeVisibleAsync();
        await Expect(Live(page)).ToHaveCountAsync(0); // of the same words as the answer before
        await Expect(page.Stored()).ToContainTextAsync("десять.");
        await page.Button(t["chat.olderBranch"]).ClickAsync();
        await Expect(question).ToContainTextAsync("Сосчитай до десяти");
        await page.Button(t["chat.newerBranch"]).ClickAsync();
        await Expect(question).ToContainTextAsync("Сосчитай иначе");
        await FitsAsync(page);
    }

    /// <summary>The network is cut in the middle of an answer, and the page is loaded anew in the middle of the next.</summary>
    private async Task ComeBackAsync(IPage page, PageTexts t)
    {
        foreach (var isCut in (bool[])[true, false])
        {
            var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
            await page.SendAsync("Сосчитай снова");
            await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
            await Expect(Live(page)).ToContainTextAsync("Один");
            if (isCut)
            {
                await page.Context.SetOfflineAsync(true);
                await Expect(page.GetByText(t["chat.reconnecting"])).ToBeVisibleAsync();
                await FitsAsync(page);
                hold.Release();
                await page.Context.SetOfflineAsync(false);
            }
            else
            {
                await page.ReloadAsync();
                await Expect(Live(page)).ToContainTextAsync("Один");
                hold.Release();
            }

            await Expect(Live(page)).ToHaveCountAsync(0);
            await Expect(page.Stored()).ToContainTextAsync("десять.");
            Assert.Equal((await page.StoredAnswersAsync())[^1], await page.ShownAsync());
        }
    }

    private async Task ApproveAsync(IPage page, PageTexts t)
    {
        await page.Button(t["chat.options"]).ClickAsync();
        await page.GetByLabel(t["chat.agent"], new() { Exact = true }).SelectOptionAsync("multi_tool");
        await page.SendAsync("Отправь");
        var card = page.GetByRole(AriaRole.Group, new() { Name = t["approval.title", "http_request"] });
        await Expect(card).ToContainTextAsync("/_tool/note");
        await Expect(card).ToContainTextAsync(t["said.actsOutside", "http_request"]);
        Assert.DoesNotMatch("[a-z]{4} [a-z]{3}", await card.EvaluateAsync<string>("card => [...card.querySelectorAll('h2, p, label, dt, dd, button')].map(e => e.textContent).join(' / ')"));
        await FitsAsync(page);
        await card.GetByRole(AriaRole.Button, new() { Name = t["approval.approve"], Exact = true }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Отправлено.");
        Assert.Equal(1, world.Sim.ToolCounts["note"].Effects);
    }

    private async Task DenyAsync(IPage page, PageTexts t)
    {
        await page.SendAsync("Отправь другое");
        var card = page.GetByRole(AriaRole.Group, new() { Name = t["approval.title", "http_request"] });
        await card.GetByLabel(t["approval.reason"]).FillAsync("Не сейчас");
        await card.GetByRole(AriaRole.Button, new() { Name = t["approval.deny"], Exact = true }).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync("Не отправлено.");
        await Expect(card).ToBeHiddenAsync();
        Assert.Equal(1, world.Sim.ToolCounts["note"].Effects);
        await FitsAsync(page);
    }

    private async Task StopAsync(IPage page, PageTexts t)
    {
        var hold = world.Sim.Hold(new() { Agent = "multi_tool", At = HoldPoint.Middle });
        await page.SendAsync("Сосчитай ещё раз");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Expect(page.Answers().Last).ToContainTextAsync("Один");
        await page.Button(t["chat.stop"]).ClickAsync();
        await Expect(page.Stored()).ToContainTextAsync(t["chat.interrupted"]);
        hold.Release();
        await FitsAsync(page);
    }

    private static async Task SeeTheRunAsync(IPage page, PageTexts t)
    {
        await page.Stored().GetByRole(AriaRole.Link, new() { Name = t["chat.run"], Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Сосчитай ещё раз" })).ToBeVisibleAsync();
        await Expect(page.GetByText(t["runs.status.cancelled"], new() { Exact = true }).First).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Treegrid, new() { Name = t["runs.timeline"] }).GetByRole(AriaRole.Row)).Not.ToHaveCountAsync(0);
        await FitsAsync(page);
    }

    private static async Task AdministerAsync(IPage page, PageTexts t, string newcomer)
    {
        await GoToAsync(page, t, "nav.admin");
        await page.Button(t["admin.users.add"]).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel(t["admin.users.name"], new() { Exact = true }).FillAsync(newcomer);
        await dialog.GetByLabel(t["admin.users.firstPassword"]).FillAsync("short");
        await dialog.GetByRole(AriaRole.Button, new() { Name = t["admin.users.add"], Exact = true }).ClickAsync();
        await Expect(dialog.GetByRole(AriaRole.Alert)).ToHaveTextAsync(t["said.length", "8", "256"]);
        await dialog.GetByLabel(t["admin.users.firstPassword"]).FillAsync(WebWorld.Password);
        await dialog.GetByRole(AriaRole.Button, new() { Name = t["admin.users.add"], Exact = true }).ClickAsync();
        await Expect(page.GetByText(t["admin.users.added", newcomer], new() { Exact = true })).ToBeVisibleAsync();
        await Expect(dialog).ToBeHiddenAsync();
        await page.GetByLabel(t["admin.users.find"]).FillAsync(newcomer);
        await page.Button(t["admin.search"]).ClickAsync();
        await page.Button(t["admin.actionsFor", newcomer]).ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = t["admin.users.disable"] }).ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = t["admin.users.disable"], Exact = true }).ClickAsync();
        await Expect(page.GetByText(t["admin.users.disabled", newcomer], new() { Exact = true })).ToBeVisibleAsync();
        await FitsAsync(page);
    }

    /// <summary>The answer that is being written.</summary>
    private static ILocator Live(IPage page) => page.Locator("[role=log] article[data-run]");

    private static async Task GoToAsync(IPage page, PageTexts t, string place)
    {
        await page.Button(t["nav.openMenu"]).ClickAsync();
        await page.GetByRole(AriaRole.Navigation, new() { Name = t["nav.label"] }).GetByRole(AriaRole.Link, new() { Name = t[place], Exact = true }).ClickAsync();
    }

    private static async Task FitsAsync(IPage page) =>
        Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"), page.Url + " scrolls sideways");
}
