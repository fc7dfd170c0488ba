using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Agents;
using RootMas.Server.Platform;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>Edits of files and stored changes.</summary>
public sealed class CatalogReloadTests : IAsyncLifetime
{
    private const string Fourteenth = "\n  translator:\n    role: Translator\n    description: Translates.\n    tier: cheap\n    instructions: You translate.\n";

    private const string NamesWorker = "default: main\nteams:\n  main:\n    description: The team.\n    pattern: direct\n    entry: front\n    edges:\n      front: [worker]\n";

    private readonly TestDatabase _database = new();

    private static string WithoutWorker => CatalogFolder.Agents[..CatalogFolder.Agents.IndexOf("  worker", StringComparison.Ordinal)];

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _database.DisposeAsync().AsTask();

    [Fact]
    public async Task A_fourteenth_agent_in_the_file_joins_without_a_restart_and_old_snapshots_stay()
    {
        using var folder = CatalogFolder.Shipped();
        using var catalog = await LoadedAsync(folder);
        var before = catalog.SnapshotFor(null, null).Snapshot!;

        folder.Append("agents.yaml", Fourteenth);
        Assert.True(await catalog.ReloadAsync(CancellationToken.None));

        var after = catalog.SnapshotFor(null, null).Snapshot!;
        Assert.Equal(14, catalog.Current.Agents.Count);
        Assert.Contains("translator", after.Snapshot.Team.DelegatesOf("communicator"));
        Assert.Contains("translator", after.Snapshot.Team.DelegatesOf("coordination"));
        Assert.NotEqual(before.Hash, after.Hash);
        Assert.DoesNotContain("translator", before.Snapshot.Agents.Keys);
        Assert.False(await catalog.ReloadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_broken_edit_keeps_the_old_catalog_and_is_told_until_it_is_corrected()
    {
        using var folder = CatalogFolder.Small();
        using var catalog = await LoadedAsync(folder);
        var old = catalog.Current;

        folder.Write("agents.yaml", "agents: [oops");
        Assert.False(await catalog.ReloadAsync(CancellationToken.None));
        Assert.Same(old, catalog.Current);
        Assert.True(catalog.HasRejectedEdit);
        Assert.Contains(catalog.Problems, p => p is { Source: "agents.yaml", IsWarning: false });

        folder.Write("agents.yaml", CatalogFolder.Agents);
        Assert.True(await catalog.ReloadAsync(CancellationToken.None));
        Assert.False(catalog.HasRejectedEdit);
        Assert.Empty(catalog.Problems);
    }

    [Fact]
    public async Task A_changed_prompt_or_preamble_changes_the_agents_version()
    {
        using var folder = CatalogFolder.Small();
        using var catalog = await LoadedAsync(folder);
        var first = catalog.Current.FindAgent("front")!.Agent.Version;
        folder.Write("prompts/front.md", "You are another front.");
        await catalog.ReloadAsync(CancellationToken.None);
        var second = catalog.Current.FindAgent("front")!.Agent.Version;
        folder.Write("prompts/_preamble.md", "Other rules.");
        await catalog.ReloadAsync(CancellationToken.None);
        var third = catalog.Current.FindAgent("front")!.Agent.Version;
        Assert.Equal(3, new HashSet<string> { first, second, third }.Count);
        Assert.Equal(12, first.Length);
    }

    [Fact]
    public async Task The_watcher_takes_an_edit_over_by_itself()
    {
        using var folder = CatalogFolder.Small();
        using var catalog = folder.Catalog(_database.Database);
        var options = new AgentsOptions { PollInterval = TimeSpan.FromMilliseconds(200), Debounce = TimeSpan.FromMilliseconds(10) };
        using var watcher = new CatalogWatcher(catalog, folder.Path, options, TestChanges.Of(_database.Database), TimeProvider.System, NullLogger<CatalogWatcher>.Instance);
        await watcher.StartingAsync(CancellationToken.None);
        await watcher.StartAsync(CancellationToken.None);
        var old = catalog.Current;

        folder.Append("agents.yaml", Fourteenth);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (ReferenceEquals(old, catalog.Current))
        {
            await look.WaitForNextTickAsync(deadline.Token);
        }

        Assert.NotNull(catalog.Current.FindAgent("translator"));
        await watcher.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_start_with_a_broken_catalog_is_refused_with_every_problem()
    {
        using var folder = CatalogFolder.Small(CatalogFolder.Agents.Replace("tier: cheap", "tier: huge"), "default: main\nteams: {}\n");
        using var catalog = folder.Catalog(_database.Database);
        using var watcher = new CatalogWatcher(catalog, folder.Path, new AgentsOptions(), TestChanges.Of(_database.Database), TimeProvider.System, NullLogger<CatalogWatcher>.Instance);
        var refusal = await Assert.ThrowsAsync<StartupRefusedException>(() => watcher.StartingAsync(CancellationToken.None));
        Assert.Equal(2, refusal.ExitCode);
        Assert.Contains("agents.front.tier", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("teams.yaml: default", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stored_changes_survive_a_restart_and_can_be_taken_back()
    {
        using var folder = CatalogFolder.Small();
        using (var catalog = await LoadedAsync(folder))
        {
            Assert.IsType<CatalogChange.Done>(await PutAsync(catalog, "worker", "Stored worker."));
            Assert.IsType<CatalogChange.Done>(await catalog.ChangeAsync(Agent("extra", "An extra.") with { IsCreation = true }, CancellationToken.None));
        }

        using var restarted = await LoadedAsync(folder);
        Assert.Equal("Stored worker.", restarted.Current.FindAgent("worker")!.Agent.Description);
        Assert.Contains("extra", restarted.Current.FindTeam("main")!.Agents);

        Assert.IsType<CatalogChange.Done>(await restarted.ChangeAsync(Edit(restarted, "worker", OverrideState.Reverted), CancellationToken.None));
        Assert.Equal("Works.", restarted.Current.FindAgent("worker")!.Agent.Description);
        Assert.IsType<CatalogChange.NotOverridden>(await restarted.ChangeAsync(Edit(restarted, "worker", OverrideState.Reverted), CancellationToken.None));

        Assert.IsType<CatalogChange.Done>(await restarted.ChangeAsync(Edit(restarted, "worker", OverrideState.Deleted), CancellationToken.None));
        Assert.Null(restarted.Current.FindAgent("worker"));
        Assert.Equal(4, await _database.ScalarAsync("select count(*) from catalog_overrides"));
        Assert.Equal(3, await _database.ScalarAsync("select max(version) from catalog_overrides where name = 'worker'"));
    }

    [Fact]
    public async Task A_change_with_an_old_tag_changes_nothing()
    {
        using var folder = CatalogFolder.Small();
        using var catalog = await LoadedAsync(folder);
        var edit = Edit(catalog, "worker", OverrideState.Live) with { Json = AgentsJson.Serialize(Definition("worker", "First.")) };
        Assert.IsType<CatalogChange.Done>(await catalog.ChangeAsync(edit, CancellationToken.None));
        Assert.IsType<CatalogChange.Stale>(await catalog.ChangeAsync(edit, CancellationToken.None));
        Assert.IsType<CatalogChange.Exists>(await catalog.ChangeAsync(edit with { IsCreation = true }, CancellationToken.None));
        Assert.IsType<CatalogChange.NotFound>(await catalog.ChangeAsync(edit with { Name = "nobody" }, CancellationToken.None));
        Assert.Equal(1, await _database.ScalarAsync("select count(*) from catalog_overrides"));
    }

    [Fact]
    public async Task A_change_that_does_not_fit_is_refused_and_not_stored()
    {
        using var folder = CatalogFolder.Small();
        using var catalog = await LoadedAsync(folder);
        var refused = Assert.IsType<CatalogChange.Invalid>(await catalog.ChangeAsync(Edit(catalog, "front", OverrideState.Deleted), CancellationToken.None));
        Assert.Contains(refused.Problems, p => p.Key == "teams.main.entry");
        Assert.NotNull(catalog.Current.FindAgent("front"));
        Assert.Equal(0, await _database.ScalarAsync("select count(*) from catalog_overrides"));
    }

    [Fact]
    public async Task A_stored_change_that_no_longer_fits_does_not_prevent_the_start_nor_later_edits()
    {
        using var folder = CatalogFolder.Small();
        using var restarted = await WithoutTheWorkerOfATeamAsync(folder);
        Assert.Null(restarted.Current.FindTeam("pair"));
        Assert.Contains(restarted.Problems, p => p.Key == "teams.pair.members" && p.Message.Contains("not applied", StringComparison.Ordinal));

        folder.Append("agents.yaml", Fourteenth);
        Assert.True(await restarted.ReloadAsync(CancellationToken.None));
        Assert.NotNull(restarted.Current.FindAgent("translator"));

        folder.Write("agents.yaml", CatalogFolder.Agents);
        Assert.True(await restarted.ReloadAsync(CancellationToken.None));
        Assert.NotNull(restarted.Current.FindTeam("pair"));
    }

    [Fact]
    public async Task A_change_stored_by_another_process_is_taken_over_by_the_next_comparison()
    {
        using var folder = CatalogFolder.Small();
        using var one = await LoadedAsync(folder);
        using var two = await LoadedAsync(folder);
        Assert.IsType<CatalogChange.Done>(await PutAsync(one, "worker", "Changed elsewhere."));
        Assert.True(await two.ReloadAsync(CancellationToken.None));
        Assert.Equal("Changed elsewhere.", two.Current.FindAgent("worker")!.Agent.Description);
    }

    [Fact]
    public async Task An_edit_that_a_stored_deletion_forbids_stays_refused_whatever_another_instance_stores()
    {
        using var folder = CatalogFolder.Small();
        using var elsewhere = CatalogFolder.Small();
        using var one = await LoadedAsync(folder);
        await AddAsync(one, "alpha");
        await AddAsync(one, "beta");
        Assert.IsType<CatalogChange.Done>(await one.ChangeAsync(Edit(one, "worker", OverrideState.Deleted), CancellationToken.None));
        folder.Write("teams.yaml", NamesWorker);
        Assert.False(await one.ReloadAsync(CancellationToken.None));
        Assert.True(one.HasRejectedEdit);

        using var two = await LoadedAsync(elsewhere);
        await AddAsync(two, "gamma");
        Assert.True(await one.ReloadAsync(CancellationToken.None));
        Assert.True(one.HasRejectedEdit);
        Assert.Equal(["front", "alpha", "beta", "gamma"], one.Current.Agents.Select(a => a.Agent.Name));
        Assert.Contains(one.Problems, p => p is { Source: "teams.yaml", Key: "teams.main.edges.front", IsWarning: false });
        Assert.Equal(0, one.NotApplied);
        Assert.IsType<CatalogChange.Exists>(await one.ChangeAsync(Agent("alpha", "Another.") with { IsCreation = true }, CancellationToken.None));

        folder.Write("teams.yaml", CatalogFolder.Teams);
        Assert.True(await one.ReloadAsync(CancellationToken.None));
        Assert.False(one.HasRejectedEdit);
        Assert.NotNull(one.Current.FindAgent("gamma"));
    }

    [Fact]
    public async Task At_a_start_only_the_deletion_that_the_files_contradict_is_left_out_and_that_can_be_taken_back()
    {
        using var folder = CatalogFolder.Small();
        using (var catalog = await LoadedAsync(folder))
        {
            await AddAsync(catalog, "alpha");
            Assert.IsType<CatalogChange.Done>(await PutAsync(catalog, "front", "Stored front."));
            Assert.IsType<CatalogChange.Done>(await catalog.ChangeAsync(Edit(catalog, "worker", OverrideState.Deleted), CancellationToken.None));
        }

        folder.Write("teams.yaml", NamesWorker);
        using var restarted = await LoadedAsync(folder);
        Assert.Equal(["front", "worker", "alpha"], restarted.Current.Agents.Select(a => a.Agent.Name));
        Assert.Equal("Stored front.", restarted.Current.FindAgent("front")!.Agent.Description);
        Assert.Equal("degraded", (await new CatalogProbe(restarted).CheckAsync(CancellationToken.None)).Status);
        Assert.Contains(restarted.Problems, p => p is { Source: "api", Key: "agents.worker", IsWarning: true } && p.Message.Contains("not applied: teams.yaml: teams.main.edges.front", StringComparison.Ordinal));

        // Other changes do not make it forgotten.
        await AddAsync(restarted, "beta");
        Assert.Contains(restarted.Problems, p => p.Key == "agents.worker");
        Assert.Equal("degraded", (await new CatalogProbe(restarted).CheckAsync(CancellationToken.None)).Status);

        Assert.IsType<CatalogChange.Done>(await restarted.ChangeAsync(Edit(restarted, "worker", OverrideState.Reverted), CancellationToken.None));
        Assert.DoesNotContain(restarted.Problems, p => p.Key == "agents.worker");
        Assert.Equal("healthy", (await new CatalogProbe(restarted).CheckAsync(CancellationToken.None)).Status);
    }

    [Fact]
    public async Task What_was_left_out_is_applied_as_soon_as_a_change_lets_it_fit()
    {
        using var folder = CatalogFolder.Small();
        using var restarted = await WithoutTheWorkerOfATeamAsync(folder);
        Assert.Equal(1, restarted.NotApplied);
        await AddAsync(restarted, "worker");
        Assert.NotNull(restarted.Current.FindTeam("pair"));
        Assert.Equal(0, restarted.NotApplied);
        Assert.DoesNotContain(restarted.Problems, p => p.Message.Contains("not applied", StringComparison.Ordinal));
    }

    /// <summary>A start whose files lack an agent that a stored team needs.</summary>
    private async Task<AgentCatalog> WithoutTheWorkerOfATeamAsync(CatalogFolder folder)
    {
        using (var catalog = await LoadedAsync(folder))
        {
            await AddTeamAsync(catalog, "pair", "front", "worker");
        }

        folder.Write("agents.yaml", WithoutWorker);
        return await LoadedAsync(folder);
    }

    private static async Task AddAsync(AgentCatalog catalog, string name) =>
        Assert.IsType<CatalogChange.Done>(await catalog.ChangeAsync(Agent(name, "Helps.") with { IsCreation = true }, CancellationToken.None));

    private static async Task AddTeamAsync(AgentCatalog catalog, string name, params string[] members)
    {
        var json = AgentsJson.Serialize(new TeamDefinition { Name = name, Description = "Two.", Pattern = "sequential", Members = members });
        var edit = new CatalogEdit { Kind = CatalogKind.Team, Name = name, State = OverrideState.Live, Json = json, IsCreation = true, OwnerId = "me" };
        Assert.IsType<CatalogChange.Done>(await catalog.ChangeAsync(edit, CancellationToken.None));
    }

    private async Task<AgentCatalog> LoadedAsync(CatalogFolder folder)
    {
        var catalog = folder.Catalog(_database.Database);
        await catalog.LoadAsync(CancellationToken.None);
        return catalog;
    }

    private static AgentDefinition Definition(string name, string description) => new() { Name = name, Role = "Role", Description = description, Instructions = "You work." };

    private static CatalogEdit Agent(string name, string description) =>
        new() { Kind = CatalogKind.Agent, Name = name, State = OverrideState.Live, Json = AgentsJson.Serialize(Definition(name, description)), OwnerId = "me" };

    private static CatalogEdit Edit(AgentCatalog catalog, string name, OverrideState state) =>
        new() { Kind = CatalogKind.Agent, Name = name, State = state, ExpectedETag = catalog.Current.FindAgent(name)!.ETag, OwnerId = "me" };

    private static Task<CatalogChange> PutAsync(AgentCatalog catalog, string name, string description) =>
        catalog.ChangeAsync(Agent(name, description) with { ExpectedETag = catalog.Current.FindAgent(name)!.ETag }, CancellationToken.None);
}
