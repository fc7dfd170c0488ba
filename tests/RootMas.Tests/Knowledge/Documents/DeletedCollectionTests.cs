using System.Net;
using System.Text.Json;
using Npgsql;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class DeletedCollectionOnSqliteTests() : DeletedCollectionTests(DatabaseKind.Sqlite)
{
    protected override string[] Fault => ["create trigger stop before delete on documents when old.name = 'b.txt' begin select raise(abort, 'in the middle'); end"];

    protected override string Repair => "drop trigger stop";
}

public sealed class DeletedCollectionOnPostgresTests() : DeletedCollectionTests(DatabaseKind.Postgres), IOnPostgres
{
    protected override string[] Fault =>
    [
        "create function stop() returns trigger language plpgsql as $$ begin raise exception 'in the middle'; end $$",
        "create trigger stop before delete on documents for each row when (old.name = 'b.txt') execute function stop()",
    ];

    protected override string Repair => "drop trigger stop on documents";

    /// <summary>What the indexing of a document writes at that moment is not left behind without it.</summary>
    [PostgresFact]
    public async Task Deleting_waits_for_what_is_being_written_of_a_document_and_takes_it_along()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var shelf = await ShelfAsync(ann);
        var document = await ann.UploadAsync("a.txt", "The canteen closes at three.", $"&collection={shelf}");
        await using var connection = new NpgsqlConnection(PostgresServer.OfUrl(app.Postgres!));
        await connection.OpenAsync();
        await using var indexing = await connection.BeginTransactionAsync();
        await RunAsync(connection, $"select generation from documents where id = '{document.Id()}' for no key update");
        await RunAsync(connection, $"insert into chunks (uid, document_id, generation, ordinal, start_at, end_at, text) values ('{Guid.NewGuid()}', '{document.Id()}', 9, 0, 0, 4, 'late')");
        await RunAsync(connection, "insert into fts_chunks (rowid, words) select max(id), to_tsvector('simple', 'late') from chunks");
        var deleting = DeleteAsync(ann, shelf);
        await WaitsAsync(app);
        await indexing.CommitAsync();
        Assert.Equal(HttpStatusCode.NoContent, await deleting);
        await NothingIsLeftAsync(app);
    }

    [PostgresFact]
    public async Task An_upload_into_a_collection_that_is_being_deleted_is_told_that_there_is_none()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var shelf = await ShelfAsync(ann);
        await using var connection = new NpgsqlConnection(PostgresServer.OfUrl(app.Postgres!));
        await connection.OpenAsync();
        await using var deleting = await connection.BeginTransactionAsync();
        await RunAsync(connection, $"delete from collections where id = '{shelf}'");
        var uploading = ann.UploadAsync("a.txt", "The canteen closes at three.", $"&collection={shelf}", HttpStatusCode.NotFound);
        await WaitsAsync(app);
        await deleting.CommitAsync();
        Assert.Equal("collection_not_found", (await uploading).GetProperty("code").GetString());
    }

    private static Task WaitsAsync(TestApp app) => Wait.UntilAsync(
        static async a => await CountAsync(a, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0, app, "Nobody waited");

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>A collection goes with all that is in it, or stays as it is.</summary>
public abstract class DeletedCollectionTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly string[] Tables =
    [
        "collections", "collection_members", "documents", "document_contents", "document_texts", "chunks", "fts_chunks", "graph_entities", "graph_relations", "graph_evidence", "memory_owners", "cached_answers", "outbox",
    ];

    protected abstract string[] Fault { get; }

    protected abstract string Repair { get; }

    [DatabaseFact]
    public async Task A_fault_in_the_middle_leaves_everything_and_the_next_attempt_takes_all_of_it()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var shelf = await ShelfAsync(ann);
        using (var shared = await ann.Client.PutAsync($"/api/v1/collections/{shelf}/members/{bob.Id}", new StringContent("{}", System.Text.Encoding.UTF8, "application/json")))
        {
            Assert.Equal(HttpStatusCode.NoContent, shared.StatusCode);
        }

        var names = (string[])["a", "b", "c"];
        var documents = new List<string>();
        foreach (var (name, person) in names.Zip((string[])["Anna Petrova", "Boris Weiss", "Clara Smith"])) // nobody takes them for one
        {
            documents.Add((await ann.UploadAsync($"{name}.txt", $"{person} works at Vega. The canteen {name}{name} closes at three.", $"&collection={shelf}")).Id());
        }

        await Wait.UntilAsync(static async a => await CountAsync(a, "select count(*) from graph_evidence") == 3 && await CountAsync(a, "select count(*) from outbox") == 0, app, "the documents were not read");
        foreach (var document in documents)
        {
            await RunAsync(app, $$"""
                insert into cached_answers (id, owner_id, agent, prompt_version, documents, body, cost_micro_usd, created_at, expires_at)
                values ('{{Guid.NewGuid()}}', 'somebody', 'a', 'p', '|{{document}}|', {{(app.Postgres is null ? "x'7b7d'" : "'\\x7b7d'")}}, 1, 1, 9000000000000000)
                """);
        }

        foreach (var statement in Fault)
        {
            await RunAsync(app, statement);
        }

        var before = await CountsAsync(app);
        Assert.Equal(HttpStatusCode.InternalServerError, await DeleteAsync(ann, shelf));
        Assert.Equal(before, await CountsAsync(app));
        foreach (var name in names)
        {
            Assert.Equal($"{name}.txt", (await bob.SearchAsync($"canteen {name}{name}"))[0].GetProperty("title").GetString());
        }

        await RunAsync(app, Repair);
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(ann, shelf));
        Assert.Empty(await bob.SearchAsync("canteen"));
        await NothingIsLeftAsync(app);
        await Wait.UntilAsync(static async a => await CountAsync(a, "select count(*) from cached_answers") == 0, app, "kept answers stayed");
    }

    protected static async Task NothingIsLeftAsync(TestApp app)
    {
        foreach (var table in Tables.Except(["cached_answers", "outbox"]))
        {
            Assert.True(await CountAsync(app, $"select count(*) from {table}") == 0, $"{table} is not empty");
        }

        Assert.Equal(0, await CountAsync(app, "select count(*) from vectors where space = 'chunks'"));
    }

    protected static async Task<string> ShelfAsync(TestUser user) => (await user.PostAsync("/api/v1/collections", new { name = "shelf" }, HttpStatusCode.Created)).Id();

    protected static async Task<HttpStatusCode> DeleteAsync(TestUser user, string shelf)
    {
        using var read = await user.Client.GetAsync($"/api/v1/collections/{shelf}");
        return await user.DeleteAsync($"/api/v1/collections/{shelf}", read.Headers.ETag!.ToString());
    }

    protected static Task<long?> CountAsync(TestApp app, string sql) => app.Get<IDatabase>().ReadAsync(session => session.Prepared(sql).Int64Async(), default);

    private static Task<int> RunAsync(TestApp app, string sql) => app.Get<IDatabase>().WriteAsync(session => session.Prepared(sql).RunAsync(), default);

    private static async Task<string> CountsAsync(TestApp app)
    {
        var counts = new Dictionary<string, long?>(StringComparer.Ordinal) { ["audit of it"] = await CountAsync(app, "select count(*) from audit where action = 'collection.delete'") };
        foreach (var table in Tables.Append("vectors where space = 'chunks'"))
        {
            counts[table] = await CountAsync(app, $"select count(*) from {table}");
        }

        return JsonSerializer.Serialize(counts);
    }
}
