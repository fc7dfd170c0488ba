using FsCheck;
using FsCheck.Fluent;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Runtime.Tools;

public sealed class LoopGuardTests
{
    private static readonly (string, string)[] NoHandoffs = [];

    private static FinishedCall Call(string tool, string arguments = "a", string result = "r", bool failed = false) => new(tool, arguments, result, failed);

    private static (string From, string To)[] PingPong(int length) => [.. Enumerable.Range(0, length).Select(i => i % 2 == 0 ? ("a", "b") : ("b", "a"))];

    [Fact]
    public void The_third_equal_call_gives_a_hint_and_the_next_stops()
    {
        var same = Call("search");
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect([same, same], NoHandoffs, 0));
        var hint = LoopGuard.Inspect([same, same, same], NoHandoffs, 0);
        Assert.Equal((LoopAction.Hint, "loop"), (hint.Action, hint.Guard));
        Assert.Contains("search", hint.Reason, StringComparison.Ordinal);
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect([same, same, same], NoHandoffs, 1));
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect([same, same, same, Call("other")], NoHandoffs, 1));
        var stop = LoopGuard.Inspect([same, same, same, Call("other"), same], NoHandoffs, 1);
        Assert.Equal((LoopAction.Stop, "loop"), (stop.Action, stop.Guard));
        Assert.Contains("4 times", stop.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tool_that_does_not_exist_has_no_name_in_what_the_system_says()
    {
        var same = Call("");
        Assert.StartsWith("You called a tool that does not exist 3 times.", LoopGuard.Inspect([same, same, same], NoHandoffs, 0).Reason, StringComparison.Ordinal);
        Assert.StartsWith("Stopped because a tool that does not exist was called 4 times, ", LoopGuard.Inspect([same, same, same, same], NoHandoffs, 1).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("other", "a", "r")]
    [InlineData("search", "b", "r")]
    [InlineData("search", "a", "new")]
    public void A_call_that_differs_in_tool_arguments_or_result_is_no_repetition(string tool, string arguments, string result) =>
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect([Call("search"), Call("search"), Call(tool, arguments, result)], NoHandoffs, 0));

    [Fact]
    public void A_loop_inside_a_parallel_batch_is_seen_when_the_batch_is_inspected()
    {
        FinishedCall[] calls = [Call("x"), Call("x"), Call("x"), Call("y")];
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect(calls, NoHandoffs, new HashSet<string>(), freshCalls: 1));
        Assert.Equal(LoopAction.Hint, LoopGuard.Inspect(calls, NoHandoffs, new HashSet<string>(), freshCalls: 4).Action);
    }

    [Fact]
    public void Repetitions_far_apart_are_no_loop()
    {
        var calls = Enumerable.Range(0, 200).Select(i => i % 30 == 0 ? Call("now") : Call("work", $"{i}")).Append(Call("now")).ToList();
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect(calls, NoHandoffs, 0));
    }

    [Theory]
    [InlineData(3, 0, LoopAction.None)]
    [InlineData(4, 0, LoopAction.Hint)]
    [InlineData(4, 1, LoopAction.None)]
    [InlineData(5, 1, LoopAction.None)]
    [InlineData(6, 1, LoopAction.Stop)]
    [InlineData(6, 0, LoopAction.Hint)]
    public void Handoffs_that_go_back_and_forth_are_hinted_then_stopped(int length, int hints, LoopAction expected)
    {
        var verdict = LoopGuard.Inspect([], PingPong(length), hints);
        Assert.Equal(expected, verdict.Action);
        Assert.Equal(expected == LoopAction.None ? "" : "ping_pong", verdict.Guard);
    }

    [Fact]
    public void Handoffs_round_a_circle_of_three_are_not_ping_pong() =>
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect([], [("a", "b"), ("b", "c"), ("c", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("a", "b")], 0));

    [Theory]
    [InlineData(3, 0, LoopAction.None)]
    [InlineData(4, 0, LoopAction.Hint)]
    [InlineData(7, 1, LoopAction.None)]
    [InlineData(8, 1, LoopAction.Stop)]
    public void A_streak_of_failing_calls_is_hinted_then_stopped(int length, int hints, LoopAction expected)
    {
        var calls = Enumerable.Range(0, length).Select(i => Call("t", $"{i}", failed: true)).Prepend(Call("t", "ok")).ToList();
        Assert.Equal(expected, LoopGuard.Inspect(calls, NoHandoffs, hints).Action);
        Assert.Equal(LoopVerdict.None, LoopGuard.Inspect([.. calls, Call("t", "fine")], NoHandoffs, hints));
    }

    [Fact]
    public void No_run_is_stopped_without_a_hint_before() => Prop.ForAll<List<(byte Tool, byte Arguments, bool Failed)>, List<bool>>((calls, moves) =>
    {
        var finished = calls.Select(c => Call($"t{c.Tool % 2}", $"{c.Arguments % 2}", failed: c.Failed)).ToList();
        var handoffs = moves.Select(m => m ? ("a", "b") : ("b", "a")).ToList();
        return LoopGuard.Inspect(finished, handoffs, 0).Action != LoopAction.Stop;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Calls_that_all_differ_and_succeed_are_never_stopped() => Prop.ForAll<byte, bool>((count, hinted) =>
        LoopGuard.Inspect(Enumerable.Range(0, count).Select(i => Call("t", $"{i}")).ToList(), NoHandoffs, hinted ? 1 : 0) == LoopVerdict.None).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_endless_repetition_is_stopped_within_the_thresholds() => Prop.ForAll<byte, byte>((period, start) =>
    {
        // A model that goes round a cycle of up to 8 calls for ever, with an inspection after each call.
        var cycle = Enumerable.Range(0, (period % 8) + 1).Select(i => Call("t", $"{i}")).ToList();
        var calls = new List<FinishedCall>();
        var hints = 0;
        for (var i = 0; i < 4 * cycle.Count + 1; i++)
        {
            calls.Add(cycle[(start + i) % cycle.Count]);
            switch (LoopGuard.Inspect(calls, NoHandoffs, hints).Action)
            {
                case LoopAction.Hint:
                    hints++;
                    break;
                case LoopAction.Stop:
                    return hints == 1;
            }
        }

        return false;
    }).QuickCheckThrowOnFailure();
}
