using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>What is PostgreSQL's own: the pool, conflicts, lost connections, and the server's clock.</summary>
public sealed class PostgresTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const string Table = "CREATE TABLE item (id BIGINT PRIMARY KEY, name TEXT, n BIGINT NOT NULL DEFAULT 0); INSERT INTO item (id) VALUES (1), (2);";
    private const string Connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rootmas'";

    [PostgresFact]
    public async Task Both_bounds_of_the_pool_are_real()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 5, PoolMax = 20, ConnectTimeout = TimeSpan.FromMinutes(1) });
        await test.Database.OpenAsync();
        await Wait.UntilAsync(static async t => await t.ScalarAsync(Connections) == 5, test, "There were not five connections"); // the server ends that of the migrations a moment later
        var (inside, all) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var most = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => test.Database.ReadAsync(
            async session =>
            {
                if (Interlocked.Increment(ref inside) == 20)
                {
                    all.SetResult();
                }

                await all.Task.WaitAsync(TimeSpan.FromMinutes(1)); // as many at once as there may be
                return await session.Prepared(Connections).Int64Async();
            },
            default)));
        Assert.Equal(20, most.Max());
    }

    [PostgresFact]
    public async Task Statements_are_prepared_once_per_connection_and_time_outs_are_set()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1, CommandTimeout = TimeSpan.FromSeconds(7) }, sql: Table);
        for (var i = 0; i < 4; i++)
        {
            await test.Database.WriteAsync(session => session.Prepared("UPDATE item SET n = n + @n WHERE id = @id").Set("n", i).Set("id", 1).RunAsync(), default);
        }

        Assert.Equal(1, await test.ScalarAsync("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'UPDATE item%'"));
        foreach (var name in (string[])["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
        {
            Assert.Equal("7s", await test.Database.ReadAsync(session => session.Prepared($"SELECT current_setting('{name}')").StringAsync(), default));
        }
    }

    [PostgresTheory]
    [InlineData("", "off 0")]
    [InlineData("?options=-c%20jit%3Don%20-c%20idle_session_timeout%3D5min", "on 5min")]
    public async Task The_server_compiles_nothing_and_ends_no_idle_session_unless_the_operator_says_so(string more, string set)
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        var server = await PostgresServer.SharedAsync();
        await server.ExecuteAsync($"ALTER DATABASE {NameOf(test)} SET jit = on");
        await server.ExecuteAsync($"ALTER DATABASE {NameOf(test)} SET idle_session_timeout = '1min'");
        await using var connection = await PostgresConnection.OpenAsync(test.Options with { ConnectionString = test.Options.ConnectionString + more }, writes: true, default);
        await using var command = new NpgsqlCommand("SELECT current_setting('jit') || ' ' || current_setting('idle_session_timeout')", connection);
        Assert.Equal(set, await command.ExecuteScalarAsync());
    }

    [PostgresFact]
    public async Task A_session_that_the_server_ended_because_it_was_idle_costs_nothing()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        var options = test.Options with { ConnectionString = test.Options.ConnectionString + "?application_name=sleepy&options=-c%20idle_session_timeout%3D1s", PoolMin = 1 };
        await using var sleepy = new PostgresDatabase(options, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
        for (var i = 1; i <= 2; i++)
        {
            await sleepy.WriteAsync(static session => session.Prepared("UPDATE item SET n = n + 1").RunAsync(), default);
            await Wait.UntilAsync(static async t => await t.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sleepy' AND datname = current_database()") == 0, test, "The server ended no session");
            Assert.Equal(i, await sleepy.ReadAsync(static session => session.Prepared("SELECT min(n) FROM item").Int64Async(), default));
        }
    }

    [PostgresFact]
    public async Task A_write_that_meets_a_connection_which_takes_none_is_made_on_a_new_one()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1 }, sql: Table);
        Func<Task>[] writes =
        [
            () => test.ExecuteAsync("UPDATE item SET n = n + 1"),
            () => test.Database.WriteSentAsync(static session => session.SendAsync(session.Prepared("UPDATE item SET n = n + 1")), "1", default),
        ];
        foreach (var write in writes)
        {
            // As one that was made while the database took no writes: the session keeps it.
            await test.Database.LookAsync(static session => session.Prepared("SELECT set_config('default_transaction_read_only', 'on', FALSE)").StringAsync(), default);
            await write();
            Assert.Equal("off", await test.Database.ReadAsync(static session => session.Prepared("SELECT current_setting('default_transaction_read_only')").StringAsync(), default));
        }

        Assert.Equal(4, await test.ScalarAsync("SELECT CAST(sum(n) AS BIGINT) FROM item"));
        Assert.Equal("read_only", ((PostgresDatabase)test.Database).LastFailure!.Value.Class);
    }

    [PostgresFact]
    public async Task A_database_that_takes_no_writes_refuses_the_start_says_why_and_lets_those_read_who_only_look()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await (await PostgresServer.SharedAsync()).ExecuteAsync($"ALTER DATABASE {NameOf(test)} SET default_transaction_read_only = on");
        var clock = new SteppedClock();
        await using var server = new PostgresDatabase(test.Options, static _ => Task.CompletedTask, clock, NullLogger<PostgresDatabase>.Instance) { RefusesStandby = true };
        var opening = server.OpenAsync();
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return opening.IsCompleted;
        });
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => opening);
        Assert.Equal(7, refused.ExitCode); // a fail-over may be under way
        Assert.Contains("(read_only). The PostgreSQL server is a standby, or was set to take no writes (default_transaction_read_only)", refused.Message, StringComparison.Ordinal);

        await using var look = new PostgresDatabase(test.Options, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
        Assert.Equal(2, await look.ReadAsync(static session => session.Prepared("SELECT count(*) FROM item").Int64Async(), default));
    }

    [PgBouncerFact]
    public async Task A_pooler_in_session_mode_is_no_hindrance_and_one_that_refuses_what_the_connection_string_sends_is_named()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await using var bouncer = await PgBouncer.StartAsync(await PostgresServer.SharedAsync());
        var options = test.Options with { ConnectionString = $"postgres://postgres@127.0.0.1:{bouncer.Port}/{NameOf(test)}", CommandTimeout = TimeSpan.FromSeconds(7) };
        await using (var pooled = new PostgresDatabase(options, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance) { RefusesStandby = true })
        {
            for (var i = 0; i < 4; i++)
            {
                await pooled.WriteAsync(static session => session.Prepared("UPDATE item SET n = n + 1").RunAsync(), default);
            }

            Assert.Equal("7s off", await pooled.ReadAsync(static session => session.Prepared("SELECT current_setting('statement_timeout') || ' ' || current_setting('jit')").StringAsync(), default));
        }

        Assert.Equal(4, await test.ScalarAsync("SELECT min(n) FROM item"));
        await using var named = new PostgresDatabase(
            options with { ConnectionString = options.ConnectionString + "?options=-c%20jit%3Don" }, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => named.OpenAsync());
        Assert.Contains("take Options (and search_path) out of Database:ConnectionString", refused.Message, StringComparison.Ordinal);
        Assert.Equal(2, refused.ExitCode);
    }

    [PostgresFact]
    public async Task The_server_asks_silent_connections_whether_anybody_is_there()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await using var connection = await PostgresConnection.OpenAsync(test.Options, writes: true, default);
        foreach (var (name, seconds) in (ValueTuple<string, string>[])[("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "3"), ("tcp_keepalives_count", "3"), ("tcp_user_timeout", "14000")])
        {
            await using var command = new NpgsqlCommand($"SELECT current_setting('{name}')", connection);
            Assert.Equal(seconds, await command.ExecuteScalarAsync());
        }
    }

    [PostgresTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_that_wait_for_each_other_one_begins_again_and_both_succeed(bool withTheCommit)
    {
        await using var test = new TestDatabase(sql: Table);
        using var both = new Barrier(2);
        var tries = 0;
        Task Both(int first, int second) => test.Database.WriteAsync(
            async session =>
            {
                var isFirst = Interlocked.Increment(ref tries) <= 2;
                await session.Prepared("UPDATE item SET n = n + 1 WHERE id = @id").Set("id", first).RunAsync();
                if (isFirst)
                {
                    both.SignalAndWait(TimeSpan.FromMinutes(1));
                }

                await session.SendAsync(session.Prepared("UPDATE item SET n = n + 1 WHERE id = @id").Set("id", second));
                if (!withTheCommit)
                {
                    await session.FlushAsync();
                }
            },
            default);
        await Task.WhenAll(Task.Run(() => Both(1, 2)), Task.Run(() => Both(2, 1)));
        Assert.InRange(tries, 3, 6); // one begins again, or both: a server that stood still finds out about both at once
        Assert.Equal(4, await test.ScalarAsync("SELECT CAST(sum(n) AS BIGINT) FROM item"));
    }

    [PostgresFact]
    public async Task A_delegate_that_lost_a_race_begins_again_and_gives_up_in_the_end()
    {
        await using var test = new TestDatabase(sql: Table);
        var tries = 0;
        Assert.Equal(3, await test.Database.WriteAsync(_ => ++tries < 3 ? throw new WriteConflictException("again") : ValueTask.FromResult(tries), default));
        await Assert.ThrowsAsync<StorageUnavailableException>(() => test.Database.WriteAsync<int>(_ => throw new WriteConflictException("always"), default));
        Assert.Equal(0, await test.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"));
    }

    [PostgresFact]
    public async Task What_was_sent_goes_with_the_commit_and_a_refused_statement_takes_the_commit_with_it()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1 }, sql: Table);
        async Task<bool> SendAsync(long id, string name)
        {
            await test.Database.WriteAsync(
                async session =>
                {
                    await session.SendAsync(session.Prepared("UPDATE item SET n = n + 1"));
                    await session.SendAsync(session.Prepared("INSERT INTO item (id, name) VALUES (@id, @name)").Set("id", id).Set("name", name));
                },
                default);
            return true;
        }

        for (var i = 3; i < 7; i++)
        {
            Assert.True(await SendAsync(i, "new"));
        }

        for (var i = 3; i < 7; i++)
        {
            Assert.Equal("23505", (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => SendAsync(i, "there already"))).SqlState);
        }

        Assert.Equal(2 + 3 + 4 + 5, await test.ScalarAsync("SELECT CAST(sum(n) AS BIGINT) FROM item"));
        Assert.Equal(0, await test.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"));
    }

    [PostgresFact]
    public async Task A_look_is_one_statement_that_changes_nothing()
    {
        await using var test = new TestDatabase(sql: Table);
        Assert.Equal(2, await test.Database.LookAsync(static session => session.Prepared("SELECT count(*) FROM item").Int64Async(), default));
        await Assert.ThrowsAsync<InvalidOperationException>(() => test.Database.LookAsync(static session => session.Prepared("DELETE FROM item").RunAsync(), default));
        await Assert.ThrowsAsync<InvalidOperationException>(() => test.Database.LookAsync(static async session => await session.Prepared("SELECT 1").Int64Async() + await session.Prepared("SELECT 2").Int64Async(), default));
        Assert.Equal(2, await test.ScalarAsync("SELECT count(*) FROM item"));
    }

    [PostgresFact]
    public async Task A_connection_that_is_lost_before_the_commit_costs_nothing()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 5 }, sql: Table);
        await test.Database.OpenAsync();
        var server = await PostgresServer.SharedAsync();
        for (var i = 0; i < 5; i++)
        {
            await server.ExecuteAsync($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NameOf(test)}' AND application_name = 'rootmas'");
            await test.ExecuteAsync("UPDATE item SET n = n + 1 WHERE id = 1");
            Assert.Equal(i + 1, await test.ScalarAsync("SELECT n FROM item WHERE id = 1"));
        }

        Assert.Equal("shutting_down_or_starting", ((PostgresDatabase)test.Database).LastFailure!.Value.Class);
    }

    [PostgresFact]
    public async Task Text_that_PostgreSQL_cannot_hold_is_kept_without_what_it_cannot()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.WriteAsync(session => session.Prepared("UPDATE item SET name = @name").Set("name", "a\0b\ud800c𝄞").RunAsync(), default);
        Assert.Equal("a\ufffdb\ufffdc𝄞", await test.Database.ReadAsync(session => session.Prepared("SELECT name FROM item").StringAsync(), default));
    }

    [PostgresFact]
    public async Task The_time_of_a_transaction_is_the_servers()
    {
        await using var test = new TestDatabase();
        for (var i = 0; i < 3; i++)
        {
            var (ours, servers) = await test.Database.WriteAsync(
                async session => (UnixTime.ToMicros(session.Now), await session.Prepared("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Int64Async()), default);
            Assert.InRange(servers!.Value - ours, 0, 60_000_000);
        }
    }

    [PostgresFact]
    public async Task A_call_that_finds_no_free_connection_is_refused_in_bounded_time_and_others_go_on()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 5, PoolMax = 5, ConnectTimeout = TimeSpan.FromSeconds(1), QueueLength = 150 });
        await test.Database.OpenAsync();
        var began = Stopwatch.GetTimestamp();
        var over = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = Enumerable.Range(0, 200).Select(_ => test.Database.ReadAsync(async _ => await over.Task, default)).ToList();
        await Wait.UntilAsync(() => calls.Count(static c => c.IsFaulted) == 195);
        over.SetResult(true);
        await Task.WhenAll(calls).ContinueWith(static _ => { }, TaskScheduler.Default);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.All(calls.Where(static c => c.IsFaulted), static c => Assert.IsType<StorageUnavailableException>(c.Exception!.InnerException));
        Assert.Equal(5, calls.Count(static c => c.IsCompletedSuccessfully));
        Assert.Equal(1, await test.ScalarAsync("SELECT 1"));
    }

    [PostgresFact]
    public async Task A_wrong_address_or_login_refuses_the_start_and_shows_no_secret()
    {
        var server = await PostgresServer.SharedAsync();
        foreach (var (name, login) in ((string, string)[])[("nowhere", "postgres:s3cret@"), ("postgres", "nobody:s3cret@")])
        {
            var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = server.Url(name).Replace("postgres@", login, StringComparison.Ordinal) };
            await using var database = new PostgresDatabase(options, _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
            var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => database.OpenAsync());
            Assert.Contains($"{name} on 127.0.0.1:{server.Port}", refused.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("s3cret", refused.Message, StringComparison.Ordinal);
            Assert.Equal(2, refused.ExitCode); // the service manager does not try again
        }
    }

    [Fact]
    public async Task One_that_does_not_answer_ends_the_start_in_a_way_that_is_tried_again()
    {
        var clock = new SteppedClock();
        var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = $"postgres://postgres@127.0.0.1:{ServerProcess.FreePort()}/rootmas" };
        await using var database = new PostgresDatabase(options, _ => Task.CompletedTask, clock, NullLogger<PostgresDatabase>.Instance);
        var opening = database.OpenAsync();
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return opening.IsCompleted;
        });
        Assert.Equal(7, (await Assert.ThrowsAsync<StartupRefusedException>(() => opening)).ExitCode);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("nonsense", false)]
    [InlineData("Host=db", false)]
    [InlineData("postgres://u:p%40ss@db.example/rootmas?sslmode=verify-full", true)]
    [InlineData("postgres://u@db.example/rootmas?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/etc/me.pem&sslkey=/etc/me.key&connect_timeout=3&application_name=mas", true)]
    [InlineData("postgres://u@db.example/rootmas?sslrootcrt=/etc/ca.pem", false)]
    [InlineData("Host=db;Database=rootmas;Username=u;Password=p", true)]
    public void A_connection_string_has_one_of_two_forms(string text, bool good)
    {
        var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = text };
        Assert.Equal(good, !options.Validate(new(options)).Any());
        Assert.Equal(!good, options.Validate(new(options)).Any());
    }

    private static string NameOf(TestDatabase test) => test.Options.ConnectionString[(test.Options.ConnectionString.LastIndexOf('/') + 1)..];
}
