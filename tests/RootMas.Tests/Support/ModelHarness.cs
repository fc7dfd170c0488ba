using System.Text;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Models;
using RootMas.Server.Models.Budgets;
using RootMas.Server.Models.Offline;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Tests.Support;

/// <summary>The whole model pipeline over a <see cref="FakeModelServer"/> and a real database: cheap = a, b; standard = c; premium = d.</summary>
internal sealed class ModelHarness : IAsyncDisposable
{
    private readonly TestDatabase _database = new();
    private readonly ProviderTransport _transport;

    private ModelHarness(FakeModelServer server, TimeSpan? connectTimeout)
    {
        Server = server;
        _transport = new ProviderTransport(TimeProvider.System, connectTimeout: connectTimeout);
    }

    public FakeModelServer Server { get; }

    public ModelRouter Router { get; private set; } = null!;

    public IChatClient Client { get; private set; } = null!;

    public IEmbeddingGenerator<string, Embedding<float>> Embeddings { get; private set; } = null!;

    public LedgerStore Ledger { get; private set; } = null!;

    public static readonly string[] Models = ["a", "b", "c", "d"];

    /// <param name="ofA">How the provider treats the model a alone: it is given up soon, say, while the others have the time that a slow machine takes.</param>
    public static async Task<ModelHarness> StartAsync(Func<ModelProvider, ModelProvider>? provider = null, IReadOnlyDictionary<string, string[]>? tiers = null, ModelPrice? price = null, BudgetOptions? budgets = null,
        IReadOnlyDictionary<string, int>? rooms = null, Func<ModelProvider, ModelProvider>? ofA = null, TimeProvider? clock = null, TimeSpan? connectTimeout = null)
    {
        clock ??= TimeProvider.System;
        var server = await FakeModelServer.StartAsync();
        var harness = new ModelHarness(server, connectTimeout);
        await harness._database.Database.OpenAsync();
        harness.Ledger = new LedgerStore(harness._database.Database, LedgerSql.InsertAsync);
        var at = new ModelProvider { Name = "fake", BaseUrl = server.BaseUrl, Key = "secret", KeySource = "FAKE_KEY", Attempts = 1, RetryDelay = TimeSpan.FromMilliseconds(1) };
        at = provider?.Invoke(at) ?? at;
        var models = Models.Append("found-embed").ToDictionary(
            n => n, n => new ModelSpec { Name = n, Id = n, Provider = n == "a" && ofA is not null ? ofA(at) : at, Price = price ?? new ModelPrice(1m, 0.5m, 2m), ContextTokens = rooms?.GetValueOrDefault(n) ?? 128_000 });
        var named = tiers ?? new Dictionary<string, string[]> { ["cheap"] = ["a", "b"], ["standard"] = ["c"], ["premium"] = ["d"] };
        var catalog = new ModelCatalog { Models = models, Tiers = named.ToDictionary(t => t.Key, t => (IReadOnlyList<ModelSpec>)[.. t.Value.Select(m => models[m])]), Embedding = models["found-embed"] };
        harness.Router = new ModelRouter(
            catalog, m => m.Provider.Kind == ProviderKind.Offline ? new OfflineChatClient(TimeSpan.Zero, TimeProvider.System) : new OpenAiChatClient(harness._transport, m), harness.Ledger, clock, new OutboundPolicies(new ResilienceOptions(), TimeProvider.System));
        var spend = harness.Spend(budgets ?? new BudgetOptions());
        var services = new ServiceCollection()
            .AddSingleton(harness.Router).AddSingleton(harness.Ledger).AddSingleton(spend).AddSingleton(new TreeBudget(harness.Router, budgets ?? new BudgetOptions())).AddSingleton<ModelMetrics>().AddSingleton(TimeProvider.System).BuildServiceProvider();
        harness.Client = ModelsSlice.Pipeline(services);
        harness.Embeddings = new EmbeddingGenerator(harness.Router, harness._transport, harness.Ledger, spend, TimeProvider.System);
        return harness;
    }

    private SpendGuard Spend(BudgetOptions budgets)
    {
        var days = new LedgerDays(Ledger, TimeProvider.System);
        return new SpendGuard(new SpendLimits(budgets, new UserRights(_database.Database), TimeProvider.System), new MemorySpend(days, TimeProvider.System), budgets, TimeProvider.System);
    }

    public static ModelCall Call(string tier = "cheap", Money? budget = null, string? model = null) =>
        new() { OwnerId = "u1", RunId = "r1", RootRunId = "r1", Agent = "tester", Purpose = "answer", Tier = tier, Model = model, Budget = budget };

    public static ChatOptions Options(ModelCall call, ChatOptions? options = null)
    {
        options ??= new ChatOptions();
        options.AdditionalProperties = new AdditionalPropertiesDictionary { [ModelCall.Key] = call };
        return options;
    }

    /// <summary>Asks, and gathers what a client would see.</summary>
    public async Task<Seen> AskAsync(ModelCall call, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var seen = new Seen();
        try
        {
            await foreach (var update in Client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "hello")], Options(call, options), cancellationToken))
            {
                seen.Add(update);
            }
        }
        catch (ModelException e)
        {
            seen.Failure = e;
        }

        return seen;
    }

    public Task<IReadOnlyList<(string Model, string Outcome, long Cost, bool Estimated)>> RowsAsync() => _database.Database.ReadAsync(
        async session => (IReadOnlyList<(string, string, long, bool)>)await session.Prepared("SELECT model, outcome, cost_micro_usd, estimated FROM usage_ledger ORDER BY created_at, id")
            .ListAsync(static r => (r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3) != 0)),
        CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        Router.Dispose();
        _transport.Dispose();
        await Server.DisposeAsync();
        await _database.DisposeAsync();
    }
}

/// <summary>What came out of a model call.</summary>
internal sealed class Seen
{
    private readonly StringBuilder _text = new();

    /// <summary>The text that counts: nothing from before a supersede.</summary>
    public string Text => _text.ToString();

    public string Reasoning { get; private set; } = "";

    /// <summary>Texts that were shown and no longer count.</summary>
    public List<string> Superseded { get; } = [];

    public List<string> Reasons { get; } = [];

    public List<FunctionCallContent> Calls { get; } = [];

    public UsageDetails? Usage { get; private set; }

    public ChatFinishReason? Finish { get; private set; }

    public ModelException? Failure { get; set; }

    public void Add(ChatResponseUpdate update)
    {
        Finish = update.FinishReason ?? Finish;
        foreach (var content in update.Contents)
        {
            switch (content)
            {
                case SupersededContent superseded:
                    Superseded.Add(Text);
                    Reasons.Add(superseded.Reason);
                    _text.Clear();
                    Reasoning = "";
                    break;
                case TextReasoningContent reasoning:
                    Reasoning += reasoning.Text;
                    break;
                case TextContent text:
                    _text.Append(text.Text);
                    break;
                case FunctionCallContent call:
                    Calls.Add(call);
                    break;
                case UsageContent usage:
                    Usage = usage.Details;
                    break;
            }
        }
    }
}
