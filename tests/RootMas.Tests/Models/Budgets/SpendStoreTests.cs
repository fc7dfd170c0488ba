using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Models.Budgets;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models.Budgets;

/// <summary>What every counter of a day's cost must do: in memory, on PostgreSQL, and on Redis.</summary>
public abstract class SpendStoreTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private readonly List<Instance> _instances = [];
    private TestDatabase _database = null!;
    private PostgresPresence _presence = null!;

    protected SteppedClock Clock { get; } = new();

    protected LedgerStore Ledger { get; private set; } = null!;

    protected IDatabase Database => _database.Database;

    private protected DateOnly Day => LedgerDays.Today(Clock);

    private protected abstract Task<ISpendStore> MakeAsync();

    public virtual async Task InitializeAsync()
    {
        _database = new TestDatabase(); // not where fields are made: which database it is is known afterwards
        await _database.Database.OpenAsync();
        _presence = new PostgresPresence(Database, _database.Options);
        Ledger = new LedgerStore(Database, LedgerSql.InsertAsync);
    }

    public virtual async Task DisposeAsync()
    {
        await _presence.DisposeAsync();
        await _database.DisposeAsync();
    }

    [DatabaseFact]
    public async Task However_many_ask_at_once_what_is_set_aside_and_spent_is_never_more_than_the_limit()
    {
        var store = await MakeAsync();
        var limit = Limit("all", 1_000);
        var given = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => store.HoldAsync(Ask(10, 10, Limit($"user:{i % 3}", 600), limit)).AsTask())));
        Assert.Equal(1_000, given.Sum(static g => g.Held));
        Assert.All(given, static g => Assert.True(g.Outcome == SpendOutcome.Granted ? g.Held == 10 : g.Outcome == SpendOutcome.Busy));
        Assert.Equal(new SpendFigure(0, 1_000), await FigureAsync(store, "all"));
    }

    [DatabaseFact]
    public async Task What_was_not_needed_is_free_again_and_what_was_spent_is_not()
    {
        var store = await MakeAsync();
        var ask = Ask(10, 700, Limit("user:ann", 1_000));
        var first = await store.HoldAsync(ask);
        Assert.Equal(SpendOutcome.Busy, (await store.HoldAsync(ask)).Outcome); // it may come to that much, or to less
        await SettleAsync(store, ask, first, 100);
        Assert.Equal(700, (await store.HoldAsync(ask)).Held);
        Assert.Equal(new SpendFigure(100, 700), await FigureAsync(store, "user:ann"));
    }

    [DatabaseFact]
    public async Task The_last_of_it_goes_to_one_who_is_alone_and_then_it_is_over()
    {
        var store = await MakeAsync();
        var ask = Ask(100, 700, Limit("user:ann", 1_000), Limit("all", 5_000));
        var first = await store.HoldAsync(ask);
        await SettleAsync(store, ask, first, 600);
        var last = await store.HoldAsync(ask);
        Assert.Equal((SpendOutcome.Granted, 400), (last.Outcome, last.Held));
        await SettleAsync(store, ask, last, 350);
        var over = await store.HoldAsync(ask);
        Assert.Equal((SpendOutcome.Over, "user:ann"), (over.Outcome, over.Limit?.Key));
    }

    [DatabaseFact]
    public async Task A_count_begins_from_the_ledger_and_a_new_day_from_nothing()
    {
        await AddAsync("ann", "meta", 400, Clock.GetUtcNow());
        await AddAsync("ann/guest", null, 300, Clock.GetUtcNow().AddHours(-1));
        await AddAsync("bob", "meta", 200, Clock.GetUtcNow());
        await AddAsync("ann", "meta", 5_000, Clock.GetUtcNow().AddDays(-1));
        var store = await MakeAsync();
        Assert.Equal([700, 600, 900], (await store.ReadAsync(Day, ["user:ann", "agent:meta", "all"])).Select(static f => f.Spent));
        var over = await store.HoldAsync(Ask(10, 10, Limit("user:ann", 2_000), Limit("agent:meta", 600)));
        Assert.Equal((SpendOutcome.Over, "agent:meta"), (over.Outcome, over.Limit?.Key));
        var own = await store.HoldAsync(Ask(10, 10, Limit("user:ann", 705)));
        Assert.Equal((SpendOutcome.Over, "user:ann"), (own.Outcome, own.Limit?.Key)); // with those for whom she speaks
        Clock.Advance(TimeSpan.FromHours(13));
        Assert.Equal(10, (await store.HoldAsync(Ask(10, 10, Limit("user:ann", 2_000), Limit("agent:meta", 600)))).Held);
        Assert.Equal(0, (await FigureAsync(store, "agent:meta")).Spent);
    }

    private protected SpendRequest Ask(long least, long wanted, params SpendLimit[] limits) => new(Day, limits, least, wanted, TimeSpan.FromMinutes(10));

    private protected static SpendLimit Limit(string key, long most) => new(key, new Money(most));

    private protected async Task<SpendFigure> FigureAsync(ISpendStore store, string key) => Assert.Single(await store.ReadAsync(Day, [key]));

    /// <param name="lives">Whether it has told the others that it does.</param>
    private protected async Task<SharedSpend> SharedAsync(bool lives = true)
    {
        _instances.Add(Instance.New("worker"));
        if (lives)
        {
            await _presence.HoldAsync(_instances[^1].Name, default);
        }

        return new SharedSpend(Database, _presence, _instances[^1], static () => 1, Clock);
    }

    /// <summary>With its row, as a step writes it.</summary>
    private protected async Task SettleAsync(ISpendStore store, SpendRequest ask, SpendAnswer held, long cost)
    {
        var row = NewRow();
        await AddAsync("ann", null, cost, Clock.GetUtcNow(), row);
        await store.SettleAsync(ask, held, cost, row);
    }

    private protected string NewRow() => Guid.CreateVersion7(Clock.GetUtcNow()).ToString();

    protected Task AddAsync(string owner, string? agent, long cost, DateTimeOffset at, string? row = null) => Ledger.AppendAsync(
        new LedgerEntry
        {
            Id = row ?? Guid.CreateVersion7(at).ToString(), OwnerId = owner, Agent = agent, Purpose = "answer", Provider = "p", Model = "m", Tier = "cheap", Outcome = "ok",
            Usage = TokenUsage.None, Cost = new Money(cost), CreatedAt = at,
        },
        CancellationToken.None);
}

