using System.Net;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>To take one's data along, and to have it deleted: all of it.</summary>
[Collection(WebCollection.Name)]
public sealed class MyDataTests(WebWorld world)
{
    [WebFact]
    public async Task What_a_program_said_in_ones_name_is_exported_and_deleted_too()
    {
        world.Say("""default: { text: "Simulated answer." }""");
        var (_, name) = await world.NewPersonAsync();
        using var user = await world.App.LogInAsync(name, WebWorld.Password);
        await user.PostAsync("/v1/chat/completions", new { model = "agent:communicator", messages = new[] { new { role = "user", content = "A program asks this." } } }, HttpStatusCode.OK);
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/");
        await page.AskAsync("A person asks this.", "Simulated answer.");

        await page.GotoAsync("/profile");
        var exported = await page.RunAndWaitForDownloadAsync(() => page.Button("Export").ClickAsync());
        await using (var file = File.OpenRead(await exported.PathAsync()))
        {
            var all = (await JsonDocument.ParseAsync(file)).RootElement;
            var said = all.GetProperty("conversations").EnumerateArray().SelectMany(static c => c.GetProperty("messages").EnumerateArray()).Select(static m => m.GetProperty("content").GetString()).ToList();
            Assert.Contains("A program asks this.", said);
            Assert.Contains("A person asks this.", said);
            Assert.Equal(2, all.GetProperty("runs").GetArrayLength());
        }

        await page.Button("Delete my data").ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Delete my data" }).ClickAsync();
        await Expect(page.GetByText("2 conversations", new() { Exact = false })).ToBeVisibleAsync();
        await page.UntilAsync("async () => (await (await fetch('/api/v1/runs')).json()).items.length === 0"); // they go after the commit
        await page.Context.CloseAsync();
    }
}
