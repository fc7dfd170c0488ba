using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>One process with the cache over a model that a test scripts, on a real database. Another one on the same database is the process after a restart, or another instance.</summary>
internal sealed class CacheWorld : IAsyncDisposable
{
    private CacheWorld(TestDatabase database, AnswerCacheOptions options, TimeProvider clock, RedisPool? redis, IEmbedder embedder)
    {
        Clock = clock;
        Levels = new AnswerLevels(new ExactAnswers(options.MemoryEntries), new AnswerIndex(), redis is null ? null : new RedisAnswers(redis, clock), new AnswerStore(database.Database));
        Policy = new VerifiedPolicy(options.MaxWrong, options.AuditShare, new Random(5));
        var lookup = new AnswerLookup(Levels, embedder, Policy, options, clock, NullLogger<AnswerLookup>.Instance) { Patience = TimeSpan.FromMinutes(1) }; // no test here is about a vector that comes too late
        var changes = new ChangeFeed(database.Database, new LocalBus(), Instance.New("serve"), TimeProvider.System, NullLogger<ChangeFeed>.Instance);
        Learner = new AnswerLearner(
            Levels, lookup, new AnswerJudge(options, () => Judge, null, clock, NullLogger<AnswerJudge>.Instance), Policy,
            new LearnerTools(embedder, changes, options, clock), NullLogger<AnswerLearner>.Instance);
        Purge = new AnswerPurge(Levels, changes);
        _ = new AnswerChanges(changes, Learner, Purge);
        Changes = changes;
        Client = new AnswerCacheClient(Model, new CacheStage(Levels, lookup, Learner, Metrics, Versions, options, clock) { Asked = _ => Asked, IsCatalogNewest = (_, _) => Task.FromResult(IsCatalogNewest) });
    }

    public TimeProvider Clock { get; }

    public AnswerLevels Levels { get; }

    public VerifiedPolicy Policy { get; }

    public AnswerLearner Learner { get; }

    public AnswerPurge Purge { get; }

    public ChangeFeed Changes { get; }

    public AnswerCacheMetrics Metrics { get; } = new();

    public TestVersions Versions { get; } = new();

    /// <summary>Of the agents; false: another instance changed some.</summary>
    public bool IsCatalogNewest { get; set; } = true;

    /// <summary>Whom every call leads to.</summary>
    public AskedModels Asked { get; set; } = AskedModels.None;

    public TestModel Model { get; } = new();

    public ScriptedChatClient Judge { get; set; } = new(static _ => [ScriptedChatClient.Say("0")]);

    public IChatClient Client { get; }

    public static async Task<CacheWorld> StartAsync(TestDatabase database, AnswerCacheOptions? options = null, TimeProvider? clock = null, RedisPool? redis = null, IEmbedder? embedder = null)
    {
        await AddUsersAsync(database);
        var world = new CacheWorld(database, options ?? new AnswerCacheOptions { LearnPerSecond = 10_000, JudgePerMinute = 10_000 }, clock ?? TimeProvider.System, redis, embedder ?? new LocalEmbedder());
        await world.Changes.StartingAsync(default);
        await world.Learner.StartAsync(default);
        await world.Learner.Loaded;
        return world;
    }

    /// <summary>Who asks in these tests: of whoever is no user nothing is learned.</summary>
    public static Task AddUsersAsync(TestDatabase database) => database.ExecuteAsync(
        "insert into users (id, username, role, created_at) values ('alice', 'alice', 'user', 1), ('alice2', 'alice2', 'user', 1), ('ann', 'ann', 'user', 1), ('bob', 'bob', 'user', 1), ('carol', 'carol', 'user', 1) on conflict do nothing");

    public static ModelCall Call(string question, string owner = "alice", string agent = "helper", string prompt = "v1", string? cache = null, bool fresh = false, IReadOnlyList<string>? documents = null) => new()
    {
        OwnerId = owner,
        RunId = "r",
        RootRunId = "r",
        Agent = agent,
        MessageId = "m",
        Purpose = "answer",
        Tier = "cheap",
        PromptVersion = prompt,
        Question = question,
        Cache = cache,
        NoCache = fresh,
        Documents = documents,
    };

    /// <summary>Asks, and waits until what there is to learn from it was learned.</summary>
    public async Task<(string Text, ModelCall Call)> AskAsync(string question, string owner = "alice", string agent = "helper", string prompt = "v1", string? cache = null, bool fresh = false, params ChatMessage[] before)
    {
        var answer = await StreamAsync(Call(question, owner, agent, prompt, cache, fresh), before);
        while (!Learner.IsIdle)
        {
            await Task.Yield(); // it is a matter of a millisecond, and tests ask hundreds of times
        }

        return answer;
    }

    public async Task<(string Text, ModelCall Call)> StreamAsync(ModelCall call, ChatMessage[] before, CancellationToken cancellationToken = default)
    {
        var text = "";
        var options = new ChatOptions { AdditionalProperties = new() { [ModelCall.Key] = call } };
        await foreach (var update in Client.GetStreamingResponseAsync([.. before, new ChatMessage(ChatRole.User, call.Question)], options, cancellationToken))
        {
            text += update.Text;
        }

        return (text, call);
    }

    public async ValueTask DisposeAsync()
    {
        await Learner.StopAsync(default);
        await Changes.StoppedAsync(default);
        Learner.Dispose();
        Changes.Dispose();
    }
}

/// <summary>What a user can know, as the test says.</summary>
internal sealed class TestVersions : IKnowledgeVersion
{
    public string Now { get; set; } = "1";

    public ValueTask<string> OfAsync(string ownerId, CancellationToken cancellationToken) => ValueTask.FromResult(Now);
}

/// <summary>A model that says what a test wants, costs 30 micro-dollars, and counts.</summary>
internal sealed class TestModel : IChatClient
{
    private int _calls;

    public int Calls => _calls;

    public Func<ModelCall, string> Answer { get; set; } = static call => "The answer to: " + call.Question;

    public ChatFinishReason? Finish { get; set; } = ChatFinishReason.Stop;

    /// <summary>Of the model that answers.</summary>
    public string Tier { get; set; } = "cheap";

    /// <summary>More of the answer: a tool call, say.</summary>
    public AIContent? Also { get; set; }

    /// <summary>Awaited before the answer begins.</summary>
    public Func<ModelCall, Task> Before { get; set; } = static _ => Task.CompletedTask;

    public ConcurrentQueue<string> Asked { get; } = [];

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var call = ModelCall.From(options)!;
        Interlocked.Increment(ref _calls);
        Asked.Enqueue(call.Question ?? "");
        await Before(call).WaitAsync(cancellationToken);
        foreach (var word in Answer(call).Split(' '))
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, word + " ");
        }

        if (Also is not null)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, [Also]);
        }

        call.ModelUsed = "test";
        call.ProviderUsed = "test";
        call.TierUsed = Tier;
        call.Usage = new TokenUsage(20, 0, 5);
        call.Cost = new Money(30);
        yield return new ChatResponseUpdate(ChatRole.Assistant, []) { FinishReason = Finish };
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
