using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Chat;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Faults;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class MemoryReadingOnSqliteTests() : MemoryReadingTests(DatabaseKind.Sqlite);

public sealed class MemoryReadingOnPostgresTests() : MemoryReadingTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What is learned after a run, by a cheap model, off the user's path.</summary>
public abstract class MemoryReadingTests(DatabaseKind kind) : OnDatabase(kind)
{
    internal static string Fact(string text, string evidence, string attribute = "", int confidence = 90, string replaces = "", string relations = "") =>
        $$"""{ text: "{{text}}", attribute: "{{attribute}}", said: 1, evidence: "{{evidence}}", confidence: {{confidence}}, sensitive: false, valid_until: "", replaces: [{{replaces}}], relations: [{{relations}}] }""";

    private static readonly string Script = $$$"""
        rules:
          - name: facts
            match: { structured: true, last_message: "I moved to Moscow" }
            answer: { json: { facts: [ {{{Fact("The user lives in Moscow", "I moved to Moscow", replaces: "1")}}} ] } }
          - name: facts
            match: { structured: true, last_message: "What the user said" }
            answer: { json: { facts: [
              {{{Fact("The user lives in Kazan", "i live in kazan", "residence", relations: """{ from: "user", from_type: "person", type: "lives in", to: "Kazan", to_type: "place" }""")}}},
              {{{Fact("The user owns a yacht", "I own a yacht")}}},
              {{{Fact("The user may like fish", "I live in Kazan", confidence: 30)}}} ] } }
        default: { text: "Noted." }
        """;

