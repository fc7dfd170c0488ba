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

    [WebFact]
    public async Task An_answer_of_the_team_is_its_steps_its_plan_as_a_list_what_it_says_and_what_one_can_do_with_it()
    {
        var room = await world.ShowroomAsync();
        await room.GoAsync(room.Wide, "/c/TRIP");
        await room.Wide.Button("Steps").ClickAsync();
        await Expect(room.Wide.Locator("main")).ToMatchAriaSnapshotAsync("""
            - log "Plan three days in Kazan with a budget of 300 dollars":
              - article "You":
                - text: Plan three days in Kazan with a budget of 300 dollars
                - button "Edit the message"
              - article "communicator answers":
                - button /\d+ steps/
                - figure /Three days in Kazan for 300 dollars 3 of 3 tasks done/:
                  - group /3 of 3 tasks done/:
                    - list:
                      - listitem "Collect sights, fares and prices in Kazan":
                        - text: researcher done
                        - link "Collect sights, fares and prices in Kazan"
                      - listitem "Order the sights into three days":
                        - text: workflow_builder done
                        - link "Order the sights into three days"
                      - listitem "Check the arithmetic against the budget":
                        - text: budget_manager done
                        - link "Check the arithmetic against the budget"
                - heading "Three days in Kazan" [level=2]
                - table:
                  - rowgroup:
                    - row "Day Plan USD":
                      - columnheader "Day"
                      - columnheader "Plan"
                      - columnheader "USD"
                  - rowgroup:
                    - row "1 Kremlin, Bauman Street 70"
                    - row "2 Sviyazhsk by boat 95"
                    - row "3 Old Tatar Quarter, farewell dinner 80"
                - paragraph:
                  - strong: 245 dollars
                  - emphasis: boat
                - button "Copy"
                - button "Answer again"
                - button "Good answer"
                - button "Bad answer"
                - button "Steps" [expanded]
                - link "Run"
            - textbox "Message"
            - paragraph: /This conversation/
            """);
    }

    [WebFact]
    public async Task A_run_is_its_facts_its_views_and_a_tree_of_steps()
    {
        var room = await world.ShowroomAsync();
        await room.GoAsync(room.Wide, "/runs/RUN");
        await Expect(room.Wide.Locator("main")).ToMatchAriaSnapshotAsync("""
            - heading "Plan three days in Kazan with a budget of 300 dollars" [level=1]
            - button "Share"
            - button "Repeat"
            - term: State
            - definition: Completed
            - term: Agents
            - definition: communicator, meta
            - term: Conversation
            - definition:
              - link "Open the conversation"
            - tablist "Views of the run":
              - tab "Timeline" [selected]
              - tab "Answer"
              - tab "Plan"
              - tab "Raw events"
            - tabpanel "Timeline":
              - status: 5 steps
              - button "Open all"
              - treegrid "Timeline":
                - row "Step When Duration":
                  - columnheader "Step"
                  - columnheader "When"
                  - columnheader "Duration"
                - rowgroup:
                  - row /communicator after/ [expanded] [level=1] [selected]:
                    - gridcell "communicator"
                  - row /answer after/ [level=2]
                  - row /delegate after/ [expanded] [level=2]
                  - row /Plan three days in Kazan for 300 dollars/ [level=3]
                  - row /answer after/ [level=2]
              - region "The chosen step":
                - heading "communicator" [level=2]
                - button "Show in the raw events"
            """);
    }

    [WebFact]
    public async Task The_dashboard_is_terms_with_their_figures_and_pictures_with_their_tables()
    {
        var room = await world.ShowroomAsync();
        await room.GoAsync(room.Wide, "/dashboard");
        await Expect(room.Wide.Locator("main")).ToMatchAriaSnapshotAsync("""
            - heading "Dashboard" [level=1]
            - term: Agents at work
            - term: Running
            - term: Waiting to run
            - term: Stuck
            - term: Approvals waiting
            - term: Model calls
            - term: Cost
            - heading "Usage" [level=2]
            - combobox "Figure"
            - combobox "By"
            - combobox "Time"
            - combobox "Whose"
            - figure "Requests · Agent · 7 days":
              - list:
                - listitem: communicator
              - group: Show as a table
            - region "Totals"
            """);
    }

    [WebFact]
    public async Task Users_are_a_table_whose_actions_say_whom_they_are_for()
    {
        var room = await world.ShowroomAsync();
        await room.GoAsync(room.Wide, "/admin");
        await Expect(room.Wide.Locator("main")).ToMatchAriaSnapshotAsync("""
            - heading "Administration" [level=1]
            - navigation "Parts of the administration":
              - list:
                - listitem:
                  - link "Users"
                - listitem:
                  - link "Roles"
                - listitem:
                  - link "Models"
                - listitem:
                  - link "Settings"
                - listitem:
                  - link "Secrets"
                - listitem:
                  - link "Signing keys"
                - listitem:
                  - link "Audit log"
                - listitem:
                  - link "Backups"
                - listitem:
                  - link "Queue"
                - listitem:
                  - link "Logs"
            - heading "Users" [level=2]
            - button "Add a user"
            - group "Filters":
              - textbox "Exact name"
              - button "Search"
            - region "Users":
              - table "Users":
                - rowgroup:
                  - row:
                    - columnheader "Name"
                    - columnheader "Role"
                    - columnheader "State"
                    - columnheader "Last sign-in"
                    - columnheader "Created"
                    - columnheader "Actions"
                - rowgroup:
                  - row /olga \(you\)/:
                    - cell "olga (you)"
                    - cell "Administrator"
                    - cell "Active"
                    - cell:
                      - button "Actions for olga"
            """);
    }
}
