using FsCheck;
using FsCheck.Fluent;
using RootMas.Server.Identity.Limits;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Limits;

/// <summary>What every store of limits must hold; each store derives a class of its own.</summary>
public abstract class LimitStoreTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static int _subjects;

    protected SteppedClock Clock { get; } = new();

    protected abstract ILimitStore Store { get; }

    /// <summary>A store that is far away cannot be asked as often in the time there is.</summary>
    protected virtual int MostRequests => int.MaxValue;

    [DatabaseTheory]
    [InlineData(1, 64)]
    [InlineData(7, 500)]
    [InlineData(100, 4_000)]
    [InlineData(1_000, 8_000)]
    [InlineData(200_000, 400_000)] // long enough that takers really meet
    public async Task Exactly_the_limit_passes_when_many_ask_at_once(int limit, int requests)
    {
        (limit, requests) = (Math.Min(limit, MostRequests / 2), Math.Min(requests, MostRequests));
        var (key, rule) = (NewKey(), LimitRule.PerMinute(limit));
        for (var round = 0; round < 3; round++)
        {
            var passed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                var count = 0;
                for (var i = 0; i < requests / 8; i++)
                {
                    count += (await Store.TakeAsync(key, rule, 1)).IsWithin ? 1 : 0;
                }

                return count;
            })));
            Assert.Equal(limit, passed.Sum());
            Clock.Advance(Minute + TimeSpan.FromMilliseconds(1));
        }
    }

    [DatabaseFact]
    public async Task Units_come_back_one_by_one_and_a_refusal_says_when()
    {
        var (key, rule) = (NewKey(), LimitRule.PerMinute(6));
        for (var left = 5; left >= 0; left--)
        {
            Assert.Equal(new LimitResult(true, left, TimeSpan.FromSeconds((6 - left) * 10), TimeSpan.Zero), await Store.TakeAsync(key, rule, 1));
        }

        Assert.Equal(new LimitResult(false, 0, Minute, TimeSpan.FromSeconds(10)), await Store.TakeAsync(key, rule, 1));
        Clock.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(new LimitResult(false, 0, TimeSpan.FromSeconds(51), TimeSpan.FromSeconds(1)), await Store.TakeAsync(key, rule, 1));
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True((await Store.TakeAsync(key, rule, 1)).IsWithin);
        Assert.False((await Store.TakeAsync(key, rule, 1)).IsWithin);
    }

    [DatabaseFact]
    public async Task A_cost_is_taken_whole_or_not_at_all_and_looking_takes_nothing()
    {
        var (key, rule) = (NewKey(), LimitRule.PerMinute(10));
        Assert.Equal(10, (await Store.TakeAsync(key, rule, 0)).Remaining);
        Assert.Equal(4, (await Store.TakeAsync(key, rule, 6)).Remaining);
        var refused = await Store.TakeAsync(key, rule, 5);
        Assert.Equal((false, 4L, TimeSpan.FromSeconds(6)), (refused.IsWithin, refused.Remaining, refused.RetryAfter));
        Assert.Equal(0, (await Store.TakeAsync(key, rule, 4)).Remaining);
        Assert.True((await Store.TakeAsync(key, rule, 0)).IsWithin);
        Clock.Advance(Minute);
        Assert.Equal(0, (await Store.TakeAsync(key, rule, 1_000_000)).Remaining);
    }

    [DatabaseFact]
    public async Task Keys_are_counted_apart()
    {
        var rule = LimitRule.PerMinute(1);
        var name = $"limit {Interlocked.Increment(ref _subjects)}";
        LimitKey[] keys =
        [
            LimitKey.OfUser(name, "a"), LimitKey.OfUser(name, "b"), LimitKey.OfUser(name + "x", "a"), LimitKey.OfUsername(name, "a"),
            LimitKey.OfAddress(name, 1), LimitKey.OfAddress(name, UInt128.MaxValue), LimitKey.OfUsername(name, new string('u', 1_000_000)), LimitKey.OfUsername(name, new string('u', 1_000_001)),
        ];
        foreach (var key in keys)
        {
            Assert.True((await Store.TakeAsync(key, rule, 1)).IsWithin, key.Limit);
        }

        foreach (var key in keys)
        {
            Assert.False((await Store.TakeAsync(key, rule, 1)).IsWithin, key.Limit);
        }

        Assert.False((await Store.TakeAsync(LimitKey.OfUsername(name, " A "), rule, 1)).IsWithin);
        Assert.All(keys, static key => Assert.InRange(key.ToString().Length, 1, 200));
    }

    /// <summary>Against the textbook: a bucket of L units that fills evenly.</summary>
    [DatabaseFact]
    public void Any_sequence_of_requests_passes_as_with_a_bucket_that_fills_evenly() => Prop.ForAll(Sequences.ToArbitrary(), async sequence =>
    {
        var (key, rule) = (NewKey(), new LimitRule(sequence.Limit, TimeSpan.FromSeconds(sequence.Limit * 10)));
        decimal units = sequence.Limit;
        foreach (var (wait, cost) in sequence.Steps)
        {
            Clock.Advance(TimeSpan.FromSeconds(wait));
            units = Math.Min(sequence.Limit, units + (wait / 10m));
            var asked = Math.Min(cost, sequence.Limit);
            var result = await Store.TakeAsync(key, rule, cost);
            if (result.IsWithin != (units >= asked))
            {
                return false;
            }

            var refusal = (asked - units) * 10;
            units -= result.IsWithin ? asked : 0;
            if (result.Remaining != (long)units || (!result.IsWithin && result.RetryAfter != TimeSpan.FromSeconds((double)refusal)))
            {
                return false;
            }
        }

        return true;
    }).QuickCheckThrowOnFailure();

    protected static LimitKey NewKey() => LimitKey.OfUser("limit", $"user {Interlocked.Increment(ref _subjects)}");

    private static readonly Gen<Sequence> Sequences =
        from limit in Gen.Choose(1, 20)
        from steps in (from wait in Gen.Choose(0, 40) from cost in Gen.Choose(0, 25) select (wait, cost)).ListOf()
        select new Sequence(limit, [.. steps]);

    private sealed record Sequence(int Limit, IReadOnlyList<(int Wait, int Cost)> Steps);
}
