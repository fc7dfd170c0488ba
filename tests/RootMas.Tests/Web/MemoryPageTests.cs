using System.Net;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What people see of what is remembered about them, and what they can do about it.</summary>
[Collection(WebCollection.Name)]
public sealed class MemoryPageTests(WebWorld world)
{
    private const string Said = "Please keep in mind where the office is";

    private const string Remembers = $$"""
        rules:
          - match: { last_role: tool }
            answer: { text: "I keep it in mind." }
          - match: { last_user: "{{Said}}", last_role: user }
            answer: { tool_calls: [ { name: remember, arguments: { text: "The office is in Kazan", attribute: office, confidence: 80 } } ] }
        default: { text: "Nothing to do." }
        """;

    [WebFact]
    public async Task What_an_agent_remembered_is_seen_explained_corrected_and_forgotten()
    {
        world.Say(Remembers);
        var page = await world.NewChatAsync();
        await page.AskAsync(Said, "I keep it in mind.");
        var conversation = page.ConversationId();
        await page.GotoAsync("/profile");
        await page.GetByRole(AriaRole.Link, new() { Name = "See it" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "What is remembered about you" })).ToBeFocusedAsync();
        var fact = page.GetByRole(AriaRole.Row).Filter(new() { HasText = "The office is in Kazan" });
        await Expect(fact).ToContainTextAsync("the agent communicator");
        await Expect(fact).ToContainTextAsync("80%");

        await fact.GetByRole(AriaRole.Button, new() { Name = "Why is it known" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await Expect(dialog).ToContainTextAsync(Said);
        await page.AssertNoViolationsAsync("why", isOver: true);
        await dialog.GetByRole(AriaRole.Link, new() { Name = "The message" }).ClickAsync();
        await page.WaitForURLAsync($"**/c/{conversation}#m-*");
        await Expect(page.GetByRole(AriaRole.Log).GetByText(Said)).ToBeInViewportAsync();
        await page.GoBackAsync();

        await fact.GetByRole(AriaRole.Button, new() { Name = "Correct" }).ClickAsync();
        await page.AssertNoViolationsAsync("correct", isOver: true);
        await dialog.GetByLabel("Fact").FillAsync("no");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await Expect(dialog.GetByLabel("Fact")).ToHaveAttributeAsync("aria-invalid", "true");
        await dialog.GetByLabel("Fact").FillAsync("The office is in Moscow");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        var corrected = page.GetByRole(AriaRole.Row).Filter(new() { HasText = "The office is in Moscow" });
        await Expect(corrected).ToContainTextAsync("you");
        await Expect(fact).ToBeHiddenAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Earlier versions" }).ClickAsync();
        await Expect(fact).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Known now" }).ClickAsync();

        await corrected.GetByRole(AriaRole.Button, new() { Name = "Forget" }).ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Forget" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Nothing is remembered about you" })).ToBeVisibleAsync();
        Assert.DoesNotContain("office", (await page.ApiAsync("/api/v1/memory/export")).GetProperty("facts").ToString(), StringComparison.Ordinal);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Proposals_wait_for_a_word_facts_are_added_found_taken_along_and_all_forgotten()
    {
        var (id, name) = await world.NewPersonAsync();
        foreach (var text in (string[])["Likes trains", "Sold the house"])
        {
            await world.App.Get<IDatabase>().WriteAsync(
                session => FactWrites.KeepAsync(session, id, new NewFact { Text = text, AuthorKind = "extraction", Author = "extraction", Tainted = true, Proposed = true }, 100), CancellationToken.None);
        }

        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/profile/memory");
        await page.Button("Keep: Likes trains").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "Likes trains" })).ToBeVisibleAsync();
        await page.Button("Discard: Sold the house").ClickAsync();
        await Expect(page.GetByText("Sold the house")).ToBeHiddenAsync();
        await Expect(page.GetByRole(AriaRole.List, new() { Name = "Proposed" })).ToBeHiddenAsync();

        await page.Button("Remember a fact").ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Fact").FillAsync("My card is 4111 1111 1111 1111");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Remember a fact" }).ClickAsync();
        await Expect(dialog.GetByRole(AriaRole.Alert)).ToContainTextAsync("not remembered");
        await dialog.GetByLabel("Fact").FillAsync("My blood group is zero");
        await dialog.GetByLabel("Sensitive").CheckAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Remember a fact" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "My blood group" })).ToContainTextAsync("Sensitive");
        await page.GetByRole(AriaRole.Searchbox).FillAsync("blood group");
        await page.Button("Search").ClickAsync();
        await Expect(page.Locator("tbody tr").First).ToContainTextAsync("My blood group is zero");

        var file = await page.RunAndWaitForDownloadAsync(() => page.Button("Export").ClickAsync());
        using var taken = JsonDocument.Parse(await File.ReadAllTextAsync(await file.PathAsync()));
        Assert.Equal(2, taken.RootElement.GetProperty("facts").GetArrayLength());
        await page.Button("Forget everything").ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Forget everything" }).ClickAsync();
        await Expect(page.GetByText("2 facts are forgotten", new() { Exact = true })).ToBeVisibleAsync();
        Assert.Empty((await page.ApiAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_was_slower_with_a_correction_is_asked_and_a_list_that_cannot_be_read_says_so_and_is_read_again()
    {
        var (_, name) = await world.NewPersonAsync();
        using var person = await world.App.LogInAsync(name, WebWorld.Password);
        var fact = await person.PostAsync("/api/v1/memory", new { text = "Reads in the evening" }, HttpStatusCode.Created);
        var path = $"/api/v1/memory/{fact.GetProperty("id").GetString()}";
        var page = await world.SignedInAsync(name);
        var isBroken = true;
        await page.RouteAsync("**/api/v1/memory?status=active*", route => isBroken ? route.FulfillAsync(new() { Status = 500, ContentType = "application/problem+json", Body = """{"title":"Broken","status":500,"code":"internal","trace_id":"trace-4711"}""" }) : route.ContinueAsync());
        await page.GotoAsync("/profile/memory");
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("trace-4711");
        isBroken = false;
        await page.Button("Try again").ClickAsync();
        await page.Button("Correct: Reads in the evening").ClickAsync();
        var form = page.GetByRole(AriaRole.Dialog, new() { Name = "Correct what is remembered" });
        await form.GetByLabel("Sensitive").CheckAsync();
        using (var quicker = new HttpRequestMessage(HttpMethod.Patch, path) { Content = new StringContent("""{"valid_until":"2099-01-01T00:00:00Z"}""", null, "application/json") })
        {
            quicker.Headers.TryAddWithoutValidation("If-Match", "*");
            using var changed = await person.Client.SendAsync(quicker);
            Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        }

        await form.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog, new() { Name = "Somebody else was quicker" }).GetByRole(AriaRole.Button, new() { Name = "Show the new version" }).ClickAsync();
        await Expect(form.GetByLabel("True until")).ToHaveValueAsync("2099-01-01");
        await form.GetByLabel("Sensitive").CheckAsync();
        await form.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "Reads in the evening" })).ToContainTextAsync("Sensitive");
        Assert.Equal("sensitive", (await page.ApiAsync(path)).GetProperty("sensitivity").GetString());
        await page.Context.CloseAsync();
    }
}
