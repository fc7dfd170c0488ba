using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class SharedDocumentsOnSqliteTests() : SharedDocumentsTests(DatabaseKind.Sqlite);

public sealed class SharedDocumentsOnPostgresTests() : SharedDocumentsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Several people write into one collection: whose words a document has, and what is written down of it.</summary>
public abstract class SharedDocumentsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task Who_replaces_a_document_owns_its_words_and_is_named_in_the_audit_log()
    {
        await using var app = await TestApp.StartAsync();
        var (ann, bob, shared) = await SharedAsync(app);
        var before = await app.LastRowAsync();
        var first = await ann.UploadAsync("plan.txt", "We meet on Monday.", $"&collection={shared}");
        await ann.UploadAsync("plan.txt", "We meet on Tuesday.", $"&collection={shared}");
        var own = await bob.UploadAsync("own.txt", "Bob likes violins.");
        Assert.Equal(HttpStatusCode.NoContent, await bob.DeleteAsync($"/api/v1/documents/{own.Id()}"));
        Assert.DoesNotContain(await app.NewRowsAsync(before), static r => IsOfDocument(r)); // own work
        Assert.False(await IsForeignAsync(app, first.Id(), ann.Id));
        Assert.True(await IsForeignAsync(app, first.Id(), bob.Id));

        var replaced = await bob.UploadAsync("plan.txt", "We meet on Friday.", $"&collection={shared}");
        Assert.Equal((first.Id(), bob.Id), (replaced.Id(), replaced.GetProperty("owner_id").GetString()));
        Assert.True(await IsForeignAsync(app, first.Id(), ann.Id)); // Bob's words are from outside for Ann, also in her own collection
        Assert.False(await IsForeignAsync(app, first.Id(), bob.Id));

        await bob.UploadAsync("when.txt", "We meet on Friday.", $"&collection={shared}", HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{first.Id()}"));
        Assert.Equal(HttpStatusCode.NotFound, await bob.DeleteAsync($"/api/v1/documents/{first.Id()}"));
        var rows = (await app.NewRowsAsync(before)).Where(IsOfDocument).ToDictionary(static r => r.GetProperty("action").GetString()!, static r => r);
        Assert.Equal(["document.delete", "document.rename", "document.replace"], rows.Keys.Order(StringComparer.Ordinal));
        Assert.All(rows.Values, r => Assert.Equal(first.Id(), r.GetProperty("target_id").GetString()));
        Assert.Equal((bob.Id, ann.Id), (rows["document.replace"].GetProperty("actor_id").GetString(), rows["document.replace"].GetProperty("before").GetProperty("owner_id").GetString()));
        Assert.Equal(bob.Id, rows["document.rename"].GetProperty("actor_id").GetString());
        Assert.Equal((ann.Id, bob.Id), (rows["document.delete"].GetProperty("actor_id").GetString(), rows["document.delete"].GetProperty("before").GetProperty("owner_id").GetString()));
    }

    [DatabaseFact]
    public async Task Nobody_has_more_documents_or_collections_than_allowed_also_with_many_uploads_at_once()
    {
        await using var app = await TestApp.StartAsync(static o => (o.Settings["Knowledge:Documents:MaxDocuments"], o.Settings["Knowledge:Documents:MaxCollections"]) = ("5", "8"));
        using var ann = await app.AsAsync("ann");
        var shelves = new List<string>();
        for (var i = 0; i < 8; i++)
        {
            shelves.Add((await ann.PostAsync("/api/v1/collections", new { name = $"Shelf {i}" }, HttpStatusCode.Created)).Id());
        }

        var refused = await ann.PostAsync("/api/v1/collections", new { name = "One more" }, HttpStatusCode.Conflict);
        Assert.Equal("too_many_collections", refused.GetProperty("code").GetString());
        for (var i = 0; i < 4; i++)
        {
            await ann.UploadAsync($"{i}.txt", $"Text {i}", $"&collection={shelves[i]}");
        }

        var answers = await Task.WhenAll(shelves.Select(async shelf =>
        {
            using var content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes("Of " + shelf));
            using var answer = await ann.Client.PostAsync($"/api/v1/documents?name=more.txt&collection={shelf}", content);
            return answer.StatusCode;
        }));
        Assert.Equal(7, answers.Count(static a => a == HttpStatusCode.Conflict));
        Assert.Equal(5, (await ann.GetAsync("/api/v1/documents")).GetProperty("items").GetArrayLength());
    }

    [DatabaseFact]
    public async Task While_new_content_waits_where_others_may_write_the_old_counts_as_theirs()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var shared = (await ann.PostAsync("/api/v1/collections", new { name = "Shared" }, HttpStatusCode.Created)).Id();
        var plan = await ann.UploadAsync("plan.txt", "We meet on Monday.", $"&collection={shared}");
        await app.Get<IDatabase>().WriteAsync(session => session.Prepared("update documents set next = next + 1 where id = @id").Set("id", plan.Id()).RunAsync(), CancellationToken.None);
        Assert.False(await IsForeignAsync(app, plan.Id(), ann.Id)); // nobody else could have written it
        using var bob = await app.AsAsync("bob");
        using var let = await ann.Client.PutAsync($"/api/v1/collections/{shared}/members/{bob.Id}", JsonContent.Create(new { may_write = true }));
        Assert.True(await IsForeignAsync(app, plan.Id(), ann.Id));
    }

    private static bool IsOfDocument(JsonElement row) => row.GetProperty("action").GetString()!.StartsWith("document.", StringComparison.Ordinal);

    private static async Task<bool> IsForeignAsync(TestApp app, string document, string user) =>
        (await app.Get<AttachableDocuments>().FindAsync([document], user, CancellationToken.None))!.Value.Tainted;

    /// <summary>Ann's collection, in which Bob may write.</summary>
    internal static async Task<(TestUser Ann, TestUser Bob, string Collection)> SharedAsync(TestApp app)
    {
        var (ann, bob) = (await app.AsAsync("ann"), await app.AsAsync("bob"));
        var shared = (await ann.PostAsync("/api/v1/collections", new { name = "Shared" }, HttpStatusCode.Created)).Id();
        using var let = await ann.Client.PutAsync($"/api/v1/collections/{shared}/members/{bob.Id}", JsonContent.Create(new { may_write = true }));
        Assert.Equal(HttpStatusCode.NoContent, let.StatusCode);
        return (ann, bob, shared);
    }
}
