using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runtime;

/// <summary>Calls of models that failed are work too: limits count what they used.</summary>
public sealed class FailedCallTests
{
    [Fact]
    public async Task Calls_that_failed_count_with_what_they_used_and_are_not_made_again_beyond_the_limit()
    {
        var model = new ScriptedChatClient(static asked =>
        {
            asked.Call.Usage += new TokenUsage(3_000, 0, 10);
            throw new ModelException("unreachable", "It broke off.", retryLater: true);
        });
        var team = TestTeams.Of(PatternKind.Direct, ["solo"], change: static t => t with { Limits = new RunLimits { MaxTokens = 5_000 } });
        var all = await new InMemoryEngine(model, options: new() { MaxBackoff = TimeSpan.FromMilliseconds(20) }).AllAsync(team, "go");

        var failed = Assert.Single(all.Events<RunFailed>());
        Assert.Equal(("guard_tokens", 2, new TokenUsage(6_000, 0, 20)), (failed.Code, model.Calls, failed.Usage));
        Assert.Contains("used 6020 tokens; the limit is 5000", failed.Reason, StringComparison.Ordinal);
    }
}
