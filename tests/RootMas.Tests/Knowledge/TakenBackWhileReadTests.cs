using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Runtime.Tools;
using RootMas.Server.Chat;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class TakenBackWhileReadOnSqliteTests() : TakenBackWhileReadTests(DatabaseKind.Sqlite);

public sealed class TakenBackWhileReadOnPostgresTests() : TakenBackWhileReadTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What people take back while a model that was given it is still at it: the model is held until they have.</summary>
public abstract class TakenBackWhileReadTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - name: facts
            match: { structured: true, last_message: "What the user said" }
            answer: { json: { facts: [
              { text: "The user lives in Kazan", attribute: "home", said: 1, evidence: "I live in Kazan", confidence: 90, sensitive: false, valid_until: "", replaces: [],
                relations: [ { from: "user", from_type: "person", type: "lives in", to: "Kazan", to_type: "place" } ] },
              { text: "The user drinks green tea", attribute: "", said: 2, evidence: "I drink green tea", confidence: 90, sensitive: false, valid_until: "", replaces: [], relations: [] } ] } }
        default: { text: "Noted." }
        """;

    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    [DatabaseTheory]
    [InlineData("rolled back")]
    [InlineData("deleted")]
    [InlineData("erased")]
    public async Task An_exchange_that_is_taken_back_while_a_model_reads_it_teaches_nothing(string how)
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var said = await MemoryRunTests.AskAsync(alice, "I live in Kazan, as you know");
        var hold = world.Sim.Hold(new HoldSpec { Rule = "facts", Call = 1 });
        var reading = world.App.Get<MemoryReader>().ReadOneAsync(CancellationToken.None);
        await hold.Reached.WaitAsync(Long);
        switch (how)
        {
            case "rolled back":
                await BuryAsync(world, alice, said.Text("conversation_id"), 0);
                break;
            case "deleted":
                await DeleteConversationAsync(alice, said.Text("conversation_id"));
                break;
            default:
                await EraseAsync(world.App, alice.Id);
                break;
        }

        hold.Release();
        Assert.True(await reading.WaitAsync(Long));
        foreach (var table in (string[])["memory_facts", "memory_jobs", "graph_entities", "graph_names", "graph_name_uses", "graph_words", "graph_relations", "graph_evidence"])
        {
            Assert.True(TestDatabaseDump.Of(world.App, table).Length == 0, $"Something was left in {table}.");
        }

        Assert.Equal(1, await CountAsync(world, "select count(*) from usage_ledger where purpose = 'extract'")); // it was asked, and costs what it costs
    }

    [DatabaseFact]
    public async Task Of_several_messages_that_are_read_together_only_those_teach_that_were_not_taken_back()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var conversation = (await MemoryRunTests.AskAsync(alice, "I live in Kazan, as you know")).Text("conversation_id");
        await alice.PostAsync("/api/v1/chat", new { message = "I drink green tea", conversation_id = conversation });
        var hold = world.Sim.Hold(new HoldSpec { Rule = "facts", Call = 1 });
        var reading = world.App.Get<MemoryReader>().ReadOneAsync(CancellationToken.None);
        await hold.Reached.WaitAsync(Long);
        await BuryAsync(world, alice, conversation, 2); // the second question, and its answer
        hold.Release();
        Assert.True(await reading.WaitAsync(Long));
        Assert.Equal("The user lives in Kazan", Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Text("text"));
    }

    [DatabaseFact]
    public async Task What_is_forgotten_while_the_words_that_it_came_from_are_read_stays_forgotten_and_the_rest_is_learned()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var conversation = (await MemoryRunTests.AskAsync(alice, "I live in Kazan, as you know")).Text("conversation_id");
        var message = (await alice.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items")[0].Id();
        await alice.PostAsync("/api/v1/chat", new { message = "I drink green tea", conversation_id = conversation });
        var store = world.App.Get<MemoryStore>();
        var kept = await store.KeepAsync( // as the tool remember does it
            alice.Id, new NewFact { Text = "Lives in Kazan", AuthorKind = "agent", Author = "communicator", Source = new FactSource(conversation, message, null, null) }, null, CancellationToken.None);
        var hold = world.Sim.Hold(new HoldSpec { Rule = "facts", Call = 1 });
        var reading = world.App.Get<MemoryReader>().ReadOneAsync(CancellationToken.None);
        await hold.Reached.WaitAsync(Long);
        using var read = await alice.Client.GetAsync($"/api/v1/memory/{kept.Fact!.Id}");
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/memory/{kept.Fact.Id}", read.Headers.ETag!.ToString()));
        hold.Release();
        Assert.True(await reading.WaitAsync(Long));
        Assert.Equal("The user drinks green tea", Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Text("text"));
        Assert.Equal(0, await CountAsync(world, "select count(*) from memory_jobs"));
    }

    [DatabaseTheory]
    [InlineData("by the run")]
    [InlineData("by a subtask")]
    [InlineData("by the run, then everything")]
    public async Task What_was_remembered_and_is_forgotten_while_the_run_is_at_work_is_not_learned_when_it_has_ended(string how)
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var asking = MemoryRunTests.AskAsync(alice, "I live in Kazan, as you know");
        await hold.Reached.WaitAsync(Long);
        var said = new List<FactSource>(); // the model is asked while they are written
        Task<List<FactSource>> SaidAsync() => world.App.Get<IDatabase>().ReadAsync(
            session => session.Prepared("select conversation_id, id, run_id from messages where owner_id = @owner and role = 'user'").Set("owner", alice.Id)
                .ListAsync(static r => new FactSource(r.GetString(0), r.GetString(1), r.GetString(2), null)), CancellationToken.None);
        await Wait.UntilAsync(async look => (said = await look()).Count == 1, SaidAsync, "the message was not written");
        var source = how == "by a subtask" ? said[0] with { RunId = "a-subtask" } : said[0];
        var kept = await world.App.Get<MemoryStore>().KeepAsync( // as the tool remember does it
            alice.Id, new NewFact { Text = "Lives in Kazan", AuthorKind = "agent", Author = "communicator", Source = source }, null, CancellationToken.None);
        using var read = await alice.Client.GetAsync($"/api/v1/memory/{kept.Fact!.Id}");
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/memory/{kept.Fact.Id}", read.Headers.ETag!.ToString()));
        if (how == "by the run, then everything")
        {
            using var all = await alice.Client.DeleteAsync("/api/v1/memory");
            Assert.Equal(HttpStatusCode.OK, all.StatusCode);
        }

        hold.Release();
        await asking.WaitAsync(Long);
        var reader = world.App.Get<MemoryReader>();
        Assert.False(await reader.ReadOneAsync(CancellationToken.None), "the exchange is read");
        await alice.PostAsync("/api/v1/chat", new { message = "I live in Kazan again", conversation_id = said[0].ConversationId });
        Assert.True(await reader.ReadOneAsync(CancellationToken.None), "what is said later is not read");
        Assert.Equal("The user lives in Kazan", Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Text("text"));
    }

    [DatabaseFact]
    public async Task What_was_said_before_everything_was_forgotten_is_not_learned_when_its_run_ends_after_that()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var asking = MemoryRunTests.AskAsync(alice, "I live in Kazan, as you know");
        await hold.Reached.WaitAsync(Long);
        await Wait.UntilAsync(static async w => await CountAsync(w, "select count(*) from messages where role = 'user'") == 1, world, "the message was not written");
        using (var all = await alice.Client.DeleteAsync("/api/v1/memory"))
        {
            Assert.Equal(HttpStatusCode.OK, all.StatusCode);
        }

        hold.Release();
        await asking.WaitAsync(Long);
        var reader = world.App.Get<MemoryReader>();
        await reader.ReadOneAsync(CancellationToken.None);
        Assert.Equal(0, (await alice.GetAsync("/api/v1/memory")).GetProperty("items").GetArrayLength());
        await MemoryRunTests.AskAsync(alice, "I live in Kazan again, I live in Kazan");
        Assert.True(await reader.ReadOneAsync(CancellationToken.None), "what is said later is not read");
        Assert.Equal(1, (await alice.GetAsync("/api/v1/memory")).GetProperty("items").GetArrayLength());
    }

    [DatabaseTheory]
    [InlineData("rolled back")]
    [InlineData("deleted")]
    public async Task A_message_that_is_taken_back_after_the_tool_looked_at_it_is_not_remembered(string how)
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        var said = await MemoryRunTests.AskAsync(alice, "I live in Kazan, as you know");
        var (conversation, run) = (said.Text("conversation_id"), said.Text("run_id"));
        var sources = new TakesBackAfterLook(
            world.App.Get<IMemorySources>(), () => how == "deleted" ? DeleteConversationAsync(alice, conversation) : BuryAsync(world, alice, conversation, 0));
        var tool = new RememberTool(new MemoryCalls(world.App.Get<MemoryStore>(), sources), world.App.Get<MemoryOptions>());
        var context = new ToolContext
        {
            RunId = run, RootRunId = run, ConversationId = conversation, OwnerId = alice.Id, Agent = "communicator", Call = 1, IdempotencyKey = "k1", Clock = TimeProvider.System, Progress = static _ => { },
        };
        var refused = await Assert.ThrowsAsync<ToolException>(async () => await tool.InvokeAsync(context, JsonElement.Parse("""{"text":"The user lives in Kazan"}"""), CancellationToken.None));
        Assert.Contains("nothing of it is remembered", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(world, "select count(*) from memory_facts"));
    }

    private static Task<ChatWorld> StartAsync() =>
        ChatWorld.StartAsync(Script, configure: static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0")); // read when the test says so

    /// <summary>Rolls back the message at this place of the conversation, and what follows it.</summary>
    private static async Task BuryAsync(ChatWorld world, TestUser user, string conversation, int place)
    {
        var message = (await user.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items")[place];
        await world.App.Get<IDatabase>().WriteAsync(session => MessageWrites.BuryAsync(session, conversation, message.Text("run_id")!), CancellationToken.None);
    }

    private static async Task DeleteConversationAsync(TestUser user, string conversation)
    {
        using var read = await user.Client.GetAsync($"/api/v1/conversations/{conversation}");
        Assert.Equal(HttpStatusCode.NoContent, await user.DeleteAsync($"/api/v1/conversations/{conversation}", read.Headers.ETag!.ToString()));
    }

    private static async Task EraseAsync(TestApp app, string userId)
    {
        using var read = await app.Client.GetAsync($"/api/v1/users/{userId}");
        using var gone = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{userId}", null, ("If-Match", read.Headers.ETag!.ToString()));
        Assert.True(gone.StatusCode == HttpStatusCode.NoContent, await gone.Content.ReadAsStringAsync());
    }

    private static Task<long?> CountAsync(ChatWorld world, string sql) => world.App.Get<IDatabase>().ReadAsync(session => session.Prepared(sql).Int64Async(), CancellationToken.None);

    /// <summary>Somebody takes a message back between the look at it and the transaction that follows.</summary>
    private sealed class TakesBackAfterLook(IMemorySources real, Func<Task> takeBack) : IMemorySources
    {
        public async ValueTask<SourceMessage?> FindAsync(string conversationId, string rootRunId, string ownerId, CancellationToken cancellationToken)
        {
            var found = await real.FindAsync(conversationId, rootRunId, ownerId, cancellationToken);
            await takeBack();
            return found;
        }

        public ValueTask<bool> HoldAsync(DbSession session, string conversationId, string rootRunId, string ownerId) => real.HoldAsync(session, conversationId, rootRunId, ownerId);
    }
}
