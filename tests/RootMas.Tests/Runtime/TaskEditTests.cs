using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>What becomes of a change that somebody asks for while a plan is worked on.</summary>
public sealed class TaskEditTests
{
    private const string TwoTasks = """
        {"goal":"g","tasks":[{"id":"t1","agent":"a","task":"first","depends_on":[],"done_when":"x"},
        {"id":"t2","agent":"b","task":"second","depends_on":["t1"],"done_when":"y"}]}
        """;

    private static readonly DateTimeOffset Later = new(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The first task is being worked on, by somebody who never comes to an end.</summary>
    [Theory]
    [InlineData("pending", null, null, "a a b", "done:a again|done:b saw a again")]
    [InlineData(null, "c", null, "a c b", "done:c did it|done:b saw c did it")]
    [InlineData("pending", "c", null, "a c b", "done:c did it|done:b saw c did it")]
    [InlineData("done", null, "I know it", "a b", "done:I know it|done:b saw I know it")]
    [InlineData("failed", null, "hopeless", "a", "failed:hopeless|pending:")]
    [InlineData("dropped", null, null, "a", "dropped:|pending:")]
    public async Task A_task_that_is_worked_on_takes_every_state_that_the_tool_offers(string? status, string? agent, string? note, string began, string ledger)
    {
        var run = new Planned();
        await run.StartAsync();
        Assert.True(run.Tell("edit", new TaskEdited("t1", status, note, agent, null, "coordination")));
        var events = await run.EndAsync();

        Assert.Equal(began, string.Join(' ', events.Events<ChildStarted>().Select(static c => c.ChildAgent)));
        Assert.Equal(ledger, string.Join('|', run.Ledger().Select(static t => $"{t.Status}:{t.Result}")));
        Assert.Single(events.Events<RunCompleted>());
    }

    [Fact]
    public async Task A_task_that_waits_is_given_away_with_a_deadline_of_its_own()
    {
        var run = new Planned();
        await run.StartAsync();
        Assert.True(run.Tell("edit", new TaskEdited("t2", null, "hurry", "c", Later, "coordination") { Tainted = true }));
        Assert.True(run.Tell("go on", new TaskEdited("t1", "done", "I know it", null, null, "coordination")));
        var events = await run.EndAsync();

        Assert.Equal("a c", string.Join(' ', events.Events<ChildStarted>().Select(static c => c.ChildAgent)));
        var waiting = events.Events<PlanUpdated>().First().Tasks[1];
        Assert.Equal(("pending", "c", "hurry", Later), (waiting.Status, waiting.Agent, waiting.Note, waiting.Deadline));
        Assert.Equal(Later, run.Ledger()[1].Deadline); // its beginning does not take it away
        Assert.True(events.Events<MessageCompleted>().Single().Tainted); // the note came from somebody who had read what others wrote
    }

    [Fact]
    public async Task A_change_that_cannot_be_made_leaves_the_plan_as_it_is()
    {
        var run = new Planned();
        await run.StartAsync();
        Assert.True(run.Tell("nobody", new TaskEdited("t1", null, null, "nobody", null, "coordination")));
        Assert.True(run.Tell("unknown", new TaskEdited("t9", "dropped", null, null, null, "coordination")));
        Assert.True(run.Tell("without", new TaskEdited("t1", "done", null, null, null, "coordination")));
        Assert.True(run.Tell("none", new TaskEdited("t2", "pending", null, null, null, "coordination")));
        Assert.True(run.Tell("go on", new TaskEdited("t1", "done", "I know it", null, null, "coordination")));
        Assert.True(run.Tell("too late", new TaskEdited("t1", "dropped", null, null, null, "coordination")));
        var events = await run.EndAsync();

        Assert.Single(events.Events<PlanUpdated>(), static p => p.Reason.StartsWith("task ", StringComparison.Ordinal));
        Assert.Equal("done:I know it|done:b saw I know it", string.Join('|', run.Ledger().Select(static t => $"{t.Status}:{t.Result}")));
    }

    [Fact]
    public void A_task_is_begun_three_times_at_most_and_one_that_is_late_goes_on_with_a_new_deadline()
    {
        var task = new PlanTask("t", "a", "do", [], "x", Status: "late", ChildRunId: "c", Tries: 3, Settled: true, Deadline: Later.AddDays(-9));
        Assert.Contains("tried 3 times", TaskEdits.Refusal(task, new TaskEdited("t", "pending", null, null, null, null), ["a", "b"]), StringComparison.Ordinal);
        Assert.Contains("tried 3 times", TaskEdits.Refusal(task, new TaskEdited("t", null, null, "b", null, null), ["a", "b"]), StringComparison.Ordinal);
        var more = new TaskEdited("t", null, null, null, Later, null);
        Assert.Null(TaskEdits.Refusal(task, more, []));
        Assert.Equal(task with { Status = "running", Settled = false, Deadline = Later }, TaskEdits.Apply(task, more, Later.AddDays(-1)));
        Assert.Equal("late", TaskEdits.Apply(task, more, Later).Status);
    }

    /// <summary>A plan of two tasks, the second after the first, whose first agent answers only when it is asked again.</summary>
    private sealed class Planned
    {
        private readonly InMemoryEngine _engine;
        private readonly TaskCompletionSource _asked = new();
        private readonly TaskCompletionSource _review = new();
        private readonly List<RunUpdate> _seen = [];
        private IAsyncEnumerator<RunUpdate>? _updates;
        private string _id = "";
        private int _times;

        public Planned()
        {
            _engine = new(new ScriptedChatClient(Answer)
            {
                Before = async (asked, cancellationToken) =>
                {
                    if (asked.Call.Purpose == "review")
                    {
                        await _review.Task.WaitAsync(cancellationToken);
                    }
                    else if (asked.Agent == "a" && Interlocked.Increment(ref _times) == 1)
                    {
                        _asked.SetResult();
                        await Task.Delay(Timeout.Infinite, cancellationToken);
                    }
                },
            });
        }

        public async Task StartAsync()
        {
            _updates = _engine.RunAsync(TestTeams.Of(PatternKind.Plan, ["meta", "a", "b", "c"]), "do it").GetAsyncEnumerator();
            while (_seen.Events<ChildStarted>().Count == 0)
            {
                Assert.True(await _updates.MoveNextAsync());
                _seen.Add(_updates.Current);
            }

            _id = _seen.Events<ChildStarted>()[0].RunId;
            await _asked.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }

        public bool Tell(string key, TaskEdited edit) => _engine.Journal.Tell(_id, key, edit);

        /// <summary>The planner is not let to its judgement before the run whose task was taken from it has ended: that, and not the end of the plan, is what ends it.</summary>
        public async Task<List<RunUpdate>> EndAsync()
        {
            await using var updates = _updates!;
            var first = _seen.Events<ChildStarted>()[0].ChildRunId;
            await Support.Wait.UntilAsync(() => _engine.Journal.EventsOf(first)[^1] is RunCancelled);
            _review.SetResult();
            while (await updates.MoveNextAsync())
            {
                _seen.Add(updates.Current);
            }

            return _seen;
        }

        public IReadOnlyList<PlanTask> Ledger() => RunState.Fold(_engine.Journal.EventsOf(_id)).Plan!.Tasks;

        private static IEnumerable<Microsoft.Extensions.AI.AIContent> Answer(Asked asked) => asked.Call.Purpose switch
        {
            "plan" => [Say(TwoTasks)],
            "review" => [Say("""{"verdict":"done","summary":"ok"}""")],
            _ => [Say(asked.Agent switch
            {
                "a" => "a again",
                "c" when !asked.LastText.Contains("Result of task", StringComparison.Ordinal) => "c did it",
                _ => $"{asked.Agent} saw {asked.LastText.Split('\n')[^1]}",
            })],
        };
    }
}
