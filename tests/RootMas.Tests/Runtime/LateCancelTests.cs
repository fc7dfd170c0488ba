using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>Whoever ends a run and sees no call begun may count on it: what was written first is read before a call leaves.</summary>
public sealed class LateCancelTests
{
    [Theory]
    [InlineData(ToolEffect.Unsafe)]
    [InlineData(ToolEffect.Idempotent)]
    public async Task A_cancel_that_was_written_just_before_the_begin_of_a_call_keeps_it_from_leaving(ToolEffect effect)
    {
        var act = new TestTool("act", static text => text + " done").With(effect);
        LateJournal? late = null;
        using var host = Host(act, j => late = new LateJournal(j, isCancelled: true));
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Empty(act.Keys);
        Assert.Single(host.Log.OfType<ToolStarted>());
        var failed = Assert.Single(host.Log.OfType<ToolFailed>());
        Assert.Equal("cancelled", failed.Kind);
        Assert.Contains("Nothing was done", failed.Result, StringComparison.Ordinal);
        Assert.IsType<RunCancelled>(host.Log[^1]);
        Assert.Equal(1, late!.Reads);
        HistoryRules.Check(host.Log);
    }

    [Fact]
    public async Task A_cancel_just_before_a_call_leaves_once_more_does_not_say_that_nothing_was_done()
    {
        var act = new TestTool("act", static text => text + " done").With(ToolEffect.Idempotent);
        using var host = Host(act, static j => new LateJournal(j, isCancelled: true, begin: 2));
        host.LeaseLeft = () => host.Log.Any(static e => e is ToolStarted) ? TimeSpan.MinValue : TimeSpan.MaxValue;
        Assert.Equal(RunExit.Stopped, await host.AttemptAsync()); // its begin is on disk, and nobody knows whether it left
        host.LeaseLeft = static () => TimeSpan.MaxValue;
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal(2, host.Log.OfType<ToolStarted>().Count());
        var failed = Assert.Single(host.Log.OfType<ToolFailed>());
        Assert.Equal("interrupted", failed.Kind);
        Assert.DoesNotContain("Nothing was done", failed.Result, StringComparison.Ordinal);
        HistoryRules.Check(host.Log);
    }

    [Fact]
    public async Task Nothing_is_read_where_nothing_was_said()
    {
        var act = new TestTool("act", static text => text + " done").With(ToolEffect.Unsafe);
        LateJournal? late = null;
        using var host = Host(act, j => late = new LateJournal(j, isCancelled: false));
        Assert.Equal(RunExit.Final, await host.AttemptAsync());
        Assert.Single(act.Keys);
        Assert.Equal(0, late!.Reads);
    }

    private static EngineHost Host(TestTool act, Func<InMemoryRunJournal, IRunJournal> journal) =>
        new(new ScriptedChatClient(static asked => asked.ToolResult is null ? [Call("act", new { text = "it" })] : [Say("end")]), TestTeams.Of(PatternKind.Direct, ["solo"], [act]), [act], journal: journal);

    /// <summary>The cancel is there before tool.started is, nobody pokes the run, and to read it takes a while.</summary>
    /// <param name="begin">Which tool.started it is, of those that are written.</param>
    private sealed class LateJournal(InMemoryRunJournal inner, bool isCancelled, int begin = 1) : IRunJournal
    {
        private int _reads;
        private int _begins;

        public int Reads => _reads;

        public ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken)
        {
            if (isCancelled && append.Events.Any(static e => e.Event is ToolStarted) && ++_begins == begin)
            {
                inner.Poked = static _ => { };
                Assert.True(inner.Tell(append.RunId, "cancel", new CancelRequested("rolled back", "ann", KeepText: false)));
            }

            return inner.AppendAsync(append, cancellationToken);
        }

        public async ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            await Task.Yield();
            return await inner.ReadInboxAsync(runId, after, cancellationToken);
        }

        public ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows) => inner.KeepAsync(rows);
    }
}
