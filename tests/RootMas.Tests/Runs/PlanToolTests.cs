using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

public abstract class PlanToolTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_plan_is_read_and_changed_from_a_run_below_it()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var (plan, context) = await PlanAsync(h);
        var plans = new PlanFinder(h.Reader, h.Store, h.Snapshots);

        var read = await new PlanReadTool(plans).InvokeAsync(context, Json("{}"), default);
        Assert.StartsWith("Goal: Find it\n- a [done] researcher: Look it up", read.Text, StringComparison.Ordinal);
        Assert.Contains("depends on: a", read.Text, StringComparison.Ordinal);
        Assert.True(read.Tainted);

        var status = await new TaskStatusTool(plans).InvokeAsync(context, Json("""{"task_id":"a"}"""), default);
        Assert.Contains("found it", status.Text, StringComparison.Ordinal);
        var overview = await new TaskStatusTool(plans).InvokeAsync(context, Json("{}"), default);
        Assert.Contains("Need attention:\n- b [failed]", overview.Text, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ToolException>(() => new TaskStatusTool(plans).InvokeAsync(context, Json("""{"task_id":"z"}"""), default).AsTask());

        var update = new TaskUpdateTool(plans);
        JsonSchemaValidator.Compile(update.Definition.Schema);
        await Assert.ThrowsAsync<ToolException>(() => update.InvokeAsync(context, Json("""{"task_id":"b"}"""), default).AsTask());
        foreach (var impossible in (string[])["""{"task_id":"a","status":"dropped"}""", """{"task_id":"b","agent":"nobody"}""", """{"task_id":"b","status":"done"}"""])
        {
            await Assert.ThrowsAsync<ToolException>(() => update.InvokeAsync(context, Json(impossible), default).AsTask());
        }

        await update.InvokeAsync(context, Json("""{"task_id":"b","status":"pending","agent":"solo","deadline":"2026-03-01 15:00:00+03:00","note":"again"}"""), default);
        await update.InvokeAsync(context, Json("""{"task_id":"b","status":"pending","agent":"solo","note":"again"}"""), default); // the call repeated after a crash
        var edit = Assert.IsType<TaskEdited>(Assert.Single(await h.Store.ReadInboxAsync(plan.Id, 0, default)).Payload);
        Assert.Equal(("b", "pending", "solo", "again", "coordination"), (edit.TaskId, edit.Status, edit.Agent, edit.Note, edit.By));
        Assert.Equal(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), edit.Deadline);

        await plan.EndAsync();
        await Assert.ThrowsAsync<ToolException>(() => update.InvokeAsync(context with { IdempotencyKey = "k2" }, Json("""{"task_id":"b","note":"late"}"""), default).AsTask());
    }

    [DatabaseFact]
    public async Task Without_a_plan_the_tools_say_so_and_a_foreign_run_is_not_there()
    {
        await using var h = new RunsHarness();
        var (plan, context) = await PlanAsync(h);
        var plans = new PlanFinder(h.Reader, h.Store, h.Snapshots);
        var lonely = await h.OwnedAsync();
        Assert.StartsWith("There is no plan", (await new PlanReadTool(plans).InvokeAsync(context with { RunId = lonely.Id }, Json("{}"), default)).Text, StringComparison.Ordinal);
        Assert.StartsWith("There is no plan", (await new TaskStatusTool(plans).InvokeAsync(context with { RunId = plan.Id, OwnerId = "bob" }, Json("{}"), default)).Text, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ToolException>(() => new TaskUpdateTool(plans).InvokeAsync(context with { RunId = lonely.Id }, Json("""{"task_id":"b","note":"x"}"""), default).AsTask());
    }

    [DatabaseTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_plan_says_is_from_outside_when_the_run_that_wrote_it_had_read_from_there(bool isTainted)
    {
        await using var h = new RunsHarness();
        var (_, context) = await PlanAsync(h, new MemoryRecalled([], isTainted), foundOutside: false);
        var plans = new PlanFinder(h.Reader, h.Store, h.Snapshots);

        Assert.Equal(isTainted, (await new PlanReadTool(plans).InvokeAsync(context, Json("{}"), default)).Tainted);
        Assert.Equal(isTainted, (await new TaskStatusTool(plans).InvokeAsync(context, Json("{}"), default)).Tainted);
        Assert.Equal(isTainted, (await new TaskStatusTool(plans).InvokeAsync(context, Json("""{"task_id":"b"}"""), default)).Tainted);
    }

    private static async Task<(TestRun Plan, ToolContext Context)> PlanAsync(RunsHarness h, RunEvent? before = null, bool foundOutside = true)
    {
        var plan = await h.OwnedAsync();
        if (before is not null)
        {
            await plan.AppendAsync(RunStatus.Running, before);
        }

        await plan.AppendAsync(
            RunStatus.Running,
            new PlanCreated("Find it", [new PlanTask("a", "researcher", "Look it up", [], "found"), new PlanTask("b", "coordination", "Use it", ["a"], "used")]),
            new PlanUpdated("results", [
                new PlanTask("a", "researcher", "Look it up", [], "found", Status: "done", Result: "found it", Tainted: foundOutside),
                new PlanTask("b", "coordination", "Use it", ["a"], "used", Status: "failed", Deadline: h.Clock.GetUtcNow().AddDays(-1))], 0));
        var row = await h.Ownership.RowAsync(plan.Id, default);
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = plan.Id, ParentRunId = plan.Id, ParentKey = "c", Depth = 1, Team = "test",
            EntryAgent = "coordination", SnapshotHash = row!.SnapshotHash, Input = "task",
        };
        child = child with { Queued = NewRuns.QueuedRecord(child, TestTeams.Of(RootMas.Runtime.Teams.PatternKind.Direct, ["solo"]), h.Clock.GetUtcNow()) };
        await h.Store.AppendAsync(plan.Batch(RunStatus.Running, new ChildStarted(null, child.RunId, "coordination", "task")) with { Children = [child] }, default);
        return (plan, new ToolContext
        {
            RunId = child.RunId, RootRunId = plan.Id, OwnerId = "alice", Agent = "coordination", Call = 1, IdempotencyKey = "k1", Clock = h.Clock, Progress = static _ => { },
        });
    }

    private static JsonElement Json(string text) => JsonElement.Parse(text);
}

public sealed class PlanToolOnSqliteTests() : PlanToolTests(DatabaseKind.Sqlite);

public sealed class PlanToolOnPostgresTests() : PlanToolTests(DatabaseKind.Postgres), IOnPostgres;
