using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>An agent can never do what the user of its run may not.</summary>
public sealed class CallRightsTests
{
    [Fact]
    public async Task A_tool_whose_permission_the_user_lacks_is_neither_offered_nor_called()
    {
        var costs = new TestTool("costs", _ => "1 USD").With(permission: "metrics:read");
        var clock = new TestTool("clock", _ => "noon");
        var model = new ScriptedChatClient(asked => asked.Number == 1 ? [Call("costs", new { }), Call("clock", new { })] : [Say("end")]);
        var rights = new Rights { May = static permission => permission != "metrics:read" };
        var all = await Engine(model, rights, costs, clock).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [costs, clock]), "go");

        Assert.Equal(["clock", "ask_user"], model.Log[0].Options.Tools!.Select(t => t.Name));
        var refused = Assert.Single(all.Events<ToolFailed>());
        Assert.Equal(("costs", "rights_denied"), (refused.Tool, refused.Kind));
        Assert.Contains("metrics:read", refused.Result, StringComparison.Ordinal);
        Assert.Empty(costs.Keys);
        Assert.Single(clock.Keys);
        Assert.Single(all.Events<RunCompleted>());
    }

    [Fact]
    public async Task A_right_that_ends_between_offer_and_call_counts_at_the_call()
    {
        var costs = new TestTool("costs", _ => "1 USD").With(permission: "metrics:read");
        var rights = new Rights();
        var model = new ScriptedChatClient(asked =>
        {
            rights.May = static _ => false;
            return asked.Number == 1 ? [Call("costs", new { })] : [Say("end")];
        });
        var all = await Engine(model, rights, costs).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [costs]), "go");

        Assert.Contains("costs", model.Log[0].Options.Tools!.Select(t => t.Name));
        Assert.Equal("rights_denied", Assert.Single(all.Events<ToolFailed>()).Kind);
        Assert.Empty(costs.Keys);
    }

    [Fact]
    public async Task What_a_credential_was_cut_down_to_holds_for_delegated_work_too()
    {
        var costs = new TestTool("costs", _ => "1 USD").With(permission: "metrics:read");
        var rights = new Rights { ByRun = static run => permission => run.Options.Permissions?.Contains(permission) != false };
        var model = new ScriptedChatClient(asked => (asked.Agent, asked.ToolResult) switch
        {
            ("lead", null) => [Call("delegate", new { agent = "helper", task = "count" })],
            ("helper", null) => [Call("costs", new { })],
            _ => [Say("end")],
        });
        var team = TestTeams.Of(PatternKind.Direct, ["lead", "helper"], [costs], t => t with { Edges = [new("lead", "helper")] });
        await Engine(model, rights, costs).AllAsync(team, new RunInput("go") { Options = new() { Permissions = ["chat:write"] } });

        Assert.Empty(costs.Keys);
        Assert.Contains(model.Log, asked => asked.Agent == "helper" && asked.ToolResult?.Contains("metrics:read", StringComparison.Ordinal) == true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_approval_counts_only_while_who_gave_it_may_give_it(bool still)
    {
        var tool = new TestTool("act", t => "acted " + t).With(ToolEffect.Unsafe, ApprovalRule.Always);
        var model = new ScriptedChatClient(asked => asked.ToolResult is { } r ? [Say(r)] : [Call("act", new { text = "now" })]);
        var rights = new Rights { Approves = by => still && by == "ann" };
        var engine = Engine(model, rights, tool);
        await using var updates = engine.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go").GetAsyncEnumerator();
        var asked = await updates.FirstAsync<ApprovalRequested>();
        engine.Journal.Tell(asked.RunId, asked.ApprovalId, new ApprovalDecided(asked.ApprovalId, true, "ann", null));

        var text = (await updates.FirstAsync<MessageCompleted>()).Text;
        Assert.Equal(still ? 1 : 0, tool.Keys.Count);
        Assert.Contains(still ? "acted now" : "may not do so any more", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("offered", false)]
    [InlineData("offered", true)]
    [InlineData("called", false)]
    [InlineData("called", true)]
    [InlineData("approved", false)]
    [InlineData("approved", true)]
    public async Task A_cancel_or_a_shutdown_while_rights_are_looked_up_ends_the_attempt_and_loses_nothing(string what, bool shutdown)
    {
        var note = new TestTool("note", _ => "noted").With(ToolEffect.Unsafe);
        var act = new TestTool("act", _ => "acted").With(ToolEffect.Unsafe, what == "approved" ? ApprovalRule.Always : ApprovalRule.Never, permission: "metrics:read");
        var model = new ScriptedChatClient(asked => asked.Number switch { 1 => [Call("note", new { })], 2 => [Call("act", new { })], _ => [Say("end")] });
        var rights = new SlowRights(what, what == "offered" ? 2 : 1);
        using var host = new EngineHost(model, TestTeams.Of(PatternKind.Direct, ["solo"], [note, act]), [note, act], new RunEngineOptions { Rights = rights });
        var attempt = host.AttemptAsync();
        if (what == "approved")
        {
            Assert.Equal(RunExit.Parked, await attempt);
            host.Tell("decided", new ApprovalDecided(host.Log.OfType<ApprovalRequested>().Single().ApprovalId, true, "ann", null));
            attempt = host.AttemptAsync();
        }

        await rights.Asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        if (shutdown)
        {
            host.Stop();
        }
        else
        {
            host.Tell("cancel", new CancelRequested("enough", "ann"));
        }

        rights.Answer.SetResult();
        Assert.Equal(shutdown ? RunExit.Stopped : RunExit.Final, await attempt);

        Assert.Equal("noted", Assert.Single(host.Log.OfType<ToolCompleted>()).Result);
        Assert.Equal(what == "offered" ? 1 : 2, host.Log.OfType<ModelCompleted>().Count());
        Assert.DoesNotContain(host.Log, static e => e is ToolStarted { Tool: "act" } or RunNeedsReview or RunFailed);
        Assert.Empty(act.Keys);
        Assert.Equal(!shutdown, host.Log[^1] is RunCancelled);
        Assert.Equal(shutdown || what == "offered" ? [] : ["cancelled"], host.Log.OfType<ToolFailed>().Select(static f => f.Kind));
    }

    [Fact]
    public async Task A_cancel_while_citations_are_looked_up_comes_too_late_for_the_answer_that_is_there()
    {
        var search = new TestTool("search", static (_, _, _) => Task.FromResult(new ToolResult("28 days") { Citations = [new("k00000001", "handbook.pdf", null, "28 days", "doc-1")] }));
        var model = new ScriptedChatClient(asked => asked.ToolResult is null ? [Call("search", new { })] : [Say("28 days [k00000001]")]);
        var rights = new SlowRights("cited", 1);
        using var host = new EngineHost(model, TestTeams.Of(PatternKind.Direct, ["solo"], [search]), [search], new RunEngineOptions { CitedDocuments = rights });
        var attempt = host.AttemptAsync();
        await rights.Asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        host.Tell("cancel", new CancelRequested("enough", "ann"));
        rights.Answer.SetResult();

        Assert.Equal(RunExit.Final, await attempt);
        Assert.Equal("k00000001", Assert.Single(Assert.Single(host.Log.OfType<MessageCompleted>()).Citations).Id);
        Assert.IsType<RunCompleted>(host.Log[^1]);
    }

    private static InMemoryEngine Engine(IChatClient model, IRunRights rights, params Tool[] tools) => new(model, tools, new RunEngineOptions { Rights = rights });

    private sealed class Rights : IRunRights
    {
        public Func<string, bool> May { get; set; } = static _ => true;

        public Func<NewRun, Func<string, bool>>? ByRun { get; init; }

        public Func<string, bool> Approves { get; init; } = static _ => true;

        public ValueTask<Func<string, bool>> PermissionsAsync(NewRun run, CancellationToken cancellationToken) => new(ByRun?.Invoke(run) ?? May);

        public ValueTask<bool> MayApproveAsync(NewRun run, string decidedBy, Approver approver, CancellationToken cancellationToken) => new(Approves(decidedBy));
    }

    /// <summary>Everything is allowed, but one question is answered only when the test says so: as a database does that is busy, it gives up when it is told to.</summary>
    private sealed class SlowRights(string slow, int number) : IRunRights, ICitedDocuments
    {
        private int _asked;

        public TaskCompletionSource Asked { get; } = new();

        public TaskCompletionSource Answer { get; } = new();

        public async ValueTask<Func<string, bool>> PermissionsAsync(NewRun run, CancellationToken cancellationToken)
        {
            await WaitAsync("called", cancellationToken);
            return static _ => true;
        }

        public async ValueTask<Func<string, bool>> OfferedAsync(NewRun run, CancellationToken cancellationToken)
        {
            await WaitAsync("offered", cancellationToken);
            return static _ => true;
        }

        public async ValueTask<bool> MayApproveAsync(NewRun run, string decidedBy, Approver approver, CancellationToken cancellationToken)
        {
            await WaitAsync("approved", cancellationToken);
            return true;
        }

        public async ValueTask<IReadOnlySet<string>> ReadableAsync(NewRun run, IReadOnlyCollection<string> documentIds, CancellationToken cancellationToken)
        {
            await WaitAsync("cited", cancellationToken);
            return documentIds.ToHashSet(StringComparer.Ordinal);
        }

        private async ValueTask WaitAsync(string question, CancellationToken cancellationToken)
        {
            if (question == slow && ++_asked == number)
            {
                Asked.SetResult();
                await Answer.Task.WaitAsync(cancellationToken);
            }
        }
    }
}