public sealed class MemorySpendTests() : SpendStoreTests(DatabaseKind.Sqlite)
{
    private protected override Task<ISpendStore> MakeAsync() => Task.FromResult<ISpendStore>(new MemorySpend(new LedgerDays(Ledger, Clock), Clock));
}

public sealed class SharedSpendTests() : SpendStoreTests(DatabaseKind.Postgres), IOnPostgres
{
    private const long All = 60_000;
    private const long Ann = 40_000;

    private protected override async Task<ISpendStore> MakeAsync() => await SharedAsync();

    [DatabaseTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_instances_do_and_in_whatever_order_together_they_never_go_beyond_a_limit_and_reach_it(int seed)
    {
        var random = new Random(seed);
        SharedSpend[] instances = [await SharedAsync(), await SharedAsync(), await SharedAsync()];
        var (open, unwritten) = (new List<(SharedSpend Store, SpendRequest Ask, SpendAnswer Held)>(), new Queue<(string Row, string Owner, long Cost, DateTimeOffset At)>());
        var (all, ann) = (0L, 0L);
        for (var step = 0; step < 300; step++)
        {
            var one = instances[random.Next(instances.Length)];
            switch (random.Next(10))
            {
                case < 4:
                    var ask = random.Next(2) == 0 ? Ask(50, random.Next(100, 6_000), Limit("user:ann", Ann), Limit("all", All)) : Ask(50, random.Next(100, 6_000), Limit("all", All));
                    if (await one.HoldAsync(ask) is { Outcome: SpendOutcome.Granted } held)
                    {
                        open.Add((one, ask, held));
                    }

                    break;
                case < 7 when open.Count > 0:
                    await EndAsync(open[random.Next(open.Count)], random.NextDouble() / 3);
                    break;
                case 7:
                    await WriteAsync(unwritten.Count);
                    break;
                case 8:
                    await one.ReturnAsync(everything: false, default);
                    break;
                case 9 when random.Next(5) == 0:
                    one.Doubt();
                    break;
                case 9:
                    Clock.Advance(TimeSpan.FromSeconds(random.Next(4)));
                    await WriteAsync(unwritten.Count(u => Clock.GetUtcNow() - u.At > TimeSpan.FromSeconds(8)));
                    break;
            }

            Assert.True(all + open.Sum(static o => o.Held.Held) <= All, $"step {step}: {all} spent");
            Assert.True(ann + open.Where(static o => o.Ask.Limits.Count == 2).Sum(static o => o.Held.Held) <= Ann, $"step {step}: {ann} spent by ann");
        }

        foreach (var left in open.ToList())
        {
            await EndAsync(left, 0);
        }

        await WriteAsync(unwritten.Count);
        var last = Ask(50, 6_000, Limit("all", All));
        var tries = 0;
        for (SpendAnswer answer; (answer = await instances[0].HoldAsync(last)).Outcome != SpendOutcome.Over;)
        {
            Assert.True(++tries < 200, "The rest stays taken");
            if (answer.Outcome == SpendOutcome.Granted)
            {
                await EndAsync((instances[0], last, answer), 1);
                await WriteAsync(unwritten.Count);
            }

            Clock.Advance(TimeSpan.FromSeconds(6)); // and the others give back what they do not use
            foreach (var instance in instances)
            {
                await instance.ReturnAsync(everything: false, default);
            }
        }

        Assert.InRange(all, All - 50, All);

        async Task EndAsync((SharedSpend Store, SpendRequest Ask, SpendAnswer Held) call, double part)
        {
            open.Remove(call);
            var (cost, row) = ((long)(call.Held.Held * part), NewRow());
            all += cost;
            ann += call.Ask.Limits.Count == 2 ? cost : 0;
            unwritten.Enqueue((row, call.Ask.Limits.Count == 2 ? "ann" : "bob", cost, Clock.GetUtcNow()));
            await call.Store.SettleAsync(call.Ask, call.Held, cost, row);
        }

        async Task WriteAsync(int count)
        {
            for (; count > 0; count--)
            {
                var (row, owner, cost, at) = unwritten.Dequeue();
                await AddAsync(owner, null, cost, at, row);
            }
        }
    }

    [DatabaseFact]
    public async Task At_the_same_moment_instances_have_one_limit_too()
    {
        SharedSpend[] instances = [await SharedAsync(), await SharedAsync(), await SharedAsync(), await SharedAsync()];
        var given = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => instances[i % 4].HoldAsync(Ask(10, 10, Limit("all", 1_000))).AsTask())));
        Assert.InRange(given.Sum(static g => g.Held), 700, 1_000); // a part is where it is not asked for, until it is given back
    }

    [DatabaseFact]
    public async Task What_was_asked_just_before_midnight_is_asked_again_on_the_new_day_which_begins_from_nothing()
    {
        await AddAsync("ann", null, 900, Clock.GetUtcNow());
        var store = await SharedAsync();
        var late = Ask(10, 700, Limit("all", 905));
        Clock.Advance(TimeSpan.FromHours(13));
        Assert.Equal(SpendOutcome.Busy, (await store.HoldAsync(late)).Outcome);
        Assert.Equal(700, (await store.HoldAsync(late with { Day = Day })).Held);
    }

    [DatabaseFact]
    public async Task What_is_relied_on_no_more_is_given_back_but_for_open_calls_and_these_when_they_end()
    {
        var (one, other) = (await SharedAsync(), await SharedAsync());
        var ask = Ask(100, 100, Limit("all", 4_000));
        var open = await one.HoldAsync(ask); // and 900 in advance
        one.Doubt();
        await ReturnAsync();
        Assert.Equal(100, await RowsAsync());
        var most = Ask(100, 3_900, Limit("all", 4_000));
        var rest = await other.HoldAsync(most);
        Assert.Equal(3_900, rest.Held);
        await SettleAsync(other, most, rest, 0);
        await SettleAsync(one, ask, open, 0);
        await ReturnAsync();
        Assert.Equal(3_900, await RowsAsync());
        Assert.Equal(3_900, (await other.HoldAsync(most)).Held);
        Assert.Equal(SpendOutcome.Busy, (await one.HoldAsync(Ask(100, 200, Limit("all", 4_000)))).Outcome);

        Task<long> RowsAsync() => Database.ReadAsync(static session => session.ScalarAsync<long>("SELECT coalesce(sum(micro_usd), 0)::bigint FROM budget_holds"), default);

        async Task ReturnAsync()
        {
            Clock.Advance(TimeSpan.FromSeconds(6));
            await one.ReturnAsync(everything: false, default);
        }
    }

    [DatabaseFact]
    public async Task A_limit_that_was_lowered_holds_at_once_also_for_what_was_taken_before()
    {
        var store = await SharedAsync();
        await SettleAsync(store, Ask(100, 100, Limit("all", 4_000)), await store.HoldAsync(Ask(100, 100, Limit("all", 4_000))), 100);
        Assert.Equal(SpendOutcome.Over, (await store.HoldAsync(Ask(100, 100, Limit("all", 150)))).Outcome);
        Assert.Equal(100, (await store.HoldAsync(Ask(100, 100, Limit("all", 4_000)))).Held);
    }

    [DatabaseFact]
    public async Task What_is_settled_and_written_while_a_row_is_being_taken_is_shown_once()
    {
        var store = await SharedAsync();
        var ask = Ask(100, 700, Limit("all", 1_000));
        var held = await store.HoldAsync(ask);
        var (hasTurn, mayGo) = (new TaskCompletionSource(), new TaskCompletionSource());
        var other = Database.WriteAsync(
            async session =>
            {
                await session.ExecuteAsync("SELECT pg_advisory_xact_lock(hashtextextended('budgets', 0))");
                hasTurn.SetResult();
                await mayGo.Task;
                return 0;
            },
            default);
        await hasTurn.Task;
        var second = store.HoldAsync(Ask(100, 500, Limit("all", 1_000))).AsTask();
        Assert.False(second.IsCompleted);
        await SettleAsync(store, ask, held, 100);
        mayGo.SetResult();
        await other;
        await second;
        Assert.Equal(100, (await FigureAsync(store, "all")).Spent);
        Assert.Equal(100, (await FigureAsync(store, "all")).Spent);
        await SettleAsync(store, ask, await store.HoldAsync(ask), 50);
        Clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(new SpendFigure(150, 0), await FigureAsync(store, "all"));
    }

    [DatabaseTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_an_instance_that_was_killed_had_taken_is_free_and_what_one_that_lives_has_taken_is_not(bool lives)
    {
        var ask = Ask(100, 600, Limit("all", 1_000));
        Assert.Equal(600, (await (await SharedAsync(lives)).HoldAsync(ask)).Held);
        var other = await SharedAsync();
        Assert.Equal(lives ? (SpendOutcome.Busy, 0) : (SpendOutcome.Granted, 600), await OutcomeAsync());

        // The time of its calls is over, whatever became of it.
        await Database.WriteAsync(static session => session.ExecuteAsync("UPDATE budget_holds SET until = until - 1200000000"), default);
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(lives ? (SpendOutcome.Granted, 600) : (SpendOutcome.Busy, 0), await OutcomeAsync());

        async Task<(SpendOutcome, long)> OutcomeAsync() => await other.HoldAsync(ask) is var answer ? (answer.Outcome, answer.Held) : default;
    }
}
