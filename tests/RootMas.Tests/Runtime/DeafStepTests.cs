using System.Diagnostics;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>Tools that do not stop when they are told to, and models that never end: the run goes on without them.</summary>
public sealed class DeafStepTests
{
    private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ToolResult> _never = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Action<string> _progress = static _ => { };

    [Fact]
    public async Task A_deaf_call_that_changes_nothing_ends_with_its_time()
    {
        var tool = Deaf(TimeSpan.FromMilliseconds(100));
        var model = new ScriptedChatClient(static asked => asked.ToolResult is { } result ? [Say(result)] : [Call("deaf", new { })]);
        var all = await new InMemoryEngine(model, [tool]).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go");

        Assert.Equal("timeout", Assert.Single(all.Events<ToolFailed>()).Kind);
        Assert.Contains("did not answer within", Assert.Single(all.Events<MessageCompleted>()).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deaf_call_that_changes_something_is_in_doubt_and_what_it_says_later_is_not_heard()
    {
        var tool = Deaf(TimeSpan.FromMilliseconds(100)).With(ToolEffect.Unsafe);
        var model = new ScriptedChatClient(static asked => asked.ToolResult is { } result ? [Say(result)] : [Call("deaf", new { })]);
        var engine = new InMemoryEngine(model, [tool]);
        await using var updates = engine.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go").GetAsyncEnumerator();
        var review = await updates.FirstAsync<RunNeedsReview>();
        _progress("still at it");
        _never.SetException(new InvalidOperationException("too late"));
        engine.Journal.Tell(review.RunId, "r", new ReviewDecided(review.Call, "done", "It was sent.", "me"));

        var rest = new List<RunUpdate>();
        while (await updates.MoveNextAsync())
        {
            rest.Add(updates.Current);
        }

        Assert.Contains("It was sent.", Assert.Single(rest.Events<MessageCompleted>()).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(rest, static u => u.Piece is ToolProgress);
    }

    [Theory]
    [InlineData(ToolEffect.Read, "cancelled")]
    [InlineData(ToolEffect.Idempotent, "interrupted")]
    [InlineData(ToolEffect.Unsafe, "in_doubt")]
    public async Task A_run_with_a_deaf_call_is_cancelled_all_the_same(ToolEffect effect, string kind)
    {
        var tool = Deaf(TimeSpan.FromMinutes(10)).With(effect);
        var engine = new InMemoryEngine(new ScriptedChatClient(static _ => [Call("deaf", new { })]), [tool]);
        await using var updates = engine.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go").GetAsyncEnumerator();
        var run = (await updates.FirstAsync<ToolStarted>()).RunId;
        await _entered.Task;
        var since = Stopwatch.GetTimestamp();
        engine.Journal.Tell(run, "cancel", new CancelRequested("Enough.", "me"));
        Assert.Equal(kind, (await updates.FirstAsync<ToolFailed>()).Kind);
        await updates.FirstAsync<RunCancelled>();
        Assert.True(Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(5), "the promise is one second; five times that on a loaded machine");
        HistoryRules.Check(engine.Journal.EventsOf(run));
    }

    [Fact]
    public async Task A_model_that_never_ends_is_stopped_by_the_limit_of_time()
    {
        var model = new ScriptedChatClient(static _ => [Say("never")]) { Before = static (_, stop) => Task.Delay(System.Threading.Timeout.Infinite, stop) };
        var team = TestTeams.Of(PatternKind.Direct, ["solo"], change: static t => t with { Limits = new() { MaxWallSeconds = 3 } });
        var all = await new InMemoryEngine(model).AllAsync(team, "go");

        Assert.Equal("guard_wall_time", Assert.Single(all.Events<RunFailed>()).Code);
        Assert.Equal((1, "cancelled"), (model.Calls, Assert.Single(all.Events<ModelFailed>()).ErrorClass));
    }

    private TestTool Deaf(TimeSpan timeout) => new TestTool("deaf", (context, _, _) =>
    {
        _progress = context.Progress;
        _entered.TrySetResult();
        return _never.Task;
    }).With(timeout: timeout);
}
