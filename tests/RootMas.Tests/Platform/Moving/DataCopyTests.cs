using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Moving;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Chat;
using RootMas.Tests.Cli;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Moving;

/// <summary>Everything moves from one database to the other kind, and the server goes on there as if nothing had happened.</summary>
public sealed class DataCopyTests
{
    private const string Script = """
        rules:
          - match: { tool_called: http_request }
            answer: { text: "Posted" }
          - match: { tool_called: calculator }
            answer: { text: "It is {{tool_result}}." }
          - match: { last_user: "Post it", last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: "ü" } } } ] }
          - match: { last_user: "Six times seven", last_role: user }
            answer: { tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ] }
        default: { text: "Answer to {{last_user}}" }
        """;

    [PostgresFact]
    public async Task A_database_filled_by_use_moves_to_postgres_and_back_and_the_server_goes_on_there()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        try
        {
            await using var sim = await RootMas.LlmSimulator.Simulator.StartAsync(Script);
            Used before;
            await using (var world = await WorldAsync(sim, data))
            {
                before = await UseAsync(world);
            }

            using var cli = new CliSession(data);
            cli.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(database);
            using var report = JsonDocument.Parse(await cli.DoAsync("data", "copy", "--from", "sqlite", "--to", "postgres", "--json"));
            var tables = report.RootElement.GetProperty("tables").EnumerateArray().ToDictionary(static t => t.GetProperty("table").GetString()!, static t => t.GetProperty("rows").GetInt64());
            Assert.All((string[])["users", "sessions", "conversations", "messages", "runs", "run_events", "approvals", "audit", "api_keys", "idempotency_keys", "usage_ledger", "feedback"], t => Assert.True(tables[t] > 0, t));
            Assert.Equal(tables["run_events"], await server.ScalarAsync<long>("select count(*) from run_events", database));

            await using (var world = await WorldAsync(sim, data, server.Url(database)))
            {
                Assert.NotEqual(before.Installation, await InstallationId.ReadAsync(world.App.Get<IDatabase>(), default)); // the source may be used again
                await SameAsync(before, world);
                await DecideAsync(before, world);
            }

            // A target that has something is refused, and stays as it is.
            Assert.Equal(2, await cli.RunAsync("data", "copy", "--from", "sqlite", "--to", "postgres"));
            Assert.Contains("is not empty", cli.Notes.ToString(), StringComparison.Ordinal);

            // And back, into a new data directory: the keys that the database has come too, once the master key is there that opens them.
            var back = Path.Combine(folder.Path, "back");
            using var returning = new CliSession(back);
            returning.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(database);
            Assert.Equal(2, await returning.RunAsync("data", "copy", "--from", "postgres", "--to", "sqlite"));
            Assert.Contains("sealed with the master key", returning.Notes.ToString(), StringComparison.Ordinal);
            new DataDirectory(back).Create();
            Directory.CreateDirectory(Path.Combine(back, "keys"));
            File.Copy(Path.Combine(data, "keys", "master"), Path.Combine(back, "keys", "master"));
            await returning.DoAsync("data", "copy", "--from", "postgres", "--to", "sqlite");
            await using (var world = await WorldAsync(sim, back))
            {
                await SameAsync(before, world);
                Assert.Equal("completed", await world.StatusAsync(before.Parked));
            }

            Assert.Equal(0, await returning.RunAsync("audit", "verify"));
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task A_copy_that_breaks_off_leaves_an_empty_target_either_way()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        using var folder = new TempFolder();
        try
        {
            var options = new DatabaseOptions { ConnectionString = server.Url(database) };
            await FillAsync(folder.Path);
            using (var directory = new DataDirectory(folder.Path))
            {
                await using var source = new Within(new SqliteSide(directory, TimeProvider.System, NullLoggerFactory.Instance), "outbox", BreakOff);
                await using var target = new PostgresSide(options, new OutboundPolicies(new ResilienceOptions(), TimeProvider.System), TimeProvider.System, NullLoggerFactory.Instance);
                await Assert.ThrowsAsync<IOException>(() => DataCopy.RunAsync(source, target, static _ => { }, CancellationToken.None));
            }

            Assert.Equal(0, await server.ScalarAsync<long>("select (select count(*) from outbox) + (select count(*) from run_inbox)", database));
            await CopyAsync(folder.Path, options, toPostgres: true); // so the next attempt finds it empty
            Assert.Equal(3, await server.ScalarAsync<long>("select count(*) from outbox", database));

            using var fresh = new TempFolder();
            using (var directory = new DataDirectory(fresh.Path))
            {
                await using var source = new Within(new PostgresSide(options, new OutboundPolicies(new ResilienceOptions(), TimeProvider.System), TimeProvider.System, NullLoggerFactory.Instance), "outbox", BreakOff);
                await using var target = new SqliteSide(directory, TimeProvider.System, NullLoggerFactory.Instance);
                await Assert.ThrowsAsync<IOException>(() => DataCopy.RunAsync(source, target, static _ => { }, CancellationToken.None));
            }

            await CopyAsync(fresh.Path, options, toPostgres: false);
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task Numbers_go_on_where_they_stood_and_guards_stand_again()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        using var folder = new TempFolder();
        try
        {
            await FillAsync(folder.Path);
            await CopyAsync(folder.Path, new DatabaseOptions { ConnectionString = server.Url(database) }, toPostgres: true);

            // Five were given, two of them are gone: the sixth is the next.
            Assert.Equal(6, await server.ScalarAsync<long>("insert into outbox (topic, payload, created_at) values ('t', 'p', 1) returning id", database));
            var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => server.ExecuteAsync("delete from audit_head", database));
            Assert.Contains("never deleted", refused.MessageText, StringComparison.Ordinal);
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task A_database_that_a_server_works_on_is_not_copied()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: true);
        try
        {
            await using var app = await TestApp.StartAsync();
            using var cli = new CliSession(app.Data);
            cli.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(database);
            Assert.Equal(5, await cli.RunAsync("data", "copy", "--from", "sqlite", "--to", "postgres"));

            var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = server.Url(database) };
            await using var there = new PostgresDatabase(options with { PoolMin = 0 }, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
            await using var presence = new PostgresPresence(there, options);
            await presence.HoldAsync("worker", CancellationToken.None);
            using var other = new CliSession();
            other.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(database);
            Assert.Equal(5, await other.RunAsync("data", "copy", "--from", "postgres", "--to", "sqlite"));
            Assert.Contains("runs on", other.Notes.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task A_server_that_starts_while_it_is_copied_is_found_before_anything_is_kept()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        using var folder = new TempFolder();
        using var fresh = new TempFolder();
        try
        {
            var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = server.Url(database) };
            await FillAsync(folder.Path);
            await CopyAsync(folder.Path, options, toPostgres: true);
            await using (var there = new PostgresDatabase(options with { PoolMin = 0 }, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance))
            await using (var presence = new PostgresPresence(there, options))
            {
                var isHeld = false;
                using var directory = new DataDirectory(fresh.Path);
                var postgres = new PostgresSide(options, new OutboundPolicies(new ResilienceOptions(), TimeProvider.System), TimeProvider.System, NullLoggerFactory.Instance);
                await using var source = new Within(postgres, "outbox", async () =>
                {
                    if (!isHeld)
                    {
                        isHeld = true;
                        await presence.HoldAsync("worker", CancellationToken.None);
                    }
                });
                await using var target = new SqliteSide(directory, TimeProvider.System, NullLoggerFactory.Instance);
                var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => DataCopy.RunAsync(source, target, static _ => { }, CancellationToken.None));
                Assert.Contains("runs on", refused.Message, StringComparison.Ordinal);
                Assert.True(isHeld);
            }

            await CopyAsync(fresh.Path, options, toPostgres: false); // nothing was kept
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task Another_schema_is_refused()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: true);
        using var folder = new TempFolder();
        try
        {
            await FillAsync(folder.Path);
            await server.ExecuteAsync("insert into schema_migrations (number, name, checksum, applied_at, program_version) values (9999, 'later', 'x', 1, '9.9')", database);
            var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => CopyAsync(folder.Path, new DatabaseOptions { ConnectionString = server.Url(database) }, toPostgres: true));
            Assert.Contains("newer than this program", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [Fact]
    public void The_hash_knows_no_order_and_misses_no_change()
    {
        object?[][] rows = [[1L, "a", null], [2L, "b", new byte[] { 0 }], [2L, "b", new byte[] { 0 }]];
        Assert.Equal(HashOf(rows), HashOf([.. rows.Reverse()]));
        Assert.NotEqual(HashOf(rows), HashOf(rows[..2]));
        Assert.NotEqual(HashOf([["ab", "c"]]), HashOf([["a", "bc"]]));
        Assert.NotEqual(HashOf([[""]]), HashOf([[null]]));
        Assert.NotEqual(HashOf([["a"]]), HashOf([["a"u8.ToArray()]]));
    }

    private static string HashOf(object?[][] rows)
    {
        var digest = new RowDigest();
        foreach (var row in rows)
        {
            digest.Add(row);
        }

        return digest.Of("t").Hash;
    }

    private static Task<ChatWorld> WorldAsync(RootMas.LlmSimulator.Simulator sim, string data, string? postgres = null) => ChatWorld.StartAsync(sim: sim, data: data, configure: o =>
    {
        o.Settings["Outbound:Allow"] = "127.0.0.1";
        if (postgres is not null)
        {
            o.Settings["Database:Kind"] = "postgres";
            o.Settings["Database:ConnectionString"] = postgres;
        }
    });

    private static async Task<Used> UseAsync(ChatWorld world)
    {
        using var ann = await world.App.AsAsync("ann");
        await ann.PostAsync("/api/v1/chat", new { message = "Hello Ünïcödé 👋", team = "solo" });
        await ann.UploadAsync("moved.txt", "Сёстры переехали в новый дом.");
        var conversation = await world.NewConversationAsync();
        var sum = await world.AskAsync(new { message = "Six times seven", conversation_id = conversation });
        await world.AskAsync(new { message = "And now?", conversation_id = conversation });
        using var once = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"Once","team":"solo"}""", ("Idempotency-Key", "moved"));
        await world.App.PostJsonAsync("/api/v1/api-keys", new { name = "ci" }, HttpStatusCode.Created);
        var message = (await world.MessagesAsync(conversation))[^1].GetProperty("id").GetString();
        using var liked = await world.App.SendAsync(HttpMethod.Post, $"/api/v1/messages/{message}/feedback", """{"score":1}""");
        Assert.True(liked.IsSuccessStatusCode, await liked.Content.ReadAsStringAsync());
        var (status, parked) = await world.TryAskAsync(new { message = "Post it", agent = "multi_tool" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var run = sum.GetProperty("run_id").GetString()!;
        return new Used(conversation, run, parked.GetProperty("run_id").GetString()!, await StreamAsync(world, run), JsonSerializer.Serialize(await world.MessagesAsync(conversation)), await world.App.GetJsonAsync($"/api/v1/runs/{run}"), RunOf(await once.Content.ReadAsStringAsync()),
            await InstallationId.ReadAsync(world.App.Get<IDatabase>(), default));
    }

    private static string RunOf(string answer) => JsonElement.Parse(answer).GetProperty("run_id").GetString()!;

    private static async Task SameAsync(Used before, ChatWorld world)
    {
        Assert.Equal(before.Stream, await StreamAsync(world, before.Run));
        Assert.Equal(before.Messages, JsonSerializer.Serialize(await world.MessagesAsync(before.Conversation)));
        Assert.Equal(before.View.GetRawText(), (await world.App.GetJsonAsync($"/api/v1/runs/{before.Run}")).GetRawText());
        using var ann = await world.App.LogInAsync("ann", TestUsers.Password);
        Assert.Single((await ann.GetAsync("/api/v1/conversations")).GetProperty("items").EnumerateArray());

        // Words of documents are no part of the copy: the first start makes them.
        await TestCluster.UntilAsync(async () => (await ann.SearchAsync("сестра переехала в дом")) is [var found] && found.GetProperty("word_rank").ValueKind == JsonValueKind.Number, "documents are found by words");

        // The key was used before the move: its answer is the one of then.
        using var again = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"Once","team":"solo"}""", ("Idempotency-Key", "moved"));
        Assert.Equal(before.Once, RunOf(await again.Content.ReadAsStringAsync()));
    }

