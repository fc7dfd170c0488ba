using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Runtime.Agents;
using RootMas.Server.Agents;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>
/// No answer outlives what it was made of. The model answers at once, without a tool, because only such answers are kept; what it says changes with the document, the prompt or the memory, so that an old answer is seen by its words.
/// </summary>
public abstract class StaleAnswersTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Question = "How many days of leave does the handbook grant?";
    private const string Similar = "How many days of leave does our handbook grant?";
    private const string Clerk = """{"name":"clerk","role":"Clerk","description":"Answers.","instructions":"You answer from documents.","tier":"cheap","tools":["knowledge_search","knowledge_read"]}""";

    [DatabaseFact]
    public async Task After_a_document_is_deleted_neither_the_equal_nor_a_similar_question_gets_the_old_answer()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var document = await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave.");
        await bob.UploadAsync("other.md", "Bob keeps his own handbook.");
        await KeptAsync(world, ann, "It grants 28 days.");
        Assert.Equal(("It grants 28 days.", true), await AskAsync(ann, Similar));
        await KeptAsync(world, bob, "It grants 30 days.");

        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        Says(world, "Nothing is known of it.");
        Assert.Equal(("Nothing is known of it.", false), await AskAsync(ann, Similar));
        Assert.Equal("Nothing is known of it.", (await AskAsync(ann, Question)).Text);
        world.App.Get<AnswerLevels>().Memory.Remove(static _ => true); // what other levels have is found now
        Assert.Equal("Nothing is known of it.", (await AskAsync(ann, Question)).Text);
        Assert.Equal(("It grants 30 days.", true), await AskAsync(bob, Question));
    }

    [DatabaseFact]
    public async Task After_a_document_is_replaced_the_new_answer_is_given_and_kept()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave.");
        await KeptAsync(world, ann, "It grants 28 days.");
        await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave.", status: HttpStatusCode.OK);
        Assert.Equal(("It grants 28 days.", true), await AskAsync(ann, Question)); // the same bytes are no other document
        await ann.UploadAsync("handbook.md", "Everybody has 31 days of leave.");
        Says(world, "It grants 31 days.");
        Assert.Equal(("It grants 31 days.", false), await AskAsync(ann, Similar));
        await KeptAsync(world, ann, "It grants 31 days.");
    }

    [DatabaseFact]
    public async Task Whoever_reads_a_shared_collection_gets_no_old_answer_once_it_changed_or_is_closed()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var shared = (await ann.PostAsync("/api/v1/collections", new { name = "shared" }, HttpStatusCode.Created)).Id();
        await KeptAsync(world, bob, "Bob may read nothing.");
        using (await ann.Client.PutAsync($"/api/v1/collections/{shared}/members/{bob.Id}", new StringContent("""{"may_write":false}""", System.Text.Encoding.UTF8, "application/json")))
        {
            Says(world, "An empty collection.");
            Assert.Equal(("An empty collection.", false), await AskAsync(bob, Question));
        }

        var document = await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave.", $"&collection={shared}");
        await KeptAsync(world, bob, "It grants 28 days.");
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        await KeptAsync(world, bob, "It is gone.");
        await ann.DeleteAsync($"/api/v1/collections/{shared}/members/{bob.Id}");
        Says(world, "Closed.");
        Assert.DoesNotContain("gone", (await AskAsync(bob, Question)).Text, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task An_answer_that_is_on_its_way_while_a_document_goes_is_not_given_to_the_next()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave.");
        Says(world, "It grants 28 days.");
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var asking = AskAsync(ann, Question);
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        Says(world, "Nothing is known of it.");
        Assert.Equal(("Nothing is known of it.", false), await AskAsync(ann, Question)); // nor does it wait for that answer
        hold.Release();
        await asking;
        Assert.Equal("Nothing is known of it.", (await AskAsync(ann, Question)).Text);
    }

    [DatabaseFact]
    public async Task The_texts_of_answers_to_questions_about_a_deleted_document_are_deleted_with_it()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        var (gone, stays) = (await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave."), await ann.UploadAsync("other.md", "The canteen closes at three."));
        Says(world, "As it says.");
        foreach (var document in (JsonElement[])[gone, stays])
        {
            await CachedAsync(ann, "As it says.", document.Id());
        }

        var database = world.App.Get<IDatabase>();
        Task<long?> RowsAsync() => database.ReadAsync(static s => s.Prepared("select (select count(*) from cached_answers) + (select count(*) from cached_questions)").Int64Async(), default);
        await Wait.UntilAsync(async rows => await rows() == 4, RowsAsync, "answers were not kept");
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{gone.Id()}"));
        await Wait.UntilAsync(async rows => await rows() == 2, RowsAsync, "the answer to a question about it is still there");
        await Wait.UntilAsync(() => world.App.Get<AnswerLevels>().Memory.Count == 1); // the memory follows the rows
    }

    /// <summary>The question says nothing of the document: its words are in what was said before.</summary>
    [DatabaseTheory]
    [InlineData("attached")]
    [InlineData("look")]
    [InlineData("ask")]
    public async Task The_texts_of_answers_to_later_questions_of_the_conversation_are_deleted_with_it(string how)
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave.");
        world.Sim.Use("""
            rules:
              - match: { last_role: tool }
                answer: { text: "28 days, and no mark that would cite it." }
              - match: { last_role: user, last_user: "look" }
                answer: { tool_calls: [ { name: knowledge_search, arguments: { query: "leave" } } ] }
              - match: { last_role: user, last_user: "ask" }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "look" } } ] }
            default: { text: "As was said." }
            """);
        object first = how == "attached" ? new { message = "Sum it up", agent = "clerk", attachments = new[] { document.Id() } } : new { message = how, agent = how == "ask" ? null : "clerk" };
        var database = world.App.Get<IDatabase>();
        Task<long?> RowsAsync() => database.ReadAsync(static s => s.Prepared("select count(*) from cached_answers").Int64Async(), default);
        async Task<bool> AreKeptAsync()
        {
            var conversation = (await ann.PostAsync("/api/v1/chat", first)).GetProperty("conversation_id").GetString();
            await ann.PostAsync("/api/v1/chat", new { message = "And is that much?", agent = "clerk", conversation_id = conversation });
            return await RowsAsync() >= (how == "attached" ? 2 : 1); // with a call of a tool none is
        }

        await Wait.UntilAsync(static kept => kept(), AreKeptAsync, "answers were not kept"); // not at the first time if something was purged meanwhile
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        await Wait.UntilAsync(async rows => await rows() == 0, RowsAsync, "what was answered later is still there");
        await Wait.UntilAsync(() => world.App.Get<AnswerLevels>().Memory.Count == 0);
    }

    [DatabaseFact]
    public async Task Clearing_by_a_document_takes_the_answers_to_questions_about_it_and_no_others()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        var (one, other) = (await ann.UploadAsync("handbook.md", "Everybody has 28 days of leave."), await ann.UploadAsync("other.md", "The canteen closes at three."));
        Says(world, "As it says.");
        foreach (var document in (JsonElement[])[one, other])
        {
            await CachedAsync(ann, "As it says.", document.Id());
        }

        var learner = world.App.Get<AnswerLearner>();
        await Wait.UntilAsync(() => learner.IsIdle);
        async Task<long> ClearAsync(string id)
        {
            using var cleared = await world.App.SendAsync(HttpMethod.Post, $"/api/v1/cache/clear?partial=document:{id}");
            return (await TestUser.JsonAsync(cleared, HttpStatusCode.OK)).GetProperty("removed").GetInt64();
        }

        Assert.Equal(0, await ClearAsync(Guid.CreateVersion7().ToString()));
        Assert.True((await AskAsync(ann, Question, one.Id())).Cached);
        Assert.Equal(1, await ClearAsync(one.Id()));
        Assert.True((await AskAsync(ann, Question, other.Id())).Cached);
        Says(world, "Anew.");
        Assert.Equal(("Anew.", false), await AskAsync(ann, Question, one.Id()));
    }

    [DatabaseFact]
    public async Task After_the_prompt_of_an_agent_changed_no_old_answer_is_given()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        await KeptAsync(world, ann, "It grants 28 days.");
        using (var now = await world.App.Client.GetAsync("/api/v1/agents/clerk"))
        using (var put = await world.App.SendAsync(
            HttpMethod.Put, "/api/v1/agents/clerk", Clerk.Replace("from documents", "in verse", StringComparison.Ordinal), ("If-Match", now.Headers.ETag!.ToString())))
        {
            Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync());
        }

        Says(world, "Days of leave there are a score.");
        Assert.Equal(("Days of leave there are a score.", false), await AskAsync(ann, Similar));
        Assert.Equal("Days of leave there are a score.", (await AskAsync(ann, Question)).Text);
    }

    [DatabaseFact]
    public async Task After_a_note_of_the_team_or_a_fact_changed_no_old_answer_is_given()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        await KeptAsync(world, ann, "Without notes.");
        var note = await world.App.PostJsonAsync("/api/v1/memory/team", new { text = "The office has a garden" }, HttpStatusCode.Created);
        Says(world, "With a garden.");
        Assert.Equal(("With a garden.", false), await AskAsync(ann, Similar));
        await CachedAsync(ann, "With a garden.");
        using (var removed = await world.App.SendAsync(HttpMethod.Delete, $"/api/v1/memory/team/notes/{note.Id()}"))
        {
            Assert.True(removed.IsSuccessStatusCode, await removed.Content.ReadAsStringAsync());
        }

        Says(world, "The garden is gone.");
        Assert.NotEqual("With a garden.", (await AskAsync(ann, Similar)).Text); // what was said without notes is true again
        Assert.NotEqual("With a garden.", (await AskAsync(ann, Question)).Text);

        var fact = await ann.PostAsync("/api/v1/memory", new { text = "Prefers short answers" }, HttpStatusCode.Created);
        await KeptAsync(world, ann, "Short.");
        Assert.Equal(("Short.", true), await AskAsync(ann, Similar));
        await ForgetAsync(ann, fact.Id());
        Says(world, "Long again.");
        Assert.Equal(("Long again.", false), await AskAsync(ann, Similar));
        Assert.Equal("Long again.", (await AskAsync(ann, Question)).Text);
    }

    /// <summary>It stands in no prompt, so the request looks the same as before.</summary>
    [DatabaseFact]
    public async Task After_a_sensitive_fact_came_or_changed_no_answer_is_given_that_was_made_without_it()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        await KeptAsync(world, ann, "Nothing is known of nuts.");
        var fact = await ann.PostAsync("/api/v1/memory", new { text = "I am allergic to nuts" }, HttpStatusCode.Created);
        Says(world, "No nuts.");
        Assert.Equal(("No nuts.", false), await AskAsync(ann, Similar));
        await KeptAsync(world, ann, "No nuts.");

        using var now = await ann.Client.GetAsync($"/api/v1/memory/{fact.Id()}");
        using var change = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/memory/{fact.Id()}") { Content = new StringContent("""{"text":"I am allergic to milk"}""", System.Text.Encoding.UTF8, "application/json"), Headers = { IfMatch = { now.Headers.ETag! } } };
        using var changed = await ann.Client.SendAsync(change);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Says(world, "No milk.");
        Assert.Equal(("No milk.", false), await AskAsync(ann, Similar));
        Assert.Equal("No milk.", (await AskAsync(ann, Question)).Text);

        await KeptAsync(world, ann, "No milk.");
        await ann.PostAsync("/api/v1/memory", new { text = "I am allergic to milk" }, HttpStatusCode.Created);
        Assert.Equal(("No milk.", true), await AskAsync(ann, Similar)); // said again it is nothing new
    }

    private static async Task<ChatWorld> StartAsync()
    {
        var world = await ChatWorld.StartAsync(configure: Configure);
        world.App.Get<AnswerLookup>().Patience = TimeSpan.FromMinutes(1); // a question that is embedded too late is not compared
        await world.App.PostJsonAsync("/api/v1/agents", JsonElement.Parse(Clerk), HttpStatusCode.Created);
        return world;
    }

    internal static void Configure(TestAppOptions options)
    {
        options.Settings["Knowledge:AnswerCache:Mode"] = "threshold"; // similar questions count from the first on
        options.Settings["Knowledge:AnswerCache:Threshold"] = "0.8";
        options.Settings["Knowledge:AnswerCache:Judge"] = "rules";
        options.Settings["Knowledge:Memory:Extract"] = "Never";
    }

    private static void Says(ChatWorld world, string text) => world.Sim.Use($"default: {{ text: \"{text}\" }}");

    /// <summary>Asks until the answer comes from the cache, where a similar question finds it too.</summary>
    private static async Task KeptAsync(ChatWorld world, TestUser user, string text)
    {
        Says(world, text);
        await CachedAsync(user, text);
        var learner = world.App.Get<AnswerLearner>();
        await Wait.UntilAsync(() => learner.IsIdle);
    }

    /// <summary>What is on its way while something is purged is not kept, so it may take more than two.</summary>
    private static Task CachedAsync(TestUser user, string text, params string[] attachments) => Wait.UntilAsync(
        async u =>
        {
            var (said, cached) = await AskAsync(u, Question, attachments);
            Assert.Equal(text, said);
            return cached;
        },
        user,
        "the answer was not kept");

    private static async Task<(string Text, bool Cached)> AskAsync(TestUser user, string question, params string[] attachments)
    {
        var answer = await user.PostAsync("/api/v1/chat", new { message = question, agent = "clerk", attachments });
        return (answer.GetProperty("response").GetString()!, answer.GetProperty("metadata").GetProperty("cached").GetBoolean());
    }

    private static async Task ForgetAsync(TestUser user, string fact)
    {
        using var now = await user.Client.GetAsync($"/api/v1/memory/{fact}");
        Assert.Equal(HttpStatusCode.NoContent, await user.DeleteAsync($"/api/v1/memory/{fact}", now.Headers.ETag!.ToString()));
    }
}

public sealed class StaleAnswersOnSqliteTests() : StaleAnswersTests(DatabaseKind.Sqlite);

public sealed class StaleAnswersOnPostgresTests() : StaleAnswersTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Over two servers: what one deletes, the other does not answer from, without waiting to hear of it.</summary>
public sealed class StaleAnswersElsewhereTests
{
    [PostgresFact]
    public async Task After_a_prompt_changed_at_one_server_another_gives_nothing_that_was_made_with_the_old_one()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"It grants 28 days.\" }");
        await using var cluster = await TestCluster.StartAsync(configure: o =>
        {
            StaleAnswersTests.Configure(o);
            o.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
        });
        const string Clerk = """{"name":"clerk","role":"Clerk","description":"Answers.","instructions":"You answer PROMPT.","tier":"cheap"}""";
        await cluster[0].PostJsonAsync("/api/v1/agents", JsonElement.Parse(Clerk), HttpStatusCode.Created);
        using var here = await cluster[0].AsAsync("ann");
        using var there = await cluster[1].LogInAsync("ann", TestUsers.Password);
        await TestCluster.UntilAsync(async () => (await there.Client.GetAsync("/api/v1/agents/clerk")).IsSuccessStatusCode, "the other server knows the agent");
        async Task<bool> IsCachedAsync() =>
            (await there.PostAsync("/api/v1/chat", new { message = "How many days of leave does the handbook grant?", agent = "clerk" })).GetProperty("metadata").GetProperty("cached").GetBoolean();

        await IsCachedAsync();
        Assert.True(await IsCachedAsync());
        using (var now = await cluster[0].Client.GetAsync("/api/v1/agents/clerk"))
        using (var put = await cluster[0].SendAsync(HttpMethod.Put, "/api/v1/agents/clerk", Clerk.Replace("PROMPT", "in verse", StringComparison.Ordinal), ("If-Match", now.Headers.ETag!.ToString())))
        {
            Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync());
        }

        Assert.False(await IsCachedAsync()); // whether that server has heard of it or not
        await TestCluster.UntilAsync(IsCachedAsync, "answers are kept again");
        Assert.Contains("in verse", await cluster[1].Client.GetStringAsync("/api/v1/agents/clerk"), StringComparison.Ordinal);

        // A run may have begun with the agents of before, and ask when the new ones are there.
        var catalog = cluster[1].Services.GetRequiredService<INewestCatalog>();
        var version = cluster[1].Get<AgentCatalog>().Current.FindAgent("clerk")!.Agent.Version;
        Assert.True(await catalog.IsNewestAsync(new ModelCall { OwnerId = "u", Purpose = "answer", Tier = "cheap", Agent = "clerk", PromptVersion = version }, default));
        Assert.False(await catalog.IsNewestAsync(new ModelCall { OwnerId = "u", Purpose = "answer", Tier = "cheap", Agent = "clerk", PromptVersion = "of before" }, default));
    }

    [PostgresFact]
    public async Task A_document_that_was_deleted_at_one_server_is_in_no_answer_of_another()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"It grants 28 days.\" }");
        await using var cluster = await TestCluster.StartAsync(configure: o =>
        {
            StaleAnswersTests.Configure(o);
            o.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
        });
        using var here = await cluster[0].AsAsync("ann");
        using var there = await cluster[1].LogInAsync("ann", TestUsers.Password);
        var document = await here.UploadAsync("handbook.md", "Everybody has 28 days of leave.");
        async Task<(string?, bool)> AskAsync()
        {
            var answer = await there.PostAsync("/api/v1/chat", new { message = "How many days of leave does the handbook grant?", team = "solo" });
            return (answer.GetProperty("response").GetString(), answer.GetProperty("metadata").GetProperty("cached").GetBoolean());
        }

        // What it knows of the new document it may hear between two questions.
        await Wait.UntilAsync<Func<Task<(string?, bool)>>>(static async ask => await ask() == ("It grants 28 days.", true), AskAsync, "the answer was not kept");
        Assert.Equal(HttpStatusCode.NoContent, await here.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        sim.Use("default: { text: \"Nothing is known of it.\" }");
        Assert.Equal(("Nothing is known of it.", false), await AskAsync());
    }
}
