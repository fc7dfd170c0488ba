using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Architecture;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>Sessions of PostgreSQL that the server ends or refuses, and who may make one.</summary>
public sealed class PostgresSessionTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const string Table = "CREATE TABLE item (id BIGINT PRIMARY KEY, n BIGINT NOT NULL DEFAULT 0); INSERT INTO item (id) VALUES (1), (2);";
    private const string Sleepy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sleepy' AND datname = current_database()";
    private const string More = "UPDATE item SET n = n + 1";

    [PostgresFact]
    public async Task A_commit_that_finds_its_session_ended_because_it_did_nothing_is_made_on_a_new_one()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        Task EndedAsync() => Wait.UntilAsync(static async t => await t.ScalarAsync(Sleepy) == 0, test, "The server ended no session");
        var options = test.Options with { ConnectionString = test.Options.ConnectionString + "?application_name=sleepy&options=-c%20idle_session_timeout%3D1s", PoolMin = 1 };

        // With a clock of its own it does not ask for the time: the commit is the first that goes to the server.
        await using var sleepy = new PostgresDatabase(options, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance, clock: TimeProvider.System);
        Func<Task>[] writes =
        [
            () => sleepy.WriteSentAsync(static session => session.SendAsync(session.Prepared(More)), "1", default),
            () => sleepy.WriteAsync(static session => session.SendAsync(session.Prepared(More)), default),
        ];
        foreach (var write in writes)
        {
            await sleepy.LookAsync(static session => session.Prepared("SELECT n FROM item WHERE id = 1").Int64Async(), default);
            await EndedAsync();
            await write();
        }

        var tries = 0;
        await sleepy.WriteAsync(
            async session =>
            {
                await session.Prepared(More).RunAsync();
                if (++tries == 1)
                {
                    await session.Prepared("SELECT set_config('idle_in_transaction_session_timeout', '100ms', TRUE)").StringAsync();
                    await EndedAsync();
                }
            },
            default);
        Assert.Equal(2, tries);
        Assert.Equal(3, await test.ScalarAsync("SELECT n FROM item WHERE id = 1")); // each once
        Assert.Equal("idle_session_ended", sleepy.LastFailure!.Value.Class);
    }

    [PostgresFact]
    public async Task Of_a_server_that_is_left_alone_health_tells_what_for()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        var policies = new OutboundPolicies(new ResilienceOptions(), new ManualTimeProvider()); // once left alone, for ever
        await using var server = new PostgresDatabase(test.Options, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance, outbound: policies) { RefusesStandby = true };
        await server.OpenAsync();
        var name = await test.Database.ReadAsync(static session => session.Prepared("SELECT current_database()::text").StringAsync(), default);
        var shared = await PostgresServer.SharedAsync();
        await shared.ExecuteAsync($"ALTER DATABASE {name} SET default_transaction_read_only = on");
        await shared.ExecuteAsync($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        while (policies.Get("postgres").Circuit != "open")
        {
            _ = await Record.ExceptionAsync(() => server.LookAsync(static session => session.Prepared("SELECT 1::bigint").Int64Async(), default));
        }

        var health = await new PostgresProbe(server, TimeProvider.System).CheckAsync(default);
        Assert.Equal((HealthState.Bad, "read_only"), (health.Status, health.LastError));
        Assert.StartsWith("takes no writes (read_only)", health.Detail, StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task Of_the_first_connections_those_that_came_are_given_back_when_others_did_not()
    {
        await using var test = new TestDatabase();
        await test.Database.OpenAsync();
        var shared = await PostgresServer.SharedAsync();
        var role = "few_" + Guid.NewGuid().ToString("N");
        await shared.ExecuteAsync($"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2");
        try
        {
            var options = test.Options with
            {
                ConnectionString = test.Options.ConnectionString.Replace("postgres@", $"{role}@", StringComparison.Ordinal), PoolMin = 3, PoolMax = 3, ConnectTimeout = TimeSpan.FromSeconds(15),
            };
            var tries = 0;
            await using var server = new PostgresDatabase(
                options,
                async _ =>
                {
                    if (++tries == 3)
                    {
                        await shared.ExecuteAsync($"ALTER ROLE {role} CONNECTION LIMIT -1");
                    }
                },
                TimeProvider.System,
                NullLogger<PostgresDatabase>.Instance);
            await server.OpenAsync(); // the pool has three places: with one that is never given back the last try would find too few
            Assert.Equal(3, tries);
        }
        finally
        {
            await shared.ExecuteAsync($"DROP ROLE {role}");
        }
    }

    [Fact]
    public void Whoever_needs_a_session_of_his_own_gets_one_that_is_as_ours_are() => Assert.Equal(
        ["src/RootMas.Server/Platform/Data/PostgresConnection.cs"],
        Sources.Product.Where(static f => f.Root.DescendantNodes().OfType<ObjectCreationExpressionSyntax>().Any(static made => made.Type.ToString() == "NpgsqlConnection")).Select(static f => f.Path));
}
