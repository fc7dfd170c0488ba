using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

/// <summary>What a person is told about a run that waits for one.</summary>
public abstract class WaitingReasonTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_call_that_needed_nobody_does_not_hide_why_the_other_one_waits()
    {
        var act = new TestTool("act", static t => t).With(ToolEffect.Unsafe, ApprovalRule.Always);
        var look = new TestTool("look", static t => "seen " + t);
        await using var h = new RunsHarness(new ScriptedChatClient(static _ => [Call("act", new { text = "a" }), Call("look", new { text = "b" })]), [act, look]);
        await h.StartAsync();
        var run = (await h.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [act, look]), "go")).RunId;
        var parked = await h.WaitForAsync(run, static r => r.Status == RunStatus.WaitingApproval);
        Assert.Equal((await h.LogAsync(run)).OfType<ApprovalRequested>().Single().Reason, parked.Reason);
    }

    [DatabaseFact]
    public async Task Of_several_questions_the_newest_open_one_is_told()
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static asked => asked.ToolResult is null ? [Call("ask_user", new { question = "First?" }), Call("ask_user", new { question = "Second?" })] : [Say("done")]));
        await h.StartAsync();
        var run = (await h.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), "go")).RunId;
        Assert.Equal("Second?", (await h.WaitForAsync(run, static r => r.Status == RunStatus.WaitingInput)).Reason);
        Assert.Equal("Second?", (await h.Reader.NewestQuestionAsync(run, default))!.Question);

        Assert.True((await h.Verbs.AnswerAsync(run, "alice", 2, "two", null, default)).Ok);
        Assert.Equal("First?", (await h.Reader.NewestQuestionAsync(run, default))!.Question); // whether or not the run has heard it yet
        Assert.Equal("First?", (await h.WaitForAsync(run, static r => r is { Status: RunStatus.WaitingInput, Reason: not "Second?" })).Reason);
        Assert.True((await h.Verbs.AnswerAsync(run, "alice", 1, "one", null, default)).Ok);
        Assert.Equal(RunStatus.Completed, (await h.EndAsync(run)).Status);
        Assert.Null(await h.Reader.NewestQuestionAsync(run, default));
    }

    [DatabaseFact]
    public async Task An_answer_to_a_question_that_ended_between_the_look_and_the_word_is_refused()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.WaitingInput, new InputRequested(1, "Which?", null, h.Clock.GetUtcNow()));
        Assert.Equal(InboxOutcome.Written, await h.Store.InsertInboxAsync(run.Id, null, "timer", new TimerDue(h.Clock.GetUtcNow()), default));
        var row = await h.Ownership.ClaimAsync(run.Id, TimeSpan.FromMinutes(5), default);
        var owner = new TestRun(h, run.Id, row!.Attempt) { Seq = row.LastSeq };
        await owner.AppendAsync(RunStatus.Running, new InputReceived(1, "", null, Expired: true), new ToolFailed(1, "ask_user", "expired", "Nobody answered.", 0));

        Assert.Equal(InboxOutcome.Settled, await h.Store.InsertInboxAsync(run.Id, "alice", "input:1:3", new InputGiven(1, "late", "alice"), default));
        Assert.Equal("no_open_question", (await h.Verbs.AnswerAsync(run.Id, "alice", 1, "late", null, default)).Code);
        Assert.IsType<TimerDue>(Assert.Single(await h.Store.ReadInboxAsync(run.Id, 0, default)).Payload);
    }

    [DatabaseFact]
    public async Task A_run_that_was_told_to_end_asks_nothing_more()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.WaitingInput, new InputRequested(1, "Which?", null, h.Clock.GetUtcNow().AddHours(1)));
        Assert.Equal("Which?", (await h.Reader.NewestQuestionAsync(run.Id, default))!.Question);
        await h.Store.InsertInboxAsync(run.Id, null, "cancel", new CancelRequested("Enough.", "alice"), default);
        Assert.Null(await h.Reader.NewestQuestionAsync(run.Id, default));
    }
}

public sealed class WaitingReasonOnSqliteTests() : WaitingReasonTests(DatabaseKind.Sqlite);

public sealed class WaitingReasonOnPostgresTests() : WaitingReasonTests(DatabaseKind.Postgres), IOnPostgres;
