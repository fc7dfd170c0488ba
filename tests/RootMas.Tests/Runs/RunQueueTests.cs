using RootMas.Server.Runs;

namespace RootMas.Tests.Runs;

/// <summary>Whose turn it is in one process.</summary>
public sealed class RunQueueTests
{
    [Fact]
    public void A_word_for_a_run_that_waits_for_its_user_need_not_wait()
    {
        var queue = new RunQueue(1);
        Assert.All((string[])["working", "second", "third"], id => Assert.True(queue.Add(Fresh(id))));
        Assert.True(queue.TryTake(out var taken));
        Assert.Equal("working", taken.RunId);
        Assert.False(queue.TryTake(out _)); // the user has as many as one may have

        Assert.False(queue.Add(Fresh("third"))); // no more than it was
        Assert.False(queue.Add(Fresh("third") with { IsFresh = false })); // found by the sweep
        Assert.True(queue.Add(Fresh("third") with { IsFresh = false }, isSaid: true));
        Assert.True(queue.TryTake(out taken));
        Assert.Equal("third", taken.RunId);
        Assert.False(queue.TryTake(out _));
        Assert.Equal(1, queue.Count);

        queue.RootLeft("ann", "third");
        queue.RootLeft("ann", "working");
        Assert.True(queue.TryTake(out taken));
        Assert.Equal("second", taken.RunId);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void The_broker_is_answered_once_for_each_message(bool first, bool second)
    {
        var queue = new RunQueue(0);
        var (early, late) = (new Offer(), new Offer());
        queue.Add(Fresh("run") with { Offer = first ? early : null });
        Assert.True(queue.Add(Fresh("run") with { IsFresh = false, Offer = second ? late : null }, isSaid: true));
        Assert.True(queue.TryTake(out var taken));
        taken.Offer?.Done();
        Assert.Equal((first ? 1 : 0, second ? 1 : 0), (early.Answers, late.Answers));
    }

    private static ReadyRun Fresh(string id) => new(id, "ann", IsRoot: true, IsFresh: true);

    private sealed class Offer : IRunOffer
    {
        public int Answers { get; private set; }

        public bool IsRepeated => false;

        public void Done() => Answers++;
    }
}
