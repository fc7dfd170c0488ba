using System.Security.Cryptography;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>What runs keep of what they started with.</summary>
[Covers(typeof(SnapshotStore))]
public abstract class SnapshotTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private TestDatabase _database = null!;

    public Task InitializeAsync()
    {
        _database = new TestDatabase();
        return Task.CompletedTask;
    }

    public Task DisposeAsync() => _database.DisposeAsync().AsTask();

    [DatabaseFact]
    public async Task The_hash_is_that_of_the_bytes_and_equal_content_has_an_equal_hash()
    {
        using var folder = CatalogFolder.Shipped();
        var first = (await folder.BuildAsync()).Catalog!.SnapshotFor(null, null).Snapshot!;
        var second = (await folder.BuildAsync()).Catalog!.SnapshotFor("root-mas", null).Snapshot!;
        Assert.NotSame(first, second);
        Assert.Equal(first.Hash, second.Hash);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(first.Json)), first.Hash);
        Assert.Equal(first.Json, RunJson.Serialize(RunJson.DeserializeSnapshot(first.Json)));
    }

    [DatabaseFact]
    public async Task A_snapshot_is_made_once_for_each_catalog()
    {
        using var folder = CatalogFolder.Shipped();
        var catalog = (await folder.BuildAsync()).Catalog!;
        Assert.Same(catalog.SnapshotFor(null, null).Snapshot, catalog.SnapshotFor("root-mas", null).Snapshot);
        Assert.Same(catalog.SnapshotFor(null, "researcher").Snapshot, catalog.SnapshotFor("agent:researcher", null).Snapshot);
    }

    [DatabaseFact]
    public async Task It_holds_the_reachable_agents_the_tools_that_are_there_and_who_is_in_the_team()
    {
        using var folder = CatalogFolder.Shipped();
        var snapshot = (await folder.BuildAsync()).Catalog!.SnapshotFor(null, null).Snapshot!.Snapshot;
        Assert.Equal(13, snapshot.Agents.Count);
        Assert.Contains("agent_propose", snapshot.Agents["agent_builder"].Tools);
        Assert.DoesNotContain("agent_propose", snapshot.Tools.Keys);
        Assert.Contains("calculator", snapshot.Tools.Keys);
        Assert.Contains("house rules", snapshot.Preamble, StringComparison.Ordinal);
        Assert.Equal(13, snapshot.Facts.Split("\n- ").Length - 1);
        Assert.Contains("researcher: Researcher", snapshot.Facts, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task An_agent_alone_has_no_edges_and_an_agent_in_a_team_enters_there()
    {
        using var folder = CatalogFolder.Shipped();
        var catalog = (await folder.BuildAsync()).Catalog!;
        var alone = catalog.SnapshotFor(null, "researcher").Snapshot!.Snapshot;
        Assert.Equal(("agent:researcher", "researcher", 0), (alone.Team.Name, alone.Team.Entry, alone.Team.Edges.Count));
        Assert.Equal(["researcher"], alone.Agents.Keys);

        var entered = catalog.SnapshotFor("root-mas", "researcher").Snapshot!.Snapshot.Team;
        Assert.Equal(("researcher", PatternKind.Direct), (entered.Entry, entered.Pattern));
        Assert.Equal(["fact_checker", "multi_tool"], entered.DelegatesOf("researcher"));
        Assert.Equal(PatternKind.Plan, catalog.SnapshotFor("root-mas", "meta").Snapshot!.Snapshot.Team.Pattern);

        var member = catalog.SnapshotFor("research", "fact_checker").Snapshot!.Snapshot.Team;
        Assert.Equal((PatternKind.Direct, 0), (member.Pattern, member.Members.Count));
    }

    [DatabaseTheory]
    [InlineData("nowhere", null, "team_not_found")]
    [InlineData(null, "nobody", "agent_not_found")]
    [InlineData("agent:nobody", null, "agent_not_found")]
    [InlineData("agent:", null, "agent_not_found")]
    [InlineData("", null, "team_not_found")]
    [InlineData("solo", "researcher", "agent_not_found")]
    public async Task What_does_not_exist_is_told(string? team, string? agent, string code)
    {
        using var folder = CatalogFolder.Shipped();
        var lookup = (await folder.BuildAsync()).Catalog!.SnapshotFor(team, agent);
        Assert.Null(lookup.Snapshot);
        Assert.Equal(code, lookup.Code);
    }

    [DatabaseFact]
    public async Task It_is_stored_once_and_loaded_by_its_hash()
    {
        using var folder = CatalogFolder.Shipped();
        var snapshot = (await folder.BuildAsync()).Catalog!.SnapshotFor(null, null).Snapshot!;
        var store = new SnapshotStore(_database.Database);
        for (var i = 0; i < 3; i++)
        {
            await _database.Database.WriteAsync(session => store.EnsureAsync(session, snapshot), CancellationToken.None);
        }

        Assert.Equal(1, await _database.ScalarAsync("select count(*) from team_snapshots"));
        Assert.Same(snapshot.Snapshot, await store.LoadAsync(snapshot.Hash, CancellationToken.None));

        var fresh = new SnapshotStore(_database.Database);
        var loaded = await fresh.LoadAsync(snapshot.Hash, CancellationToken.None);
        Assert.Equal(snapshot.Json, RunJson.Serialize(loaded!));
        Assert.Same(loaded, await fresh.LoadAsync(snapshot.Hash, CancellationToken.None));
        Assert.Null(await fresh.LoadAsync("0000", CancellationToken.None));
    }

    [DatabaseFact]
    public async Task A_rolled_back_store_is_not_remembered_as_stored()
    {
        using var folder = CatalogFolder.Small();
        var snapshot = (await folder.BuildAsync()).Catalog!.SnapshotFor(null, null).Snapshot!;
        var store = new SnapshotStore(_database.Database);
        await Assert.ThrowsAsync<InvalidOperationException>(() => _database.Database.WriteAsync(
            async session =>
            {
                await store.EnsureAsync(session, snapshot);
                throw new InvalidOperationException("refused");
            },
            CancellationToken.None));
        Assert.Null(await store.LoadAsync(snapshot.Hash, CancellationToken.None));
        await _database.Database.WriteAsync(session => store.EnsureAsync(session, snapshot), CancellationToken.None);
        Assert.Equal(1, await _database.ScalarAsync("select count(*) from team_snapshots"));
    }
}

public sealed class SnapshotOnSqliteTests() : SnapshotTests(DatabaseKind.Sqlite);

public sealed class SnapshotOnPostgresTests() : SnapshotTests(DatabaseKind.Postgres), IOnPostgres;
