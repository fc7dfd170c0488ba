using System.Net;
using System.Net.Http.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class NoNormalFormOnSqliteTests() : NoNormalFormTests(DatabaseKind.Sqlite);

public sealed class NoNormalFormOnPostgresTests() : NoNormalFormTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>U+FFFE is Unicode, and has no normal form.</summary>
public abstract class NoNormalFormTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task Characters_without_a_normal_form_are_no_mistake_of_the_server()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var fact = await alice.PostAsync("/api/v1/memory", new { text = "I like\uFFFE tea" }, HttpStatusCode.Created);
        using var read = await alice.Client.GetAsync($"/api/v1/memory/{fact.Id()}");
        using var change = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/memory/{fact.Id()}") { Content = JsonContent.Create(new { text = "I like\uFFFE green tea" }), Headers = { IfMatch = { read.Headers.ETag! } } };
        using var changed = await alice.Client.SendAsync(change);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        await alice.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "Kazan\uFFFE" });
        await alice.UploadAsync("plan\uFFFE.txt", "We meet\uFFFE on Monday.");
        await alice.UploadAsync("plan.txt", "We meet\uFFFE on Monday.", status: HttpStatusCode.OK); // it has this name now
        Assert.NotEmpty(await alice.SearchAsync("When do we meet\uFFFE, Monday?"));
        using var refused = await app.PostAsync("/api/v1/auth/login", """{"username":"alice","password":"hunter2\uFFFE"}""");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var weak = await app.PostAsync("/api/v1/users", """{"username":"bob","password":"Long enough to pass\uFFFE"}""");
        Assert.Equal(HttpStatusCode.BadRequest, weak.StatusCode);
    }
}
