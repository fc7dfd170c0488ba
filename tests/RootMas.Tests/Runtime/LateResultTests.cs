using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>A task of a plan that ends after its deadline, while the coordinator is being asked about it.</summary>
public sealed class LateResultTests
{
    private const string TwoTasks = """
        {"goal":"g","tasks":[{"id":"t1","agent":"a","task":"first","depends_on":[],"done_when":"x","deadline_seconds":60},
        {"id":"t2","agent":"b","task":"second","depends_on":["t1"],"done_when":"y"}]}
        """;

    [Theory]
    [InlineData("drop")]
    [InlineData("retry")]
    public async Task What_a_late_task_found_while_the_coordinator_thought_about_it_stands(string action)
    {
        var (thinking, decide) = (new TaskCompletionSource(), new TaskCompletionSource());
        var model = new ScriptedChatClient(asked => asked.Call.Purpose switch
        {
            "plan" => [Say(TwoTasks)],
            "coordinate" => [Say($$"""{"decisions":[{"task":"t1","action":"{{action}}","reason":"it takes too long"}]}""")],
            _ => [Say("""{"verdict":"done","summary":"ok"}""")],
        })
        {
            Before = async (asked, ct) =>
            {
                if (asked.Call.Purpose == "coordinate")
                {
                    thinking.SetResult();
                    await decide.Task.WaitAsync(ct);
                }
            },
        };
        using var host = new EngineHost(model, TestTeams.Of(PatternKind.Plan, ["meta", "a", "b", "coordination"], change: static t => t with { Coordinator = "coordination" }), []);
        Assert.Equal(RunExit.Parked, await host.AttemptAsync());
        host.Tell("late", new TimerDue(DateTimeOffset.MaxValue));
        var attempt = host.AttemptAsync();
        await thinking.Task.WaitAsync(TimeSpan.FromMinutes(1));
        End(host, "a did it");
        decide.SetResult();
        Assert.Equal(RunExit.Parked, await attempt);
        End(host, "b did it");
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal(["t1", "t2"], host.Log.OfType<ChildStarted>().Select(static c => c.TaskId!));
        Assert.Equal([("done", "a did it"), ("done", "b did it")], host.Log.OfType<PlanUpdated>().Last().Tasks.Select(static t => (t.Status, t.Result!)));
        Assert.IsType<RunCompleted>(host.Log[^1]);
    }

    /// <summary>The newest child run ends.</summary>
    private static void End(EngineHost host, string result)
    {
        var child = host.Log.OfType<ChildStarted>().Last();
        host.Tell(child.ChildRunId, new ChildEnded(child.ChildRunId, "completed", result, Tainted: false, Money.Zero));
    }
}
