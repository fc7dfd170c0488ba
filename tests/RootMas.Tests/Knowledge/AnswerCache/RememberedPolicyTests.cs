using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What the policy learned outlives the process: the next one is as careful as the one before.</summary>
public abstract class RememberedPolicyTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly AnswerCacheOptions Options = new() { LearnPerSecond = 10_000, JudgePerMinute = 10_000, Mode = AnswerCacheMode.Shadow, MaxWrong = 0.1 };

    private TestDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = new TestDatabase();
        await _database.Database.OpenAsync();
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [DatabaseFact]
    public async Task After_a_restart_and_after_missed_changes_the_same_is_expected_of_kept_answers()
    {
        await using var world = await CacheWorld.StartAsync(_database, Options);
        var questions = Topics.Questions(190);
        world.Model.Answer = static call => "topic " + Topics.Of(call.Question!);
        foreach (var question in questions.Take(130))
        {
            await world.AskAsync(question);
        }

        // The world changes: what was sure is wrong now.
        world.Model.Answer = static call => "nothing like it: " + call.Question;
        foreach (var question in questions.Skip(130))
        {
            await world.AskAsync(question);
        }

        var before = Errors(world.Policy);
        var evidence = Evidence(world);
        Assert.True(evidence.Count > 5 && evidence.Values.Max() > 3, $"{evidence.Count} answers were compared");

        await using (var after = await CacheWorld.StartAsync(_database, Options))
        {
            AssertSame(before, Errors(after.Policy));
            Assert.Equal(evidence, Evidence(after));
        }

        await world.Learner.LoadMissedAsync(default);
        AssertSame(before, Errors(world.Policy));
        Assert.Equal(evidence, Evidence(world));

        // Without what was expected then, the next process would be too sure of itself.
        var stored = await world.Levels.Store.LoadAsync(world.Levels.Index.Embedder, 1_000, default);
        var forgetful = new VerifiedPolicy(0.1, 0, new Random(1));
        forgetful.Relearn([.. stored.Observations.Select(static o => (o.At, (AnswerEvidence?)null, o.Same, (double?)null))]);
        Assert.True(Errors(forgetful).Zip(before).Any(static pair => pair.First < pair.Second * 0.8), "There was nothing to correct");
    }

    /// <summary>Of answers that nothing particular is known of.</summary>
    private static List<double> Errors(VerifiedPolicy policy) =>
        [.. from similarity in (double[])[0.6, 0.8, 0.9, 0.99] from margin in (double[])[0.05, 0.2, 0.5] select policy.Decide(new Nearness(similarity, margin), new AnswerEvidence()).Error];

    private static SortedDictionary<Guid, int> Evidence(CacheWorld world) => new(world.Levels.Index.Answers.ToDictionary(static a => a.Id, static a => a.Evidence.Count));

    /// <remarks>Nearly: observations of one millisecond come back in any order, and what is fitted depends a little on it.</remarks>
    private static void AssertSame(List<double> expected, List<double> actual) => Assert.All(expected.Zip(actual), static pair => Assert.Equal(pair.First, pair.Second, 0.03));
}

public sealed class RememberedPolicyOnSqliteTests() : RememberedPolicyTests(DatabaseKind.Sqlite);

public sealed class RememberedPolicyOnPostgresTests() : RememberedPolicyTests(DatabaseKind.Postgres), IOnPostgres;
