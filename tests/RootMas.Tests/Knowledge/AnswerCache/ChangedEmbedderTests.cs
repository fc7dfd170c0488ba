using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What is known of kept answers: with which embedder it was observed, and how often they were given.</summary>
public abstract class ChangedEmbedderTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly AnswerCacheOptions Fast = new() { LearnPerSecond = 10_000, JudgePerMinute = 10_000 };

    private TestDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = new TestDatabase();
        await _database.Database.OpenAsync();
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    private Task<CacheWorld> StartAsync(AnswerCacheOptions options, TimeProvider? clock = null, IEmbedder? embedder = null) => CacheWorld.StartAsync(_database, options, clock, null, embedder);

    [DatabaseFact]
    public async Task A_change_of_the_embedder_while_running_compares_no_old_vectors_and_forgets_what_was_learned_of_them()
    {
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        var embedder = new OtherEmbedder();
        await using var world = await StartAsync(Fast with { Mode = AnswerCacheMode.Threshold, Threshold = 0.7 }, clock, embedder);
        await world.AskAsync("How do I reset the password of my account?");
        await world.AskAsync("How do I reset the password of an account?", fresh: true);
        Assert.Equal(1, world.Policy.Observations);
        embedder.Identity = new EmbedderIdentity("next", "1", 2);
        Assert.Null((await world.AskAsync("How do I reset the password of the account?")).Call.CacheHit);
        Assert.Equal(1, world.Policy.Observations); // there was nothing to compare with

        await Wait.UntilAsync(
            static async about =>
            {
                about.clock.Advance(TimeSpan.FromSeconds(5));
                return await about._database.ScalarAsync("SELECT count(*) FROM cached_questions WHERE embedder NOT LIKE 'next%'") == 0;
            },
            (clock, _database),
            "All vectors are made anew");
        Assert.Equal(0, world.Policy.Observations);
        Assert.Equal("semantic", (await world.AskAsync("How do I reset the password of this account?")).Call.CacheHit?.Kind);
        await using var again = await StartAsync(Fast, embedder: embedder);
        Assert.Equal(0, again.Policy.Observations);
        await using var before = await StartAsync(Fast, embedder: new OtherEmbedder());
        Assert.Equal(1, before.Policy.Observations);
    }

    [Theory]
    [InlineData("|other/1/2", "other/1/2")]
    [InlineData("|a|b", "a|b")]
    [InlineData("", null)] // as versions before wrote it
    public void What_another_instance_observed_is_read_in_its_old_forms_too(string end, string? embedder)
    {
        var id = Guid.NewGuid();
        Assert.Equal(new StoredObservation(id, new Nearness(0.5, 0.25), true, embedder), AnswerChanges.Read($"{id}|0.5|0.25|1{end}", predicts: false));
    }

    [Theory]
    [InlineData(0.0625, "a|b")]
    [InlineData(null, "other/1/2")]
    public void What_another_instance_observed_is_told_with_what_it_had_expected(double? predicted, string embedder)
    {
        var observation = new StoredObservation(Guid.NewGuid(), new Nearness(0.5, 0.25), false, embedder) { Predicted = predicted };
        Assert.Equal(observation, AnswerChanges.Read(AnswerChanges.Write(observation), predicts: true));
    }

    [DatabaseFact]
    public async Task What_is_given_from_memory_and_to_those_who_waited_counts_for_its_entry()
    {
        await using var world = await StartAsync(Fast);
        var gate = new TaskCompletionSource();
        world.Model.Before = _ => gate.Task;
        var first = world.StreamAsync(CacheWorld.Call("How do I reset a password?"), []);
        await Wait.UntilAsync(() => world.Model.Calls == 1);
        var second = world.StreamAsync(CacheWorld.Call("How do I reset a password?"), []);
        gate.SetResult();
        await first;
        Assert.NotNull((await second).Call.CacheHit);
        Assert.Equal("memory", (await world.AskAsync("How do I reset a password?")).Call.CacheHit?.Kind);
        await world.Learner.FlushAsync(default);
        Assert.Equal(2, await _database.ScalarAsync("SELECT hits FROM cached_answers"));
    }
}

public sealed class ChangedEmbedderOnSqliteTests() : ChangedEmbedderTests(DatabaseKind.Sqlite);

public sealed class ChangedEmbedderOnPostgresTests() : ChangedEmbedderTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Another embedder than the built-in one, whose vectors are all alike; a test makes it yet another.</summary>
internal sealed class OtherEmbedder : IEmbedder
{
    public EmbedderIdentity Identity { get; set; } = new("other", "1", 2);

    public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(texts.Select(static _ => (float[])[1, 0]).ToArray());
}
