using Microsoft.Playwright;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What assistive technology is told of a page: roles, names, states, order.</summary>
[Collection(WebCollection.Name)]
public sealed class AccessibilityTreeTests(WebWorld world)
{
    [WebFact]
    public async Task Sign_in_is_a_form_with_a_name_a_password_and_a_button()
    {
        var page = await world.VisitAsync();
        await page.GotoAsync("/");
        await Expect(page.Locator("body")).ToMatchAriaSnapshotAsync("""
            - main:
              - heading /Root-MAS|Sign in/ [level=1]
              - textbox "Name"
              - textbox "Password"
              - button "Sign in"
            """);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_conversation_is_navigation_list_log_and_message_box_in_this_order()
    {
        world.Say("""default: { text: "The answer." }""");
        var page = await world.NewChatAsync();
        await page.AskAsync("A question", "The answer.");
        await Expect(page.Locator("#root")).ToMatchAriaSnapshotAsync("""
            - link "Skip to the content"
            - navigation "Main":
              - button "Search and commands"
              - list:
                - listitem:
                  - link "Chat"
                - listitem:
                  - link "Runs"
                - listitem:
                  - link "Team"
                - listitem:
                  - link "Documents"
                - listitem:
                  - link "Approvals"
                - listitem:
                  - link "Dashboard"
                - listitem:
                  - link "Profile"
            - main:
              - complementary "Conversations":
                - button "New conversation"
                - searchbox "Search conversations"
                - region "Conversations":
                  - list:
                    - listitem:
                      - link "A question"
                      - button "What to do with A question"
                - button "Show the archive"
              - heading "A question" [level=1]
              - log "A question":
                - article "You":
                  - text: A question
                  - button "Edit the message"
                - article /answers/:
                  - paragraph: The answer.
                  - button "Copy"
                  - button "Answer again"
                  - button "Good answer"
                  - button "Bad answer"
                  - button "Steps"
                  - link "Run"
              - textbox "Message"
              - button "Who answers"
              - button "Attach files"
              - button "Send" [disabled]
            """);
        await page.Context.CloseAsync();
    }

    [WebFact]
    public async Task A_call_that_waits_is_a_region_with_the_exact_call_a_reason_and_two_buttons()
    {
        var room = await world.ShowroomAsync();
        await room.GoAsync(room.Wide, "/approvals");
        await Expect(room.Wide.Locator("main")).ToMatchAriaSnapshotAsync("""
            - heading "Approvals" [level=1]
            - tablist "Approvals":
              - tab "Waiting" [selected]
              - tab "Decided"
            - tabpanel "Waiting":
              - list:
                - listitem:
                  - group "May http_request run?":
                    - heading "May http_request run?" [level=2]
                    - term: Asked by
                    - definition: multi_tool
                    - term: Expires
                    - text: /Exactly this.*Kazan, 3 days/
                    - textbox "Reason (optional)"
                    - button "Approve"
                    - button "Deny"
                  - paragraph:
                    - link "Open the run"
            """);
    }
}
