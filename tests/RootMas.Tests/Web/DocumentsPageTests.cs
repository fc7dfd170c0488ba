using System.Text;
using Microsoft.Playwright;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>The page of documents: in, found, read, shared, out.</summary>
[Collection(WebCollection.Name)]
public sealed class DocumentsPageTests(WebWorld world)
{
    [WebFact]
    public async Task A_document_is_uploaded_found_read_at_the_place_and_deleted()
    {
        var page = await world.NewChatAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Documents" }).ClickAsync();
        await Expect(page.GetByText("Can be read: text, Markdown, HTML, CSV, JSON, source code, Word (.docx)")).ToBeVisibleAsync();
        await UploadAsync(page, "rules.md", "# Rules\n\nThe office opens at nine.\n\n# Leave\n\nEvery employee has 28 days of leave a year.");
        await Expect(Row(page, "rules.md")).ToContainTextAsync("Ready");
        var first = (await page.ApiAsync("/api/v1/documents")).GetProperty("items")[0].Text("hash");
        await UploadAsync(page, "rules.md", "# Rules\n\nThe office opens at ten.\n\n# Leave\n\nEvery employee has 30 days of leave a year.");
        await Wait.UntilAsync(
            static async at => (await at.page.ApiAsync("/api/v1/documents")).GetProperty("items")[0] is var now && now.Text("hash") != at.first && now.Text("status") == "ready", (page, first), "The new version was not read");
        await Expect(page.GetByRole(AriaRole.List, new() { Name = "Files on their way" })).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Searchbox, new() { Name = "Search in the documents" }).FillAsync("How many days of leave are there?");
        await page.Keyboard.PressAsync("Enter");
        var found = page.GetByRole(AriaRole.List, new() { Name = "Passages that fit" });
        await Expect(found).ToContainTextAsync("30 days of leave");
        await page.AssertNoViolationsAsync("documents with passages");
        await found.GetByRole(AriaRole.Link).First.ClickAsync();
        await Expect(page.Locator("mark")).ToContainTextAsync("30 days of leave");
        await page.GoBackAsync();
        await Expect(Row(page, "rules.md")).ToHaveCountAsync(1);
        await page.Button("Delete rules.md").ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Delete", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "No documents yet" })).ToBeVisibleAsync();
        Assert.Empty((await page.ApiAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_collection_is_made_filled_shared_taken_back_and_deleted()
    {
        var (_, name) = await world.NewPersonAsync();
        using var other = await world.App.LogInAsync(name, WebWorld.Password);
        var page = await world.NewChatAsync();
        await page.GotoAsync("/documents");
        await page.Button("New collection").ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Name").FillAsync("Handbooks");
        await page.AssertNoViolationsAsync("a new collection", isOver: true);
        await page.Button("Create").ClickAsync();
        await Expect(page.GetByLabel("Collection", new() { Exact = true })).Not.ToHaveValueAsync("");
        await UploadAsync(page, "handbook.md", "Every employee has 28 days of leave a year.");
        await Expect(Row(page, "handbook.md")).ToContainTextAsync("Handbooks");

        await ChooseAsync(page, "Who reaches Handbooks");
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Let in" }).ClickAsync();
        await Expect(dialog.GetByRole(AriaRole.Alert)).ToHaveTextAsync("Say who.");
        await dialog.GetByLabel("Name").FillAsync(name);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Let in" }).ClickAsync();
        await Expect(dialog.GetByRole(AriaRole.List, new() { Name = "People" })).ToContainTextAsync("reads");
        await page.AssertNoViolationsAsync("who reaches a collection", isOver: true);
        Assert.Single((await other.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());
        await dialog.GetByRole(AriaRole.Button, new() { Name = $"Put {name} out" }).ClickAsync();
        await Expect(dialog).ToContainTextAsync("Nobody else reaches it.");
        Assert.Empty((await other.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());
        await page.Keyboard.PressAsync("Escape");

        await ChooseAsync(page, "Change Handbooks");
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Name").FillAsync("Rules");
        await page.Button("Save").ClickAsync();
        await ChooseAsync(page, "Delete Rules", "Rules");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("With the 1 document in it.");
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Delete", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "No documents yet" })).ToBeVisibleAsync();
        await page.Context.CloseAsync();
    }

    private static ILocator Row(IPage page, string name) => page.GetByRole(AriaRole.Row).Filter(new() { HasText = name });

    private static Task UploadAsync(IPage page, string name, string text) =>
        page.Locator("main input[type=file]").SetInputFilesAsync(new FilePayload { Name = name, MimeType = "text/plain", Buffer = Encoding.UTF8.GetBytes(text) });

    private static async Task ChooseAsync(IPage page, string what, string collection = "Handbooks")
    {
        await page.Button($"What to do with {collection}").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = what }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
    }
}
