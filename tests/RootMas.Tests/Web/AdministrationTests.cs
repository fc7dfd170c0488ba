using System.Net;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>Administrators at work on their pages, and what others see of it.</summary>
[Collection(WebCollection.Name)]
public sealed class AdministrationTests(WebWorld world)
{
    [WebFact]
    public async Task A_user_is_added_changed_and_disabled_on_the_page_and_their_open_tab_ends()
    {
        world.Say("""default: { text: "One two three four five six seven eight nine ten." }""");
        var (_, administrator) = await world.NewPersonAsync("admin");
        var page = await world.SignedInAsync(administrator);
        await page.GotoAsync("/admin/users");
        await page.Button("Add a user").ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Name").FillAsync("zoe");
        await dialog.GetByLabel("First password").FillAsync("short");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Add a user" }).ClickAsync();
        await Expect(dialog.GetByLabel("First password")).ToBeFocusedAsync();
        await Expect(dialog.GetByLabel("First password")).ToHaveAttributeAsync("aria-invalid", "true");
        await dialog.GetByLabel("First password").FillAsync(WebWorld.Password);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Add a user" }).ClickAsync();
        await Expect(page.GetByText("zoe was added", new() { Exact = true })).ToBeVisibleAsync();
        await Expect(dialog).ToBeHiddenAsync();

        var hers = await world.SignedInAsync("zoe");
        await hers.GotoAsync("/");
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await hers.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));

        await page.GetByLabel("Exact name").FillAsync("zoe");
        await page.Button("Search").ClickAsync();
        await Expect(page.Locator("tbody tr")).ToHaveCountAsync(1);
        await page.Button("Actions for zoe").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Disable" }).ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Disable" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Cell, new() { Name = "Disabled" })).ToBeVisibleAsync();
        await Expect(hers.GetByRole(AriaRole.Dialog, new() { Name = "Your session has ended" })).ToBeVisibleAsync();
        hold.Release();
        await hers.Context.CloseAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_users_session_is_ended_on_the_page_and_their_open_tab_ends()
    {
        world.Say("""default: { text: "One two three four five six seven eight nine ten." }""");
        var (_, administrator) = await world.NewPersonAsync("admin");
        var (_, name) = await world.NewPersonAsync();
        var theirs = await world.SignedInAsync(name);
        await theirs.GotoAsync("/");
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        await theirs.SendAsync("Count to ten");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));

        var page = await world.SignedInAsync(administrator);
        await page.GotoAsync("/admin/users");
        await page.GetByLabel("Exact name").FillAsync(name);
        await page.Button("Search").ClickAsync();
        await page.Button($"Actions for {name}").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Sessions" }).ClickAsync();
        var sessions = page.GetByRole(AriaRole.Dialog, new() { Name = $"Where {name} is signed in" });
        await Expect(sessions.GetByText("127.0.0.1")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("sessions of a user", isOver: true);
        await sessions.GetByRole(AriaRole.Button, new() { Name = "End the session of" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog, new() { Name = "End this session?" }).GetByRole(AriaRole.Button, new() { Name = "End", Exact = true }).ClickAsync();
        await Expect(sessions.GetByText($"{name} is signed in nowhere")).ToBeVisibleAsync();
        await Expect(theirs.GetByRole(AriaRole.Dialog, new() { Name = "Your session has ended" })).ToBeVisibleAsync();
        hold.Release();
        await theirs.Context.CloseAsync();
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task Whoever_was_slower_is_asked_what_shall_hold()
    {
        var (_, administrator) = await world.NewPersonAsync("admin");
        var (id, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(administrator);
        await page.GotoAsync("/admin/users");
        await page.GetByLabel("Exact name").FillAsync(name);
        await page.Button("Search").ClickAsync();
        await page.Button($"Actions for {name}").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Edit" }).ClickAsync();
        var form = page.GetByRole(AriaRole.Dialog, new() { Name = name });
        await form.GetByLabel("Role").SelectOptionAsync("readonly");
        using var quicker = await world.App.SendAsync(HttpMethod.Patch, $"/api/v1/users/{id}", """{"role":"agent"}""", ("If-Match", "*"));
        Assert.Equal(HttpStatusCode.OK, quicker.StatusCode);
        await form.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        var conflict = page.GetByRole(AriaRole.Dialog, new() { Name = "Somebody else was quicker" });
        await Expect(conflict).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("conflict", isOver: true);
        await conflict.GetByRole(AriaRole.Button, new() { Name = "Save mine over it" }).ClickAsync();
        await Expect(page.GetByText($"{name} was changed", new() { Exact = true })).ToBeVisibleAsync();
        Assert.Equal("readonly", (await world.App.GetJsonAsync($"/api/v1/users/{id}")).GetProperty("role").GetString());
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_run_is_shared_by_its_owner_and_taken_back()
    {
        world.Say("""default: { text: "The answer." }""");
        var (_, owner) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(owner);
        await page.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await page.GotoAsync("/");
        await page.AskAsync("A question to share", "The answer.");
        await page.Stored().GetByRole(AriaRole.Link, new() { Name = "Run", Exact = true }).ClickAsync();
        await page.Button("Share").ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog, new() { Name = "Share this run?" });
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Copy the link", Exact = true }).ClickAsync();
        await Expect(page.GetByText("The link is copied.").First).ToBeVisibleAsync();
        var link = await page.EvaluateAsync<string>("() => navigator.clipboard.readText()");

        var other = await world.SignedInAsync((await world.NewPersonAsync()).Name);
        await other.GotoAsync(link);
        await Expect(other.GetByRole(AriaRole.Heading, new() { Name = "This run is not yours to see" })).ToBeVisibleAsync();

        var admin = await world.SignedInAsync((await world.NewPersonAsync("admin")).Name);
        await admin.GotoAsync(link);
        await Expect(admin.GetByText("What was said is hidden")).ToBeVisibleAsync();
        await Expect(admin.Locator("main")).Not.ToContainTextAsync("A question to share");
        await admin.GotoAsync("/runs?user=*");
        await Expect(admin.GetByRole(AriaRole.Row).Filter(new() { HasText = owner })).ToHaveCountAsync(1);

        await dialog.GetByRole(AriaRole.Button, new() { Name = "Share and copy the link" }).ClickAsync();
        await Expect(dialog.GetByText("Shared since")).ToBeVisibleAsync();
        await page.AssertNoViolationsAsync("sharing a run", isOver: true);
        await other.GotoAsync(link);
        await Expect(other.GetByRole(AriaRole.Heading, new() { Name = "A question to share" })).ToBeVisibleAsync();
        await Expect(other.GetByText("You can read it.")).ToBeVisibleAsync();
        await Expect(other.Button("Repeat")).ToHaveCountAsync(0);
        await other.GotoAsync("/runs");
        await Expect(other.GetByText("Nothing has run yet")).ToBeVisibleAsync();
        var list = await page.Context.NewPageAsync();
        await list.GotoAsync("/runs");
        await Expect(list.GetByRole(AriaRole.Row).Filter(new() { HasText = "A question to share" })).ToContainTextAsync("Shared");
        await list.GetByLabel("Only those I share").ClickAsync(); // its state is the address, which comes a moment later
        await list.WaitForURLAsync("**/runs?shared=true");
        await Expect(list.GetByRole(AriaRole.Link, new() { Name = "A question to share" })).ToBeVisibleAsync();
        await list.AssertNoViolationsAsync("what one shares");

        await dialog.GetByRole(AriaRole.Button, new() { Name = "Stop sharing" }).ClickAsync();
        await Expect(dialog.GetByText("Not shared")).ToBeVisibleAsync();
        await list.ReloadAsync();
        await Expect(list.GetByText("No run fits")).ToBeVisibleAsync();
        await other.GotoAsync(link);
        await Expect(other.GetByRole(AriaRole.Heading, new() { Name = "This run is not yours to see" })).ToBeVisibleAsync();
        await page.GotoAsync("/runs");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "A question to share" })).ToBeVisibleAsync();
        foreach (var visit in (IPage[])[page, other, admin])
        {
            await visit.Context.CloseAsync();
        }
    }

    [WebFact]
    public async Task A_folder_is_chosen_by_menu_or_by_dragging_and_is_there_on_every_machine()
    {
        world.Say("""default: { text: "Answer to {{last_user}}" }""");
        var (_, name) = await world.NewPersonAsync();
        var page = await world.SignedInAsync(name);
        await page.GotoAsync("/");
        await page.AskAsync("trains", "Answer to trains");
        await page.Button("New conversation").ClickAsync();
        await page.AskAsync("hotels", "Answer to hotels");
        await page.Button("What to do with trains").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Move to a folder" }).ClickAsync();
        await page.GetByRole(AriaRole.Combobox, new() { Name = "Folder" }).FillAsync("Travel");
        await page.Button("Save").ClickAsync();
        var folder = page.GetByRole(AriaRole.Region, new() { Name = "Travel" });
        await Expect(folder.GetByRole(AriaRole.Link)).ToHaveTextAsync(["trains"]);
        await page.GetByRole(AriaRole.Link, new() { Name = "hotels" }).DragToAsync(folder.GetByRole(AriaRole.Heading));
        await Expect(folder.GetByRole(AriaRole.Link)).ToHaveCountAsync(2);

        // While something is dragged there is a place that makes a folder of it.
        await page.GetByRole(AriaRole.Link, new() { Name = "hotels" }).HoverAsync();
        await page.Mouse.DownAsync();
        await folder.GetByRole(AriaRole.Heading).HoverAsync();
        var place = page.GetByText("New folder", new() { Exact = true });
        await place.HoverAsync();
        await place.HoverAsync(new() { Position = new() { X = 5, Y = 5 } });
        await page.Mouse.UpAsync();
        await page.GetByLabel("Name of the folder").FillAsync("Beds");
        await page.Button("Save").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Beds" }).GetByRole(AriaRole.Link)).ToHaveTextAsync(["hotels"]);
        await Expect(place).ToBeHiddenAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "hotels" }).DragToAsync(folder.GetByRole(AriaRole.Heading));
        await Expect(folder.GetByRole(AriaRole.Link)).ToHaveCountAsync(2);
        var elsewhere = await world.SignedInAsync(name);
        await elsewhere.GotoAsync("/");
        await Expect(elsewhere.GetByRole(AriaRole.Region, new() { Name = "Travel" }).GetByRole(AriaRole.Link)).ToHaveCountAsync(2);
        await elsewhere.Context.CloseAsync();
        await page.Context.CloseAsync();
    }
}
