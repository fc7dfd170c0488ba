using System.Data.Common;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Npgsql;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Audit;

public sealed class AuditChainOnSqliteTests() : AuditChainTests(DatabaseKind.Sqlite);

public sealed class AuditChainOnPostgresTests() : AuditChainTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>The chain: what was changed behind the server's back is found, and what the server does itself never breaks it.</summary>
[Covers(typeof(AuditStore))]
public abstract class AuditChainTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly AuditKey Key = new([.. Enumerable.Range(0, 32).Select(static i => (byte)i)]);
    private readonly AuditLog _log = new(Key);
    private TestDatabase _db = null!;

    private bool IsSqlite => _db.Options.Kind == DatabaseKind.Sqlite;

    private AuditStore Store => new(_db.Database);

    public Task InitializeAsync()
    {
        _db = new TestDatabase(); // not where fields are made: which database it is is known afterwards
        return Task.CompletedTask;
    }

    public async Task DisposeAsync() => await _db.DisposeAsync();

    [DatabaseFact]
    public async Task A_log_that_nobody_touched_verifies()
    {
        await AppendAsync(25);
        var check = await VerifyAsync();
        Assert.Empty(check.Problems);
        Assert.Equal((25, 25), (check.Rows, check.Head.Id));
        Assert.Empty((await VerifyAsync(check.Head)).Problems);
    }

    [DatabaseFact]
    public async Task Whatever_is_changed_in_the_table_is_found_and_named()
    {
        foreach (var (tampering, finding) in ((string, string)[])
        [
            ("update audit set actor_id = 'mallory' where id = 5", "row 5 (test.act) was changed"),
            ("update audit set after = null where id = 5", "row 5 (test.act) was changed"),
            ("update audit set actor_name = actor_id, actor_id = null where id = 5", "row 5 (test.act) was changed"),
            ("update audit set at = at + 1 where id = 1", "row 1 (test.act) was changed"),
            ("delete from audit where id = 5", "rows 5 to 5 are missing"),
            ("delete from audit where id between 3 and 6", "rows 3 to 6 are missing"),
            ("delete from audit where id = 1", "rows 1 to 1 are missing"),
            ("delete from audit where id > 8", "rows 9 to 10 are missing at the end"),
            ("update audit set id = 11 where id = 10", "rows 10 to 10 are missing"),
            ("update audit_head set mac = (select mac from audit where id = 9)", "the stored head (10) does not fit the last row (10)"),
            ("update audit_head set last_id = 9, mac = (select mac from audit where id = 9)", "the stored head (9) does not fit the last row (10)"),
            ("insert into audit select 11, at, action, outcome, actor_id, actor_name, credential, session_id, target_kind, target_id, before, after, address, request_id, form, key_id, mac from audit where id = 10", "row 11 (test.act) was changed, or put there"),
        ])
        {
            await AppendAsync(10);
            await TamperAsync(tampering);
            var problems = (await VerifyAsync()).Problems;
            Assert.True(problems.Any(p => p.Contains(finding, StringComparison.Ordinal)), $"{tampering}: {string.Join('\n', problems)}");
            await ClearAsync();
        }
    }

    [DatabaseFact]
    public async Task What_a_server_writes_while_the_chain_is_walked_is_no_finding()
    {
        await AppendAsync(10);
        var check = await new AuditVerifier(new AuditStore(new AtWork(_db.Database, () => AppendAsync(2))), [Key]).RunAsync(null, default);
        Assert.Empty(check.Problems);
        Assert.Equal((12, 12), (check.Rows, check.Head.Id)); // two came after the head was read, and two after the rows
        Assert.Empty((await VerifyAsync(check.Head)).Problems);
    }

    [DatabaseFact]
    public async Task One_changed_row_is_one_finding()
    {
        await AppendAsync(10);
        await TamperAsync("update audit set actor_id = 'mallory' where id = 5");
        Assert.Single((await VerifyAsync()).Problems);
    }

    [DatabaseFact]
    public async Task A_tail_that_was_cut_with_its_head_shows_against_a_head_from_the_log()
    {
        await AppendAsync(10);
        var head = await Store.HeadAsync(default);
        await TamperAsync("delete from audit where id > 8", "update audit_head set last_id = 8, mac = (select mac from audit where id = 8)");
        Assert.Empty((await VerifyAsync()).Problems);
        Assert.Contains((await VerifyAsync(head)).Problems, p => p.Contains("the log was cut: it had 10 rows", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task A_log_that_was_written_anew_with_the_key_shows_against_a_head_from_the_log()
    {
        await AppendAsync(10);
        var head = await Store.HeadAsync(default);
        await ClearAsync();
        await AppendAsync(12);
        Assert.Contains((await VerifyAsync(head)).Problems, p => p.Contains("row 10 is not the one that the given head names", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task Another_key_verifies_nothing()
    {
        await AppendAsync(3);
        var check = await new AuditVerifier(Store, [new AuditKey(new byte[32])]).RunAsync(null, default);
        Assert.Equal(3, check.Problems.Count);
        Assert.Contains(Key.Id, check.Problems[0], StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Parallel_writers_some_of_which_fail_leave_a_whole_chain()
    {
        var writes = Enumerable.Range(0, 400).Select(async i =>
        {
            try
            {
                await _db.Database.WriteAsync(
                    async session =>
                    {
                        await _log.AppendAsync(session, Entry(i));
                        if (i % 3 == 0)
                        {
                            throw new InvalidOperationException("the change failed after its row");
                        }
                    },
                    default);
                return 1;
            }
            catch (InvalidOperationException)
            {
                return 0;
            }
        });
        var done = (await Task.WhenAll(writes)).Sum();
        var check = await VerifyAsync();
        Assert.Empty(check.Problems);
        Assert.Equal((266, 266, 266), (done, check.Rows, check.Head.Id));
    }

    [DatabaseFact]
    public async Task The_database_itself_refuses_to_change_rows()
    {
        await AppendAsync(2);
        foreach (var change in (string[])
        [
            "update audit set actor_id = 'x' where id = 1",
            "delete from audit where id = 2",
            "insert or replace into audit select id, at, 'x.y', outcome, actor_id, actor_name, credential, session_id, target_kind, target_id, before, after, address, request_id, form, key_id, mac from audit where id = 1",
            "update audit_head set last_id = 1",
            "delete from audit_head",
        ])
        {
            var sql = IsSqlite || !change.StartsWith("insert or replace", StringComparison.Ordinal)
                ? change
                : change.Replace("insert or replace", "insert", StringComparison.Ordinal) + " on conflict (id) do update set action = excluded.action";
            await Assert.ThrowsAnyAsync<DbException>(() => _db.ExecuteAsync(sql));
            Assert.Empty((await VerifyAsync()).Problems);
        }
    }

    [DatabaseFact]
    public async Task Hostile_names_become_harmless_and_the_chain_still_verifies()
    {
        var hostile = "a\r\nb\u001b[31m\u202e\ud800" + new string('x', 10_000);
        await _db.Database.WriteAsync(session => _log.AppendAsync(session, Entry(1) with { ActorName = hostile, TargetId = hostile, After = new JsonObject { ["text"] = new string('y', 100_000) } }), default);
        var row = Assert.Single(await Store.ListAsync(new AuditFilter(), null, 10, default));
        Assert.DoesNotContain(row.ActorName!, char.IsControl);
        Assert.InRange(row.ActorName!.Length, 1, 400);
        Assert.InRange(row.After!.Length, 1, 200);
        Assert.Empty((await VerifyAsync()).Problems);
    }

    private async Task AppendAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await _db.Database.WriteAsync(session => _log.AppendAsync(session, Entry(i)), default);
        }
    }

    private static AuditEntry Entry(int number) => new() { Action = "test.act", ActorId = "alice", TargetId = number.ToString(CultureInfo.InvariantCulture), After = new JsonObject { ["n"] = number } };

    private Task<AuditCheck> VerifyAsync(AuditHead? head = null) => new AuditVerifier(Store, [Key]).RunAsync(head, default);

    /// <summary>As it was before the first row.</summary>
    private Task ClearAsync() => TamperAsync("delete from audit", "update audit_head set last_id = 0, mac = " + (IsSqlite ? "zeroblob(32)" : "decode(repeat('00', 32), 'hex')"));

    /// <summary>Somebody with the database and no key.</summary>
    private async Task TamperAsync(params string[] statements)
    {
        string[] triggers = ["audit_no_update", "audit_no_delete", "audit_no_replace", "audit_head_no_delete", "audit_head_no_return"];
        string[] first = IsSqlite ? [.. triggers.Select(static t => $"drop trigger if exists {t}")] : ["alter table audit disable trigger user", "alter table audit_head disable trigger user"];
        await using DbConnection connection = IsSqlite
            ? new SqliteConnection($"Data Source={_db.Directory.DatabasePath};Pooling=False")
            : new NpgsqlConnection(PostgresServer.OfUrl(_db.Options.ConnectionString));
        await connection.OpenAsync();
        foreach (var sql in first.Concat(statements))
        {
            await using var command = connection.CreateCommand();
            command.CommandText = sql;
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Something is written after each read.</summary>
    private sealed class AtWork(IDatabase inner, Func<Task> writes) : WrappedDatabase(inner)
    {
        public override async Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            var result = await Inner.ReadAsync(work, cancellationToken);
            await writes();
            return result;
        }
    }
}