    private static async Task DecideAsync(Used before, ChatWorld world)
    {
        Assert.Equal("waiting_approval", await world.StatusAsync(before.Parked));
        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        await world.App.PostJsonAsync($"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() });
        Assert.Equal("run.completed", (await world.EventsAsync(before.Parked))[^1].Type);
    }

    private static async Task<string> StreamAsync(ChatWorld world, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await world.App.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static async Task FillAsync(string folder)
    {
        await using var filled = new TestDatabase(folder: folder);
        await filled.ExecuteAsync("INSERT INTO outbox (topic, payload, created_at) VALUES ('t', '1', 1), ('t', '2', 1), ('t', '3', 1), ('t', '4', 1), ('t', '5', 1)");
        await filled.ExecuteAsync("DELETE FROM outbox WHERE id > 3");
        await filled.ExecuteAsync("INSERT INTO run_inbox (run_id, key, payload, created_at) VALUES ('r', 'k', '{}', 1)");
    }

    private static async Task CopyAsync(string folder, DatabaseOptions options, bool toPostgres)
    {
        using var directory = new DataDirectory(folder);
        await using var sqlite = new SqliteSide(directory, TimeProvider.System, NullLoggerFactory.Instance);
        await using var postgres = new PostgresSide(options, new OutboundPolicies(new ResilienceOptions(), TimeProvider.System), TimeProvider.System, NullLoggerFactory.Instance);
        await (toPostgres ? DataCopy.RunAsync(sqlite, postgres, static _ => { }, CancellationToken.None) : DataCopy.RunAsync(postgres, sqlite, static _ => { }, CancellationToken.None));
    }

    private sealed record Used(string Conversation, string Run, string Parked, string Stream, string Messages, JsonElement View, string Once, string Installation);

    private static Task BreakOff() => throw new IOException("cut");

    /// <summary>Something happens within a table, after each of its rows.</summary>
    private sealed class Within(ICopySide inner, string at, Func<Task> happens) : ICopySide
    {
        public string Place => inner.Place;

        public Task BeginAsync(bool asTarget, CancellationToken cancellationToken) => inner.BeginAsync(asTarget, cancellationToken);

        public Task<IReadOnlyList<CopyTable>> TablesAsync(CancellationToken cancellationToken) => inner.TablesAsync(cancellationToken);

        public async IAsyncEnumerable<object?[]> RowsAsync(CopyTable table, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (var row in inner.RowsAsync(table, cancellationToken))
            {
                yield return row;
                if (table.Name == at)
                {
                    await happens();
                }
            }
        }

        public Task WriteAsync(CopyTable table, IAsyncEnumerable<object?[]> rows, CancellationToken cancellationToken) => inner.WriteAsync(table, rows, cancellationToken);

        public Task<long> SequenceAsync(CopyTable table, CancellationToken cancellationToken) => inner.SequenceAsync(table, cancellationToken);

        public Task SetSequenceAsync(CopyTable table, long last, CancellationToken cancellationToken) => inner.SetSequenceAsync(table, last, cancellationToken);

        public Task RefuseLateServersAsync(CancellationToken cancellationToken) => inner.RefuseLateServersAsync(cancellationToken);

        public Task CommitAsync(CancellationToken cancellationToken) => inner.CommitAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
