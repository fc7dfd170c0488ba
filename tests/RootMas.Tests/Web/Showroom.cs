using System.Net;
using Microsoft.Playwright;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>An administrator whose pages have something to show, and the two windows before her: English and wide, Russian and narrow. Made once; what tests do on these pages leaves them as they are.</summary>
public sealed class Showroom : IAsyncDisposable
{
    public const string Owner = "olga";

    /// <summary>What the team does and says there, and in the test that watches it.</summary>
    public static readonly string Script = $$"""
        rules:
          - match: { agent: communicator, last_role: tool }
            answer: { text: {{Quoted("""
                ## Three days in Kazan

                | Day | Plan | USD |
                |-----|------|----:|
                | 1 | Kremlin, Bauman Street | 70 |
                | 2 | Sviyazhsk by boat | 95 |
                | 3 | Old Tatar Quarter, farewell dinner | 80 |

                Together **245 dollars**, 55 below the budget. The fares were checked; the *boat* goes from May to October.
                """)}} }
          - match: { agent: communicator, last_user: "days in Kazan", last_role: user }
            answer: { tool_calls: [ { name: delegate, arguments: { agent: meta, task: "Plan three days in Kazan for 300 dollars and check the arithmetic" } } ] }
          - match: { agent: multi_tool, last_user: "Post it", last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{"{{base_url}}"}}/_tool/note", json: { title: "Kazan, 3 days", total: 245 } } } ] }
          - match: { last_message: "task graph", structured: true }
            answer: { text: {{Quoted("""
                {"goal":"Three days in Kazan for 300 dollars","tasks":[
                {"id":"facts","agent":"researcher","task":"Collect sights, fares and prices in Kazan","depends_on":[],"done_when":"Each price has a source"},
                {"id":"route","agent":"workflow_builder","task":"Order the sights into three days","depends_on":["facts"],"done_when":"Three days, no way twice"},
                {"id":"sum","agent":"budget_manager","task":"Check the arithmetic against the budget","depends_on":["facts"],"done_when":"The sum is right"}]}
                """)}} }
          - match: { last_message: "All tasks are settled", structured: true }
            answer: { text: '{"verdict":"done","summary":"Everything fits the budget."}' }
          - match: { agent: communicator, last_user: "Show me everything" }
            answer: { text: {{Quoted(Everything)}} }
        default: { text: "Sights, fares and prices, each with its source." }
        """;

    private const string Everything = """
        ## A heading

        Text with **bold**, *italic*, ~~struck~~, `code` and [a link](https://example.org/path).

        | Name | Value |
        |------|------:|
        | one | 1 |

        - [x] done
        - a list

        > A quotation.

        ```js
        // a comment
        const answer = "forty-two" + 42; function f(x) { return null; }
        ```

        $$ E = mc^2 $$

        1. What is wide in a list:

           ```sh
           curl --fail --silent --show-error --location https://example.org/a/long/path/to/a/file/that/is/fetched --output /somewhere/else/on/this/machine/file.tar.gz
           ```
        2. A table:

           | The first of its columns | The second of its columns | The third of its columns | The fourth of its columns | The fifth of its columns |
           |---|---|---|---|---|
           | unbroken_words_one | unbroken_words_two | unbroken_words_three | unbroken_words_four | unbroken_words_five |

        > Quoted:
        >
        > ```
        > one line of code that is quoted, and longer than any column of text on any of the pages of this app could ever be, as one may hope
        > ```

        $$ a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + a_{10} + a_{11} + a_{12} + a_{13} + a_{14} + a_{15} + a_{16} + a_{17} + a_{18} + a_{19} + a_{20} + a_{21} + a_{22} + a_{23} + a_{24} = s $$

        The end of everything.
        """;

    private readonly Dictionary<string, string> _places = [];

    private Showroom()
    {
    }

    public required IPage Wide { get; init; }

    public required IPage Narrow { get; init; }

    public static async Task<Showroom> OpenAsync(WebWorld world)
    {
        await world.NewPersonAsync("admin", Owner);
        world.Say(Script);
        var room = new Showroom
        {
            Wide = await world.SignedInAsync(Owner),
            Narrow = await world.SignedInAsync(Owner, new Visit { Language = "ru-RU", Width = 390 }),
        };
        using var olga = await world.App.LogInAsync(Owner, WebWorld.Password);
        var rich = await olga.PostAsync("/api/v1/chat", new { message = "Show me everything" });
        var trip = await olga.PostAsync("/api/v1/chat", new { message = "Plan three days in Kazan with a budget of 300 dollars" });
        var posted = await olga.PostAsync("/api/v1/chat", new { message = "Post it", agent = "multi_tool" }, HttpStatusCode.Accepted);
        await RememberAsync(world, olga);
        using var disabled = await world.App.LogInAsync((await world.NewPersonAsync()).Name, WebWorld.Password);
        var foreign = await disabled.PostAsync("/api/v1/chat", new { message = "Show me everything" });
        var document = await olga.UploadAsync("travel-rules.md", "# Travel\n\nFlights are booked by the office. A train ride in second class is paid in full.\n\n# Leave\n\nEvery employee has 28 days of leave a year.");
        room._places["DOCUMENT"] = document.Id();
        room._places["RICH"] = rich.GetProperty("conversation_id").GetString()!;
        room._places["TRIP"] = trip.GetProperty("conversation_id").GetString()!;
        room._places["RUN"] = trip.GetProperty("run_id").GetString()!;
        room._places["WAITING"] = posted.GetProperty("conversation_id").GetString()!;
        room._places["FOREIGN"] = foreign.GetProperty("run_id").GetString()!;
        return room;
    }

    /// <summary>Goes to an address, in which RICH, TRIP, RUN, WAITING, FOREIGN and DOCUMENT stand for what is there, and waits until everything is.</summary>
    public async Task GoAsync(IPage page, string address)
    {
        var path = _places.Aggregate(address, static (path, place) => path.Replace(place.Key, place.Value, StringComparison.Ordinal));
        await page.GotoAsync(path);
        await Expect(page.Locator("main h1, main [role=log], main [role=alert]").First).ToBeAttachedAsync();
        await page.UntilAsync("() => !document.querySelector('main [class*=loading], main [aria-busy=true]:not(article)')");
        await page.EvaluateAsync("() => document.fonts.ready.then(() => true)");
    }

    public async ValueTask DisposeAsync()
    {
        await Wide.Context.CloseAsync();
        await Narrow.Context.CloseAsync();
    }

    /// <summary>What she said herself, what it replaced, what nobody is told unasked, and what waits for her word.</summary>
    private static async Task RememberAsync(WebWorld world, TestUser olga)
    {
        foreach (var text in (string[])["I live in Perm", "I live in Kazan", "I am allergic to nuts", "I travel by train"])
        {
            await olga.PostAsync("/api/v1/memory", new { text }, HttpStatusCode.Created);
        }

        await world.App.Get<IDatabase>().WriteAsync(
            session => FactWrites.KeepAsync(session, olga.Id, new NewFact { Text = "Prefers the night train", AuthorKind = "extraction", Author = "extraction", Tainted = true, Proposed = true }, 100), CancellationToken.None);
    }

    /// <summary>JSON is YAML.</summary>
    private static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}
