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
}
