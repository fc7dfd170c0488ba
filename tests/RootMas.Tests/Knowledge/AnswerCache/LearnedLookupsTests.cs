using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>Which comparisons are observations of the policy, and what is shared by whom.</summary>
public sealed class LearnedLookupsTests : IAsyncLifetime
{
    private readonly TestDatabase _database = new();

    public Task InitializeAsync() => _database.Database.OpenAsync();

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task A_question_that_is_asked_anew_is_not_compared_with_its_own_answer()
    {
        await using var world = await CacheWorld.StartAsync(_database);
        await world.AskAsync("How do I reset the password of my account?");
        await world.AskAsync("How do I reset the password of my account?", fresh: true);
        world.Model.Answer = static _ => "another one";
        await world.AskAsync("How do I reset the password of my account?", fresh: true);
        Assert.Equal(0, world.Policy.Observations);
        Assert.Equal(0, await _database.ScalarAsync("SELECT count(*) FROM cache_observations"));
        await world.AskAsync("How do I reset the password of an account?", fresh: true);
        Assert.Equal(1, world.Policy.Observations); // of another question it says something
    }

    /// <summary>Else what is asked where tools are called would be given from what was said without them, and nobody would see how often that is wrong.</summary>
    [Theory]
    [InlineData("a call of a tool", 0)]
    [InlineData("personal data", 0)]
    [InlineData("half an answer", 0)]
    [InlineData("another tier", 1)]
    public async Task An_answer_that_may_not_be_kept_is_learned_from_and_not_kept(string what, int same)
    {
        await using var world = await CacheWorld.StartAsync(_database);
        world.Judge = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("1")]);
        await world.AskAsync("How do I reset the password of my account?");
        switch (what)
        {
            case "a call of a tool":
                world.Model.Also = new FunctionCallContent("1", "calculator");
                break;
            case "personal data":
                world.Model.Answer = static _ => "Ask Ivan, ivan.petrov@example.org";
                break;
            case "half an answer":
                world.Model.Finish = ChatFinishReason.Length;
                break;
            default:
                world.Model.Tier = "premium";
                break;
        }

        await world.AskAsync("How do I reset the password of an account?");
        await world.AskAsync("How do I reset the password of an account?");
        Assert.Equal(3, world.Model.Calls);
        Assert.Equal(2, world.Policy.Observations);
        Assert.Equal(2, await _database.ScalarAsync($"SELECT count(*) FROM cache_observations WHERE is_same = {same}"));
        Assert.Equal(1, await _database.ScalarAsync("SELECT count(*) FROM cached_answers"));
        Assert.Equal(1, await _database.ScalarAsync("SELECT count(*) FROM cached_questions"));
        world.Model.Before = static _ => throw new ModelException("unreachable", "away");
        await Assert.ThrowsAsync<ModelException>(() => world.AskAsync("How do I reset the password of an account?"));
        Assert.Equal(2, world.Policy.Observations); // what did not come says nothing
    }

    [Fact]
    public async Task Of_what_nobody_predicted_nothing_is_said_to_have_been_predicted()
    {
        await using var world = await CacheWorld.StartAsync(_database);
        await world.AskAsync("How do I reset 5 passwords?"); // there is something, and nothing that is near
        var gate = new TaskCompletionSource();
        world.Model.Before = call => call.Question!.Contains("an account", StringComparison.Ordinal) ? gate.Task : Task.CompletedTask;
        var later = world.StreamAsync(CacheWorld.Call("How do I reset the password of an account?"), []);
        await world.AskAsync("How do I reset the password of my account?");
        gate.SetResult();
        await later;
        await Wait.UntilAsync(() => world.Learner.IsIdle);
        Assert.Equal(1, await _database.ScalarAsync("SELECT count(*) FROM cache_observations"));
        Assert.Equal(0, await _database.ScalarAsync("SELECT count(*) FROM cache_observations WHERE predicted IS NOT NULL"));
    }

    [Fact]
    public async Task What_an_older_version_compared_is_not_learned_from()
    {
        await using (var before = await CacheWorld.StartAsync(_database))
        {
            await before.AskAsync("How do I reset the password of my account?");
            await before.AskAsync("How do I reset the password of an account?");
            Assert.Equal(1, before.Policy.Observations);
        }

        await using (var after = await CacheWorld.StartAsync(_database))
        {
            Assert.Equal(1, after.Policy.Observations);
            after.Learner.TakeObservation(new StoredObservation(Guid.NewGuid(), new Nearness(1, 1), true, null));
            after.Learner.TakeObservation(new StoredObservation(Guid.NewGuid(), new Nearness(1, 1), true, after.Levels.Index.Embedder));
            Assert.Equal(1, after.Policy.Observations);
            after.Learner.TakeObservation(new StoredObservation(Guid.NewGuid(), new Nearness(1, 1), true, StoredObservation.With(after.Levels.Index.Embedder)));
            Assert.Equal(2, after.Policy.Observations);
            await _database.Database.WriteAsync(async session => await session.Prepared("UPDATE cache_observations SET embedder = @old").Set("old", after.Levels.Index.Embedder).RunAsync(), default);
        }

        await using var later = await CacheWorld.StartAsync(_database);
        Assert.Equal(0, later.Policy.Observations);
    }

    [Fact]
    public async Task Whoever_asks_after_a_purge_does_not_get_the_answer_that_was_on_its_way_before_it()
    {
        await using var world = await CacheWorld.StartAsync(_database);
        var gate = new TaskCompletionSource();
        world.Model.Before = _ => gate.Task;
        var before = world.StreamAsync(CacheWorld.Call("How do I reset a password?"), []);
        await Wait.UntilAsync(() => world.Model.Calls == 1);
        await world.Purge.PurgeAsync(new PurgeScope("all", ""), default);
        var after = world.StreamAsync(CacheWorld.Call("How do I reset a password?"), []);
        Assert.Equal(1, world.Model.Calls); // it waits for the one that is on its way
        gate.SetResult();
        await before;
        Assert.Null((await after).Call.CacheHit);
        Assert.Equal(2, world.Model.Calls);
        Assert.NotNull((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
    }

    /// <summary>Another instance changed an agent: what this one keeps, and what it makes now, is of the old prompt.</summary>
    [Fact]
    public async Task While_the_catalog_is_older_than_the_databases_nothing_is_given_and_nothing_kept()
    {
        await using var world = await CacheWorld.StartAsync(_database);
        await world.AskAsync("How do I reset a password?");
        world.IsCatalogNewest = false;
        Assert.Null((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
        await world.AskAsync("How do I change a password?");
        world.IsCatalogNewest = true;
        Assert.NotNull((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
        Assert.Null((await world.AskAsync("How do I change a password?")).Call.CacheHit);
    }
}
