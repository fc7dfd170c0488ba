using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>How much is kept: one question for each request, a bounded number for each answer and in all, and the longest unused goes first.</summary>
public abstract class BoundedAnswersTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly AnswerCacheOptions Fast = new() { LearnPerSecond = 10_000, JudgePerMinute = 10_000 };

    private TestDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = new TestDatabase();
        await _database.Database.OpenAsync();
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    private Task<CacheWorld> StartAsync(AnswerCacheOptions options, TimeProvider? clock = null) => CacheWorld.StartAsync(_database, options, clock);

    private async Task<(long? Answers, long? Questions)> RowsAsync() =>
        (await _database.ScalarAsync("SELECT count(*) FROM cached_answers"), await _database.ScalarAsync("SELECT count(*) FROM cached_questions"));

    [DatabaseFact]
    public async Task A_question_that_is_answered_anew_again_and_again_is_kept_once()
    {
        await using var world = await StartAsync(Fast);
        for (var i = 0; i < 4; i++)
        {
            await world.AskAsync("How do I reset a password?", fresh: true);
        }

        Assert.Equal((1, 1), (world.Levels.Index.Count, world.Levels.Index.QuestionCount));
        Assert.Equal((1, 1), await RowsAsync());
        world.Model.Answer = static call => "Made anew for " + call.Question;
        await world.AskAsync("How do I reset a password?", fresh: true);
        Assert.Equal((1, 1), (world.Levels.Index.Count, world.Levels.Index.QuestionCount));
        Assert.Equal((1, 1), await RowsAsync());
    }

    [DatabaseFact]
    public async Task After_an_answer_was_made_anew_a_similar_question_gets_that_one()
    {
        var options = Fast with { Mode = AnswerCacheMode.Threshold, Threshold = 0.7 };
        await using (var world = await StartAsync(options))
        {
            await world.AskAsync("How do I reset the password of my account?");
            world.Model.Answer = static _ => "another one";
            await world.AskAsync("How do I reset the password of my account?", fresh: true);
            var (text, call) = await world.AskAsync("How do I reset the password of an account?");
            Assert.Equal(("another one ", "semantic"), (text, call.CacheHit?.Kind));
        }

        await using var after = await StartAsync(options);
        Assert.Equal("another one ", (await after.AskAsync("How do I reset the password of this account?")).Text);
        Assert.Equal("another one ", (await after.AskAsync("How do I reset the password of my account?")).Text);
        Assert.Equal(0, after.Model.Calls);
    }

    [DatabaseFact]
    public async Task An_answer_to_everything_keeps_its_newest_questions()
    {
        await using var world = await StartAsync(Fast with { Mode = AnswerCacheMode.Shadow, Judge = AnswerJudgeKind.Rules });
        world.Model.Answer = static _ => "I cannot help with that.";
        var questions = Topics.Questions(AnswerIndex.MostQuestions + 4);
        foreach (var question in questions)
        {
            await world.AskAsync(question);
        }

        Assert.Equal((1, AnswerIndex.MostQuestions), (world.Levels.Index.Count, world.Levels.Index.QuestionCount));
        Assert.Equal((1, AnswerIndex.MostQuestions), await RowsAsync());
        world.Levels.Memory.Remove(static _ => true);
        Assert.Equal("stored", (await world.AskAsync(questions[^1])).Call.CacheHit?.Kind);
        Assert.Null((await world.AskAsync(questions[0])).Call.CacheHit);
    }

    [DatabaseTheory]
    [InlineData(2, 1_000)]
    [InlineData(1_000, 2)]
    public async Task Where_there_is_too_much_the_longest_unused_goes_and_not_the_oldest(int answers, int questions)
    {
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(1));
        var options = Fast with { MaxEntries = answers, MaxQuestions = questions };
        await using (var world = await StartAsync(options, clock))
        {
            foreach (var word in (string[])["Alpha", "Beta", "Gamma", "Delta"])
            {
                clock.Advance(TimeSpan.FromMilliseconds(5));
                await world.AskAsync($"What does {word} mean?");
            }

            Assert.NotNull((await world.AskAsync("What does Alpha mean?")).Call.CacheHit);
            await world.Learner.FlushAsync(default);
            Assert.Equal(2, world.Levels.Index.Count);
            Assert.Equal((2, 2), await RowsAsync());
        }

        await using var after = await StartAsync(options, clock);
        Assert.NotNull((await after.AskAsync("What does Alpha mean?")).Call.CacheHit);
        Assert.NotNull((await after.AskAsync("What does Delta mean?")).Call.CacheHit);
        Assert.Null((await after.AskAsync("What does Gamma mean?")).Call.CacheHit);
    }
}

public sealed class BoundedAnswersOnSqliteTests() : BoundedAnswersTests(DatabaseKind.Sqlite);

public sealed class BoundedAnswersOnPostgresTests() : BoundedAnswersTests(DatabaseKind.Postgres), IOnPostgres
{
    [PostgresFact]
    public async Task What_one_instance_lets_go_the_others_let_go_too()
    {
        await using var database = new TestDatabase();
        await database.Database.OpenAsync();
        var options = new AnswerCacheOptions { LearnPerSecond = 10_000, JudgePerMinute = 10_000, MaxEntries = 2 };
        await using var one = await CacheWorld.StartAsync(database, options);
        await using var two = await CacheWorld.StartAsync(database, options with { MaxEntries = 1_000 });
        foreach (var word in (string[])["Alpha", "Beta", "Gamma", "Delta"])
        {
            await one.AskAsync($"What does {word} mean?");
        }

        var newest = one.Levels.Index.Answers.Max(static a => a.Id);
        await Wait.UntilAsync(() => two.Levels.Index.Find(newest) is not null);
        await one.Learner.FlushAsync(default);
        await Wait.UntilAsync(() => two.Levels.Index.Count == 2);
        Assert.Equal(one.Levels.Index.Answers.Select(static a => a.Id).Order(), two.Levels.Index.Answers.Select(static a => a.Id).Order());
    }
}
