using RootMas.Runtime.Runs;
using RootMas.Server.Runs;

namespace RootMas.Tests.Runs;

/// <summary>What a retry takes over of a log that says how near a limit its run was.</summary>
public sealed class RunRetryTests
{
    [Theory]
    [InlineData("loop", 4)]
    [InlineData("steps", 1)]
    [InlineData("tokens", 1)]
    [InlineData("cost", 1)]
    [InlineData("wall_time", 1)]
    public void A_summary_that_counts_what_is_left_out_is_made_anew(string guard, int taken)
    {
        RunEvent[] log = [new GuardHinted("loop", "a"), new GuardHinted(guard, "b"), new ContextReduced(0, 2, 10, 5, "so far"), new GuardHinted("loop", "c")];
        for (var i = 0; i < log.Length; i++)
        {
            log[i].Seq = i + 1;
        }

        Assert.Equal(log.Take(taken).Select(static e => e.GetType()), RunRetry.Copy(log, 100).Select(static e => e.GetType()));
    }
}
