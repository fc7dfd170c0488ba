using RootMas.Server.Identity.Limits;

namespace RootMas.Tests.Identity.Limits;

public sealed class MemoryLimitStoreTests : LimitStoreTests
{
    private static readonly LimitRule Rule = LimitRule.PerMinute(10);
    private readonly MemoryLimitStore _store;

    public MemoryLimitStoreTests() => _store = new MemoryLimitStore(1_000, Clock);

    protected override ILimitStore Store => _store;

    [Fact]
    public async Task Made_up_keys_never_take_more_memory_and_make_limits_stricter()
    {
        var passed = 0;
        for (var i = 0; i < 50_000; i++)
        {
            passed += (await _store.TakeAsync(LimitKey.OfAddress("address", (UInt128)i << 64), Rule, 10)).IsWithin ? 1 : 0;
            Assert.InRange(_store.Count, 1, 1_001);
        }

        // The first thousand have a count of their own, all others share one.
        Assert.Equal(1_001, passed);
        Assert.False((await _store.TakeAsync(LimitKey.OfAddress("address", 0), Rule, 1)).IsWithin);
        Assert.True((await _store.TakeAsync(LimitKey.OfUser("address", "a user"), Rule, 1)).IsWithin);
        Assert.True((await _store.TakeAsync(LimitKey.OfUsername("name", "somebody"), Rule, 1)).IsWithin);
    }

    [Fact]
    public async Task Idle_keys_make_room_and_busy_ones_stay()
    {
        for (var i = 0; i < 900; i++)
        {
            await _store.TakeAsync(LimitKey.OfUser("limit", $"idle {i}"), Rule, 1);
        }

        Clock.Advance(TimeSpan.FromSeconds(6));
        for (var i = 0; i < 50; i++)
        {
            await _store.TakeAsync(LimitKey.OfUser("limit", $"busy {i}"), LimitRule.PerMinute(1), 1);
        }

        for (var i = 0; i < 400; i++)
        {
            Assert.True((await _store.TakeAsync(LimitKey.OfUser("limit", $"new {i}"), Rule, 10)).IsWithin);
        }

        Assert.InRange(_store.Count, 450, 700);
        for (var i = 0; i < 50; i++)
        {
            Assert.False((await _store.TakeAsync(LimitKey.OfUser("limit", $"busy {i}"), LimitRule.PerMinute(1), 1)).IsWithin);
        }
    }

    /// <summary>Forgetting a key while others take from it must not give anybody a second count.</summary>
    [Fact]
    public async Task A_key_that_is_forgotten_and_taken_at_the_same_time_is_counted_once()
    {
        var store = new MemoryLimitStore(100, Clock);
        for (var round = 0; round < 300; round++)
        {
            var key = LimitKey.OfUser("limit", "contended");
            var takers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
            {
                var count = 0;
                for (var i = 0; i < 20; i++)
                {
                    count += (await store.TakeAsync(key, Rule, 1)).IsWithin ? 1 : 0;
                }

                return count;
            }));
            var noise = Enumerable.Range(0, 4).Select(n => Task.Run(async () =>
            {
                for (var i = 0; i < 20; i++)
                {
                    await store.TakeAsync(LimitKey.OfUser("other", $"{round} {n} {i}"), Rule, 1);
                }

                return 0;
            }));

            // The contended key keeps its place: 80 others are not more than there is room for.
            Assert.Equal(10, (await Task.WhenAll(takers.Concat(noise))).Sum());
            Clock.Advance(TimeSpan.FromMinutes(2));
        }
    }
}
