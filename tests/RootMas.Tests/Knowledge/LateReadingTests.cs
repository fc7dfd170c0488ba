using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class LateReadingOnSqliteTests() : LateReadingTests(DatabaseKind.Sqlite);

public sealed class LateReadingOnPostgresTests() : LateReadingTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>An exchange that no model could read in its turn is read after what was said since; and what the model that reads is told beside it.</summary>
public abstract class LateReadingTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly string Script = $$"""
        rules:
          - match: { structured: true, last_message: "I live in Kazan" }
            answer: { json: { facts: [ {{Lives("Kazan", "I live in Kazan")}} ] } }
          - match: { structured: true, last_message: "I moved to Moscow" }
            answer: { json: { facts: [ {{Lives("Moscow", "I moved to Moscow")}} ] } }
          - match: { structured: true, last_message: "What the user said" }
            answer: { json: { facts: [] } }
        default: { text: "Noted." }
        """;

    private static string Lives(string city, string evidence) => MemoryReadingTests.Fact(
        $"The user lives in {city}", evidence, relations: $$"""{ from: "user", from_type: "person", type: "lives in", to: "{{city}}", to_type: "place" }""");

    [DatabaseTheory]
    [InlineData("read")]
    [InlineData("said again")]
    [InlineData("entered by hand")]
    [InlineData("corrected")]
    public async Task What_was_said_before_takes_no_place_of_what_was_said_since_however_late_it_is_read(string since)
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var reader = world.App.Get<MemoryReader>();
        var before = since == "corrected" ? await alice.PostAsync("/api/v1/memory", new { text = "I live in Perm" }, HttpStatusCode.Created) : default;
        if (since == "said again")
        {
            await MemoryRunTests.AskAsync(alice, "I moved to Moscow");
            Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        }

        await MemoryRunTests.AskAsync(alice, "I live in Kazan");
        world.Sim.Use("""default: { text: "{ not json" }""");
        Assert.True(await reader.ReadOneAsync(CancellationToken.None)); // it is given back
        world.Sim.Use(Script);
        switch (since)
        {
            case "entered by hand":
                await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
                break;
            case "corrected":
                await CorrectAsync(alice, before.Id(), "I live in Moscow");
                break;
            default:
                await MemoryRunTests.AskAsync(alice, "I moved to Moscow");
                Assert.True(await reader.ReadOneAsync(CancellationToken.None));
                break;
        }

        await world.App.Get<IDatabase>().WriteAsync(async session => _ = await session.Prepared("update memory_jobs set due_at = 0").RunAsync(), CancellationToken.None);
        Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        var now = Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        Assert.EndsWith("Moscow", now.Text("text"), StringComparison.Ordinal);
        var old = Assert.Single((await alice.GetAsync("/api/v1/memory?status=superseded")).GetProperty("items").EnumerateArray(), static f => f.Text("text").EndsWith("Kazan", StringComparison.Ordinal));
        Assert.Equal(now.Id(), old.Text("replaced_by"));
        Assert.True(old.GetProperty("valid_from").GetDateTimeOffset() < old.GetProperty("valid_until").GetDateTimeOffset());
        var history = (await alice.GetAsync($"/api/v1/memory/{now.Id()}/why")).GetProperty("history").EnumerateArray().Select(static f => f.Id());
        Assert.Contains(old.Id(), history);
        Assert.Equal(["Moscow"], await HomesAsync(alice, past: false));
        Assert.Contains("Kazan", await HomesAsync(alice, past: true));
    }

    [DatabaseFact]
    public async Task What_is_read_in_its_turn_takes_the_place_of_what_was_said_before()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
        await MemoryRunTests.AskAsync(alice, "I live in Kazan");
        Assert.True(await world.App.Get<MemoryReader>().ReadOneAsync(CancellationToken.None));
        Assert.Equal("The user lives in Kazan", Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Text("text"));
    }

    [DatabaseFact]
    public async Task Nothing_sensitive_is_told_to_the_model_that_reads()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I am allergic to nuts" }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/memory", new { text = "I sell nuts" }, HttpStatusCode.Created);
        await MemoryRunTests.AskAsync(alice, "I am at the market. Which nuts are in season?");
        Assert.True(await world.App.Get<MemoryReader>().ReadOneAsync(CancellationToken.None));
        var asked = world.Sim.Calls.Last(static c => c.Body!.Contains("What the user said", StringComparison.Ordinal)).Body!;
        Assert.Contains("I sell nuts", asked, StringComparison.Ordinal);
        Assert.DoesNotContain("allergic", asked, StringComparison.Ordinal);
    }

    private static Task<ChatWorld> StartAsync() =>
        ChatWorld.StartAsync(Script, configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0")); // read when the test says so

    private static async Task CorrectAsync(TestUser user, string id, string text)
    {
        using var read = await user.Client.GetAsync($"/api/v1/memory/{id}");
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/memory/{id}") { Content = JsonContent.Create(new { text }) };
        request.Headers.TryAddWithoutValidation("If-Match", read.Headers.ETag!.ToString());
        using var answer = await user.Client.SendAsync(request);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
    }

    private static async Task<List<string>> HomesAsync(TestUser user, bool past)
    {
        var answer = await user.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "user", past });
        var names = answer.GetProperty("nodes").EnumerateArray().ToDictionary(static n => n.Id(), static n => n.Text("name"));
        return [.. answer.GetProperty("relations").EnumerateArray().Where(static r => r.Text("type") == "lives_in").Select(r => names[r.Text("to")])];
    }
}
