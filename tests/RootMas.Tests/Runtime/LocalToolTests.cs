using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>What nobody else can see begin needs no commit of its own (decision 65); everything else is on disk before it leaves.</summary>
public sealed class LocalToolTests
{
    [Fact]
    public async Task A_local_call_its_question_and_its_result_are_one_batch_with_the_next_request()
    {
        var (batches, log) = await RunAsync([new TestTool("add", static text => text + "!").Local()], "add");
        Assert.Equal(
            ["run.queued,run.started,model.requested", "model.completed,tool.started,tool.completed,model.requested", "model.completed,message.completed,run.completed"], batches);
        HistoryRules.Check(log);
    }

    [Theory]
    [InlineData(ToolEffect.Read, false)]
    [InlineData(ToolEffect.Idempotent, true)]
    [InlineData(ToolEffect.Unsafe, true)]
    public async Task A_call_that_others_can_see_is_on_disk_before_it_leaves_whatever_it_says_of_itself(ToolEffect effect, bool isLocal)
    {
        var tool = new TestTool("act", static text => text + "!").With(effect);
        var (batches, _) = await RunAsync([isLocal ? tool.Local() : tool], "act");
        Assert.Equal("model.completed,tool.started", batches[1]);
    }

    [Fact]
    public async Task Beside_a_call_that_others_can_see_a_local_one_waits_for_the_disk_too()
    {
        var (batches, log) = await RunAsync([new TestTool("add", static text => text + "!").Local(), new TestTool("look", static text => text + "?")], "add", "look");
        Assert.Equal("model.completed,tool.started,tool.started", batches[1]);
        HistoryRules.Check(log);
    }

    /// <summary>The first batch is slow, and the second one is handed over before it is answered: the run ends as the first one's answer says.</summary>
    [Theory]
    [InlineData(First.Written, RunExit.Final, 3)]
    [InlineData(First.Refused, RunExit.Fenced, 2)]
    public async Task A_second_batch_follows_a_first_one_that_is_still_being_written(First first, RunExit end, int batches)
    {
        var (journal, host) = Slow(first);
        using (host)
        {
            Assert.Equal(end, await host.AttemptAsync());
            Assert.Equal(batches, journal.Batches.Count); // nothing is handed over after a refusal
            Assert.True(journal.WasOverlapped);
        }
    }

    [Fact]
    public async Task What_the_first_batch_failed_of_is_what_the_attempt_fails_of_though_the_second_was_only_refused()
    {
        var (journal, host) = Slow(First.Failed);
        using (host)
        {
            Assert.Equal("the first", (await Assert.ThrowsAsync<IOException>(host.AttemptAsync)).Message);
            Assert.True(journal.WasOverlapped);
        }
    }

    [Fact]
    public async Task A_local_call_shows_no_progress_since_nobody_has_seen_it_begin()
    {
        var tool = new TestTool("add", static (context, _, _) =>
        {
            context.Progress("half");
            return Task.FromResult(new ToolResult("done"));
        });
        using var host = Host([tool.Local()], ["add"], static j => j);
        Assert.Equal(RunExit.Final, await host.AttemptAsync());
        Assert.Empty(host.Pieces.OfType<ToolProgress>());
    }

    private static (SlowJournal Journal, EngineHost Host) Slow(First first)
    {
        SlowJournal? journal = null;
        var host = Host([new TestTool("add", static text => text + "!").Local()], ["add"], j => journal = new SlowJournal(j, first));
        host.HasReaders = false;
        return (journal!, host);
    }

    private static async Task<(List<string> Batches, IReadOnlyList<RunEvent> Log)> RunAsync(TestTool[] tools, params string[] calls)
    {
        SlowJournal? journal = null;
        using var host = Host(tools, calls, j => journal = new SlowJournal(j, First.AtOnce));
        Assert.Equal(RunExit.Final, await host.AttemptAsync());
        return (journal!.Batches, host.Log);
    }

    private static EngineHost Host(TestTool[] tools, string[] calls, Func<InMemoryRunJournal, IRunJournal> journal) =>
        new(
            new ScriptedChatClient(asked => asked.ToolResult is null ? [.. calls.Select(static c => Call(c, new { text = "it" }))] : [Say("end")]),
            TestTeams.Of(PatternKind.Direct, ["solo"], tools), tools, journal: journal);

    /// <summary>What becomes of the first batch, which is answered once the second one is there, but for <see cref="AtOnce"/>.</summary>
    public enum First
    {
        AtOnce,
        Written,
        Refused,
        Failed,
    }

    private sealed class SlowJournal(InMemoryRunJournal inner, First becomes) : IRunJournal
    {
        private static readonly AppendResult Fenced = new(AppendOutcome.Fenced, Parked: false, InboxSeq: 0, default);

        private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _second = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<string> Batches { get; } = [];

        public bool WasOverlapped { get; private set; }

        public async ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken)
        {
            Batches.Add(string.Join(',', append.Events.Select(static e => RootMas.Server.Runs.RunEventNames.Of(e.Event))));
            if (becomes == First.AtOnce)
            {
                return await inner.AppendAsync(append, cancellationToken);
            }

            if (append.Create is not null)
            {
                await _second.Task;
                _first.SetResult();
                return becomes == First.Failed ? throw new IOException("the first") : await AnswerAsync(append, cancellationToken);
            }

            WasOverlapped |= !_first.Task.IsCompleted;
            _second.TrySetResult();
            await _first.Task;
            return await AnswerAsync(append, cancellationToken);
        }

        public ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken) => inner.ReadInboxAsync(runId, after, cancellationToken);

        public ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows) => inner.KeepAsync(rows);

        private async ValueTask<AppendResult> AnswerAsync(RunAppend append, CancellationToken cancellationToken)
        {
            while (becomes == First.Written && append.Create is null && !inner.Exists(append.RunId))
            {
                await Task.Yield(); // behind the first one
            }

            return becomes == First.Written ? await inner.AppendAsync(append, cancellationToken) : Fenced;
        }
    }
}
