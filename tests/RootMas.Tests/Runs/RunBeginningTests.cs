using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

/// <summary>The first moments of a run in its worker.</summary>
public abstract class RunBeginningTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseFact]
    public async Task A_bug_while_the_run_is_still_being_written_ends_it_too()
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static _ => throw new InvalidOperationException("secret text")));
        await h.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            var accepted = await h.RunAsync(Solo, "hi", branch: "b", atOnce: true);
            Assert.Equal((RunStatus.Failed, "internal"), await h.EndAsync(accepted.RunId) is var run ? (run.Status, run.ErrorCode) : default);
        }
    }

    [DatabaseFact]
    public async Task A_run_that_is_brought_again_while_it_works_goes_on_counting_for_its_user()
    {
        var go = new TaskCompletionSource();
        await using var h = new RunsHarness(new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) }, options: new RunsOptions { RootRunsPerUser = 1 });
        await h.StartAsync();
        var first = await h.RunAsync(Solo, "x", atOnce: true);
        h.Worker.Enqueue(new ReadyRun(first.RunId, "alice", IsRoot: true, IsFresh: false, IsBackground: false));
        await Support.Wait.UntilAsync(() => h.Worker is { QueueLength: 0, IsBeginning: false });
        var second = await h.RunAsync(Solo, "y", atOnce: true);
        Assert.Equal((RunStatus.Running, RunStatus.Queued), (first.Status, second.Status));
        go.SetResult();
        Assert.Equal(RunStatus.Completed, (await h.EndAsync(first.RunId)).Status);
        Assert.Equal(RunStatus.Completed, (await h.EndAsync(second.RunId)).Status);
    }
}

public sealed class RunBeginningOnSqliteTests() : RunBeginningTests(DatabaseKind.Sqlite);

public sealed class RunBeginningOnPostgresTests() : RunBeginningTests(DatabaseKind.Postgres), IOnPostgres;
