using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class GraphTimesOnSqliteTests() : GraphTimesTests(DatabaseKind.Sqlite);

public sealed class GraphTimesOnPostgresTests() : GraphTimesTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>A relation is so as long as something says so: its time follows the facts and documents that state it.</summary>
public abstract class GraphTimesTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly DateTimeOffset Then = new(2190, 5, 1, 0, 0, 0, TimeSpan.Zero);

    [DatabaseFact]
    public async Task A_revised_fact_moves_the_end_of_what_it_states_and_a_sensitive_one_states_nothing()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var fact = await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan", valid_until = Then }, HttpStatusCode.Created);
        Assert.Equal(Then, await EndAsync(alice));
        await ReviseAsync(alice, fact.Id(), new { valid_until = Then.AddYears(1) });
        Assert.Equal(Then.AddYears(1), await EndAsync(alice));

        await ReviseAsync(alice, fact.Id(), new { sensitive = true });
        Assert.Empty(await RelationsAsync(alice, past: true));
        await ReviseAsync(alice, fact.Id(), new { sensitive = false });
        Assert.Equal(Then.AddYears(1), await EndAsync(alice));
    }

    [DatabaseFact]
    public async Task A_superseded_fact_ends_what_it_states_also_if_an_end_was_named()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan", valid_until = Then }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
        Assert.Single(await RelationsAsync(alice, past: false));
        Assert.Equal(2, (await RelationsAsync(alice, past: true)).Count);
    }

    [DatabaseFact]
    public async Task A_relation_with_several_sources_lives_on_from_the_others()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan", valid_until = Then }, HttpStatusCode.Created);
        await app.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await FactWrites.HoldAsync(session, alice.Id);
                await GraphWriter.WriteAsync(session, alice.Id, GraphRules.OfFact("I live in Kazan"), new GraphSource(GraphWords.FromDocument, "chunk-1", "doc-1", "text", 80, false, session.Now, null));
            },
            CancellationToken.None);
        Assert.Null(await EndAsync(alice)); // the document names no end

        // Superseded, it lives on from the document; without that it ended with the fact.
        var moscow = await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
        Assert.Equal(2, (await RelationsAsync(alice, past: false)).Count);
        await app.Get<IDatabase>().WriteAsync(session => GraphRemoval.RemoveDocumentAsync(session, "doc-1"), CancellationToken.None);
        Assert.Single(await RelationsAsync(alice, past: false));
        Assert.Equal(2, (await RelationsAsync(alice, past: true)).Count);

        // Forgotten with its history, nothing of either is left.
        using var read = await alice.Client.GetAsync($"/api/v1/memory/{moscow.Id()}");
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/memory/{moscow.Id()}", read.Headers.ETag!.ToString()));
        Assert.Empty(await RelationsAsync(alice, past: true));
    }

    private static async Task ReviseAsync(TestUser user, string id, object change)
    {
        using var read = await user.Client.GetAsync($"/api/v1/memory/{id}");
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/memory/{id}") { Content = JsonContent.Create(change) };
        request.Headers.TryAddWithoutValidation("If-Match", read.Headers.ETag!.ToString());
        using var answer = await user.Client.SendAsync(request);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
    }

    private static async Task<DateTimeOffset?> EndAsync(TestUser user)
    {
        var until = Assert.Single(await RelationsAsync(user, past: false)).GetProperty("valid_until");
        return until.ValueKind == JsonValueKind.Null ? null : until.GetDateTimeOffset();
    }

    private static async Task<List<JsonElement>> RelationsAsync(TestUser user, bool past) =>
        [.. (await user.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "user", past })).GetProperty("relations").EnumerateArray()];
}
