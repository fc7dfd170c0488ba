using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What becomes of those who wait for somebody else's answer.</summary>
public sealed class EqualRequestsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_first_answer_was_cut_or_failed_the_others_do_not_ask_one_after_another(bool fails)
    {
        await using var database = new TestDatabase();
        await database.Database.OpenAsync();
        await using var world = await CacheWorld.StartAsync(database);
        var (first, others) = (new TaskCompletionSource(), new TaskCompletionSource());
        world.Model.Finish = ChatFinishReason.Length;
        world.Model.Before = _ => world.Model.Calls == 1 ? first.Task : others.Task;
        var all = Enumerable.Range(0, 8).Select(_ => world.StreamAsync(CacheWorld.Call("What is a verb?"), [])).ToList();
        Assert.Equal(1, world.Model.Calls);
        if (fails)
        {
            first.SetException(new ModelException("unreachable", "away"));
        }
        else
        {
            first.SetResult();
        }

        await Wait.UntilAsync(() => world.Model.Calls == 8); // all of them at once: none has its answer yet
        others.SetResult();
        await Task.WhenAll(all.Skip(1));
        Assert.Equal(fails, await Record.ExceptionAsync(() => all[0]) is ModelException);
    }
}
