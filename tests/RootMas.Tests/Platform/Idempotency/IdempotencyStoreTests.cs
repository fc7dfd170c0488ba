using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Idempotency;

[Covers(typeof(IdempotencyStore))]
public abstract class IdempotencyStoreTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly IdempotencyRequest Request = new("owner", "POST /api/v1/chat", "key", "hash");
    private readonly IdempotencyStore store = new();

    [DatabaseFact]
    public async Task Two_hundred_equal_keys_have_one_effect()
    {
        await using var test = new TestDatabase(sql: "CREATE TABLE effect (id TEXT);");
        var ids = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => test.Database.WriteAsync(
            async session =>
            {
                var reservation = await store.ReserveAsync(session, Request, "run", $"run-{i}");
                if (reservation is Reservation.Replay replay)
                {
                    return replay.ResourceId;
                }

                Assert.IsType<Reservation.New>(reservation);
                await session.Prepared("INSERT INTO effect VALUES (@id)").Set("id", $"run-{i}").RunAsync();
                return $"run-{i}";
            },
            default)));
        Assert.Single(ids.Distinct());
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM effect"));
    }

    [DatabaseFact]
    public async Task A_rolled_back_effect_gives_its_key_back()
    {
        await using var test = new TestDatabase();
        await Assert.ThrowsAsync<InvalidDataException>(() => test.Database.WriteAsync(
            async session =>
            {
                await store.ReserveAsync(session, Request, "run", "r1");
                throw new InvalidDataException();
            },
            default));
        Assert.IsType<Reservation.New>(await Reserve(test, Request));
    }

    [DatabaseFact]
    public async Task Another_body_is_a_mismatch_and_another_owner_path_or_key_is_new()
    {
        await using var test = new TestDatabase();
        await Reserve(test, Request);
        Assert.IsType<Reservation.Mismatch>(await Reserve(test, Request with { BodyHash = "other" }));
        Assert.IsType<Reservation.New>(await Reserve(test, Request with { OwnerId = "other" }));
        Assert.IsType<Reservation.New>(await Reserve(test, Request with { Scope = "POST /other" }));
        Assert.IsType<Reservation.New>(await Reserve(test, Request with { Key = "other" }));
    }

    [DatabaseFact]
    public async Task Without_a_resource_a_twin_is_told_to_wait_until_the_answer_is_there()
    {
        await using var test = new TestDatabase();
        await Reserve(test, Request);
        Assert.IsType<Reservation.Running>(await Reserve(test, Request));
        await test.Database.WriteAsync(session => store.CompleteAsync(session, Request, 201, "{}"), default);
        Assert.Equal(new Reservation.Replay(null, null, 201, "{}"), await Reserve(test, Request));
        await test.Database.WriteAsync(session => store.ReleaseAsync(session, Request), default);
        Assert.IsType<Reservation.Replay>(await Reserve(test, Request));
    }

    [DatabaseFact]
    public async Task A_key_left_behind_by_a_dead_process_may_be_taken_over_but_its_resource_stays()
    {
        await using var test = new TestDatabase();
        await Reserve(test, Request);
        await test.Database.WriteAsync(session => store.ReserveAsync(session, Request with { Key = "made" }, "run", "r1"), default);
        var afterRestart = new IdempotencyStore();
        Assert.IsType<Reservation.New>(await test.Database.WriteAsync(session => afterRestart.ReserveAsync(session, Request), default));
        Assert.Equal(
            new Reservation.Replay("run", "r1", null, null),
            await test.Database.WriteAsync(session => afterRestart.ReserveAsync(session, Request with { Key = "made" }), default));
    }

    [DatabaseFact]
    public async Task After_a_day_a_key_is_free_and_pruned()
    {
        var time = new ShiftedTime();
        await using var test = new TestDatabase(time: time);
        await Reserve(test, Request);
        await Reserve(test, Request with { Key = "second" });
        time.Shift = TimeSpan.FromHours(25);
        Assert.IsType<Reservation.New>(await Reserve(test, Request));
        Assert.Equal(1, await test.Database.WriteAsync(session => store.PruneAsync(session, 10), default));
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM idempotency_keys"));
    }

    private Task<Reservation> Reserve(TestDatabase test, IdempotencyRequest request) => test.Database.WriteAsync(session => store.ReserveAsync(session, request), default);

    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}

public sealed class IdempotencyStoreOnSqliteTests() : IdempotencyStoreTests(DatabaseKind.Sqlite);

public sealed class IdempotencyStoreOnPostgresTests() : IdempotencyStoreTests(DatabaseKind.Postgres), IOnPostgres;
