using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class KnownFactsOnSqliteTests() : KnownFactsTests(DatabaseKind.Sqlite);

public sealed class KnownFactsOnPostgresTests() : KnownFactsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What becomes of a fact that somebody states who is not its user.</summary>
public abstract class KnownFactsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task Others_make_what_is_known_only_more_sensitive_and_what_is_proposed_or_was_said_before_changes_nothing()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var until = new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var read = new NewFact { Text = "I like tea", AuthorKind = "extraction", Author = "memory" };
        Task<KeptFact> KeepAsync(NewFact fact) => app.Get<IDatabase>().WriteAsync(session => FactWrites.KeepAsync(session, alice.Id, fact, 10), CancellationToken.None);
        async Task<(bool, DateTimeOffset?)> NowAsync(string id) => await app.Get<MemoryStore>().FindAsync(alice.Id, id, CancellationToken.None) is { } fact ? (fact.IsSensitive, fact.ValidUntil) : default;
        var id = (await KeepAsync(read)).Fact!.Id;
        await KeepAsync(read with { Sensitivity = "sensitive", ValidUntil = until, Proposed = true, Tainted = true });
        Assert.Equal((false, null), await NowAsync(id));
        await KeepAsync(read with { Sensitivity = "sensitive", ValidUntil = until });
        Assert.Equal((true, until), await NowAsync(id));
        await KeepAsync(read with { ValidUntil = until.AddDays(-9), SaidAt = DateTimeOffset.UnixEpoch });
        Assert.Equal((true, until), await NowAsync(id));
        Assert.Equal(until.AddDays(-9), (await KeepAsync(read with { ValidUntil = until.AddDays(-9) })).Fact!.ValidUntil);
        Assert.Equal((true, until.AddDays(-9)), await NowAsync(id));
    }

    /// <summary>As with PATCH: what is not there says nothing, and null says that there is no end.</summary>
    [DatabaseTheory]
    [InlineData("", "2099-01-01T00:00:00+00:00")]
    [InlineData(""", "valid_until": null""", null)]
    [InlineData(""", "valid_until": "2098-01-01T00:00:00Z" """, "2098-01-01T00:00:00+00:00")]
    public async Task Who_says_it_again_takes_its_end_off_by_saying_that_there_is_none(string member, string? until)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var first = await alice.PostAsync("/api/v1/memory", new { text = "I like tea", valid_until = "2099-01-01T00:00:00Z" }, HttpStatusCode.Created);
        using var body = new StringContent($$"""{ "text": "I like tea"{{member}} }""", Encoding.UTF8, "application/json");
        using var response = await alice.Client.PostAsync("/api/v1/memory", body);
        var again = JsonElement.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal((first.Id(), until), (again.Id(), again.GetProperty("valid_until") is { ValueKind: not JsonValueKind.Null } end ? end.GetDateTimeOffset().ToString("yyyy-MM-ddTHH:mm:sszzz", CultureInfo.InvariantCulture) : null));
    }
}
