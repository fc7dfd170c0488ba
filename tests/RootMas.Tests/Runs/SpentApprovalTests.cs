using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

/// <summary>DESIGN §4.9: an approval is used once, also where the owner says of a call in doubt that it shall be repeated.</summary>
public abstract class SpentApprovalTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseTheory]
    [InlineData(Approver.Admin)]
    [InlineData(Approver.Owner)]
    public async Task A_call_that_is_repeated_needs_an_administrator_again_if_it_needed_one(Approver approver)
    {
        var time = new ManualTimeProvider();
        TestTool? tool = null;
        tool = new TestTool("act", (_, _, _) => tool!.Keys.Count == 1 ? throw new ToolException("The line went dead.", inDoubt: true) : Task.FromResult(new ToolResult("acted")))
            .With(ToolEffect.Unsafe, ApprovalRule.Always, approver: approver);
        await using var h = new RunsHarness(new ScriptedChatClient(static a => a.ToolResult is { } r ? [Say(r)] : [Call("act", new { })]), [tool], time: time);
        await h.StartAsync();
        var id = (await h.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go", atOnce: true)).RunId;
        await ApproveAsync(h, id);
        await h.WaitForAsync(id, static r => r.Status == RunStatus.NeedsReview);
        time.Advance(TimeSpan.FromMinutes(1)); // until then the call may still be on its way
        var verdict = await h.Verbs.ResolveAsync(id, "alice", 1, "repeat", null, null, default);
        Assert.True(verdict.Ok, verdict.Detail);
        if (approver == Approver.Admin)
        {
            await h.WaitForAsync(id, static r => r.Status == RunStatus.WaitingApproval);
            Assert.Equal([$"{id}:1"], tool.Keys);
            await ApproveAsync(h, id);
        }

        var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal("acted", run.Answer?.Text ?? run.Reason);
        Assert.Equal([$"{id}:1", $"{id}:1:r1"], tool.Keys);
        var log = await h.LogAsync(id);
        Assert.Equal(approver == Approver.Admin ? 2 : 1, log.OfType<ApprovalGranted>().Select(static g => g.ApprovalId).Distinct().Count());
        Assert.Equal(RunStatus.Completed, RunState.Fold(log).Status);
    }

    private static async Task ApproveAsync(RunsHarness h, string runId)
    {
        await h.WaitForAsync(runId, static r => r.Status == RunStatus.WaitingApproval);
        var asked = Assert.Single(await h.Approvals.ListAsync(null, "pending", runId, null, 10, default));
        var verdict = await h.Approvals.DecideAsync(asked.Id, new ApprovalDecider("root", IsAdmin: true), approve: true, asked.ArgumentsHash, null, default);
        Assert.True(verdict.Ok, verdict.Detail);
    }
}

public sealed class SpentApprovalOnSqliteTests() : SpentApprovalTests(DatabaseKind.Sqlite);

public sealed class SpentApprovalOnPostgresTests() : SpentApprovalTests(DatabaseKind.Postgres), IOnPostgres;