    [DatabaseFact]
    public async Task Facts_are_taken_from_the_users_own_words_and_a_later_one_supersedes()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => o.Settings["Knowledge:Memory:ExtractDelay"] = "0s");
        using var alice = await world.App.AsAsync("alice");
        var said = await MemoryRunTests.AskAsync(alice, "Hello, I live in Kazan. What is new?");
        var fact = await OnlyFactAsync(alice, "The user lives in Kazan"); // neither the invention nor the guess
        Assert.Equal(("extraction", "home", said.Text("conversation_id"), "i live in kazan"),
            (fact.Text("author_kind"), fact.Text("attribute"), fact.GetProperty("source").Text("conversation_id"), fact.GetProperty("source").Text("excerpt")));
        var neighbours = await alice.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "user" });
        Assert.Equal("lives_in", neighbours.GetProperty("relations")[0].Text("type"));

        await MemoryRunTests.AskAsync(alice, "I moved to Moscow last week");
        var now = await OnlyFactAsync(alice, "The user lives in Moscow");
        Assert.Equal(2, (await alice.GetAsync($"/api/v1/memory/{now.Id()}/why")).GetProperty("history").GetArrayLength());
        await MemoryRunTests.AskAsync(alice, "What is two and two?");
        Assert.Equal(2, await CountAsync(world, "select count(*) from usage_ledger where purpose = 'extract' and run_id is null"));
        Assert.Equal(0, await CountAsync(world, "select count(*) from memory_jobs"));
    }

    [DatabaseFact]
    public async Task What_a_tainted_run_learned_is_only_proposed_and_told_to_nobody_until_its_user_agrees()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => o.Settings["Knowledge:Memory:ExtractDelay"] = "0s");
        using var alice = await world.App.AsAsync("alice");
        await world.App.Get<IDatabase>().WriteAsync(
            session => FactWrites.KeepAsync(session, alice.Id, new NewFact { Text = "From a page", AuthorKind = "agent", Author = "researcher", Tainted = true }, 100), CancellationToken.None);
        await MemoryRunTests.AskAsync(alice, "I live in Kazan, by the way");
        await Wait.UntilAsync(async user => (await user.GetAsync("/api/v1/memory?status=proposed")).GetProperty("items").GetArrayLength() == 1, alice, "nothing was proposed");
        var proposed = (await alice.GetAsync("/api/v1/memory?status=proposed")).GetProperty("items")[0];
        await MemoryRunTests.AskAsync(alice, "Hello");
        Assert.DoesNotContain("lives in Kazan", MemoryRunTests.Prompt(world), StringComparison.Ordinal);
        await alice.PostAsync($"/api/v1/memory/{proposed.Id()}/decision", new { decision = "keep" });
        await MemoryRunTests.AskAsync(alice, "Hello");
        Assert.Contains("lives in Kazan", MemoryRunTests.Prompt(world), StringComparison.Ordinal);
        await alice.PostAsync($"/api/v1/memory/{proposed.Id()}/decision", new { decision = "discard" }, HttpStatusCode.NotFound);
    }

    [DatabaseFact]
    public async Task Nothing_is_learned_from_a_dead_branch_nor_by_somebody_who_lost_the_exchange_to_another()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0"));
        using var alice = await world.App.AsAsync("alice");
        var (queue, reader, database) = (world.App.Get<MemoryQueue>(), world.App.Get<MemoryReader>(), world.App.Get<IDatabase>());
        var dead = await MemoryRunTests.AskAsync(alice, "I live in Kazan, or so I thought");
        var message = (await alice.GetAsync($"/api/v1/conversations/{dead.Text("conversation_id")}/messages")).GetProperty("items")[0];
        await world.App.Get<IDatabase>().WriteAsync(session => MessageWrites.BuryAsync(session, dead.Text("conversation_id")!, message.Text("run_id")!), CancellationToken.None);
        Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        Assert.Empty((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());

        await MemoryRunTests.AskAsync(alice, "I live in Kazan");
        var lost = (await queue.AskingAsync((await queue.TakeAsync(CancellationToken.None))!, CancellationToken.None))!;
        Assert.False(await reader.ReadOneAsync(CancellationToken.None), "an exchange that somebody reads was taken");
        await database.WriteAsync(async session => _ = await session.Prepared("update memory_jobs set claimed_until = 0").RunAsync(), CancellationToken.None);
        Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        Assert.Empty(await database.WriteAsync(session => MemoryQueue.FinishAsync(session, lost), CancellationToken.None));
        Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        Assert.Equal(1, await CountAsync(world, "select count(*) from usage_ledger where purpose = 'extract' and outcome = 'in_doubt'"));
    }

    /// <summary>A row of the ledger that is in doubt stands for a request that may have been sent.</summary>
    [DatabaseTheory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Of_a_reading_that_died_only_a_request_that_may_have_left_is_in_doubt(bool isDead, bool isAsked)
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0"));
        using var alice = await world.App.AsAsync("alice");
        var (queue, reader, database) = (world.App.Get<MemoryQueue>(), world.App.Get<MemoryReader>(), world.App.Get<IDatabase>());
        var said = await MemoryRunTests.AskAsync(alice, "I live in Kazan");
        if (isDead)
        {
            var message = (await alice.GetAsync($"/api/v1/conversations/{said.Text("conversation_id")}/messages")).GetProperty("items")[0];
            await database.WriteAsync(session => MessageWrites.BuryAsync(session, said.Text("conversation_id")!, message.Text("run_id")!), CancellationToken.None);
        }

        var dead = (await queue.TakeAsync(CancellationToken.None))!;
        dead = isAsked ? await queue.AskingAsync(dead, CancellationToken.None) : dead;
        await database.WriteAsync(async session => _ = await session.Prepared("update memory_jobs set claimed_until = 0").RunAsync(), CancellationToken.None); // and it dies
        Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        Assert.Equal(0, await CountAsync(world, "select count(*) from memory_jobs"));
        Assert.Equal(isAsked ? 1 : 0, await CountAsync(world, "select count(*) from usage_ledger where purpose = 'extract' and outcome = 'in_doubt'"));
        Assert.Null(await queue.AskingAsync(dead! with { Claim = "new:" + dead.Claim }, CancellationToken.None)); // whoever lost it sends nothing
    }

    [DatabaseFact]
    public async Task After_everything_was_forgotten_neither_an_exchange_that_waits_nor_one_that_is_read_now_teaches_anything()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0"));
        using var alice = await world.App.AsAsync("alice");
        using var bob = await world.App.AsAsync("bob");
        var (queue, reader, database) = (world.App.Get<MemoryQueue>(), world.App.Get<MemoryReader>(), world.App.Get<IDatabase>());
        await MemoryRunTests.AskAsync(alice, "I live in Kazan");
        var reading = (await queue.TakeAsync(CancellationToken.None))!;
        await MemoryRunTests.AskAsync(alice, "Hello, I live in Kazan");
        await MemoryRunTests.AskAsync(bob, "I live in Kazan");
        await database.WriteAsync(
            session => session.Prepared("insert into memory_calls (call_key, owner_id, result, created_at) values ('k', @owner, 'Remembered as 1: lives in Kazan', @now)").Set("owner", alice.Id).Set("now", session.Now).RunAsync(),
            CancellationToken.None);
        Assert.Equal(3, await CountAsync(world, "select count(*) from memory_jobs"));

        using var all = await alice.Client.DeleteAsync("/api/v1/memory");
        Assert.Equal(HttpStatusCode.OK, all.StatusCode);
        Assert.Empty(await database.WriteAsync(session => MemoryQueue.FinishAsync(session, reading), CancellationToken.None));
        Assert.Equal(((long?)1, (long?)0), (await CountAsync(world, "select count(*) from memory_calls"), await CountAsync(world, "select count(*) from memory_calls where result like '%Kazan%'")));
        Assert.True(await reader.ReadOneAsync(CancellationToken.None)); // that of bob
        Assert.False(await reader.ReadOneAsync(CancellationToken.None));
        Assert.Empty((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        Assert.Single((await bob.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task While_no_model_answers_the_exchange_waits_and_is_read_when_one_does()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0"));
        using var alice = await world.App.AsAsync("alice");
        var (reader, database) = (world.App.Get<MemoryReader>(), world.App.Get<IDatabase>());
        await MemoryRunTests.AskAsync(alice, "I live in Kazan");
        world.Sim.Use("""default: { text: "{ not json" }""");
        Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        Assert.Equal(1, await CountAsync(world, "select count(*) from memory_jobs where claim is null and attempts = 1"));
        world.Sim.Use(Script);
        await database.WriteAsync(async session => _ = await session.Prepared("update memory_jobs set due_at = 0").RunAsync(), CancellationToken.None);
        Assert.True(await reader.ReadOneAsync(CancellationToken.None));
        Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [DatabaseTheory]
    [InlineData("auth")]
    [InlineData("budget")]
    public async Task A_wrong_key_or_a_budget_that_is_used_up_costs_an_exchange_none_of_its_attempts(string what)
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o =>
        {
            (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0");
            o.Settings["Budgets:Agents:memory"] = what == "budget" ? "0.000001" : "100";
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
                models: { priced: { provider: sim, price: { input: 1, output: 1 } } }
                tiers: { cheap: [priced], standard: [priced], premium: [priced] }
                """;
        });
        using var alice = await world.App.AsAsync("alice");
        var (reader, database) = (world.App.Get<MemoryReader>(), world.App.Get<IDatabase>());
        var conversation = (await MemoryRunTests.AskAsync(alice, "I live in Kazan")).Text("conversation_id");
        await alice.PostAsync("/api/v1/chat", new { message = "I am as I am", conversation_id = conversation });
        Task DueAsync() => database.WriteAsync(async session => _ = await session.Prepared("update memory_jobs set due_at = 0").RunAsync(), CancellationToken.None);
        sim.Use(what == "auth" ? "default: { fault: { kind: status, status: 401 } }" : Script);
        for (var attempt = 0; attempt < 8; attempt++)
        {
            Assert.True(await reader.ReadOneAsync(CancellationToken.None));
            Assert.Equal(2, await CountAsync(world, "select count(*) from memory_jobs where claim is null and attempts = 0"));
            await DueAsync();
        }

        if (what == "budget")
        {
            return; // of this agent, and it lasts until the settings are others
        }

        sim.Use(Script);
        await Wait.UntilAsync(
            async r =>
            {
                await DueAsync();
                await r.ReadOneAsync(CancellationToken.None);
                return await CountAsync(world, "select count(*) from memory_jobs") == 0;
            },
            reader, "the exchanges were not read");
        Assert.Equal("The user lives in Kazan", Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Text("text"));
    }

    [DatabaseFact]
    public async Task An_exchange_that_no_model_can_read_is_given_up_alone_and_takes_none_of_its_conversation_with_it()
    {
        const string script = """
            rules:
              - match: { structured: true, last_message: "gibberish" }
                answer: { text: "{ not json" }
              - match: { structured: true, last_message: "What the user said" }
                answer: { json: { facts: [ FACT ] } }
            default: { text: "Noted." }
            """;
        await using var world = await ChatWorld.StartAsync(
            script.Replace("FACT", Fact("The user lives in Kazan", "I live in Kazan"), StringComparison.Ordinal),
            configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0"));
        using var alice = await world.App.AsAsync("alice");
        var conversation = (await MemoryRunTests.AskAsync(alice, "I am full of gibberish")).Text("conversation_id");
        await alice.PostAsync("/api/v1/chat", new { message = "I live in Kazan", conversation_id = conversation });
        var (reader, database) = (world.App.Get<MemoryReader>(), world.App.Get<IDatabase>());
        for (var turn = 0; turn < 10 && await CountAsync(world, "select count(*) from memory_jobs") > 0; turn++)
        {
            Assert.True(await reader.ReadOneAsync(CancellationToken.None));
            await database.WriteAsync(async session => _ = await session.Prepared("update memory_jobs set due_at = created_at + attempts").RunAsync(), CancellationToken.None); // what failed least comes first
        }

        Assert.Equal(0, await CountAsync(world, "select count(*) from memory_jobs"));
        Assert.Equal("The user lives in Kazan", Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Text("text"));
    }

    private static async Task<JsonElement> OnlyFactAsync(TestUser user, string text)
    {
        await Wait.UntilAsync(async u => (await u.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray().Any(f => f.Text("text") == text), user, $"'{text}' was not learned");
        return Assert.Single((await user.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    private static Task<long?> CountAsync(ChatWorld world, string sql) => world.App.Get<IDatabase>().ReadAsync(session => session.Prepared(sql).Int64Async(), CancellationToken.None);
}

/// <summary>The process is really killed while it reads.</summary>
public sealed class MemoryReadingKillTests
{
    private static readonly string Script = $$$"""
        rules:
          - name: facts
            match: { structured: true, last_message: "What the user said" }
            answer: { json: { facts: [ {{{MemoryReadingTests.Fact("The user lives in Kazan", "I live in Kazan")}}} ] } }
        default: { text: "Noted." }
        """;

    [Fact]
    public async Task A_reading_that_is_killed_is_made_again_and_its_fact_is_there_once()
    {
        await using var world = await FaultWorld.StartAsync(Script, environment: new() { ["ROOTMAS__Knowledge__Memory__ExtractDelay"] = "0s" });
        var hold = world.Sim.Hold(new HoldSpec { Rule = "facts", Call = 1 });
        var id = await world.AskAsync(new { message = "I live in Kazan", team = "solo" });
        await world.WaitAsync(id, "completed");
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        await world.KillAndRestartAsync();
        hold.Release();
        await Wait.UntilAsync(async w => (await FactsAsync(w)).GetArrayLength() == 1, world, "the exchange was not read again");
        await world.KillAndRestartAsync();
        Assert.Equal("The user lives in Kazan", Assert.Single((await FactsAsync(world)).EnumerateArray()).Text("text"));
        await world.Checker.CheckAsync();
    }

    private static async Task<JsonElement> FactsAsync(FaultWorld world) => JsonElement.Parse(await world.Server.Http.GetStringAsync("/api/v1/memory")).GetProperty("items");
}
