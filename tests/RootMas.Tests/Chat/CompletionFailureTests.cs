using RootMas.Server.Chat.OpenAi;
using RootMas.Server.Models;

namespace RootMas.Tests.Chat;

/// <summary>How a run's failure is told by the OpenAI-compatible API: never a 5xx for what the caller can change.</summary>
public sealed class CompletionFailureTests
{
    [Theory]
    [InlineData("guard_steps", 400, "guard_steps")]
    [InlineData("guard_tokens", 400, "guard_tokens")]
    [InlineData("guard_cost", 400, "guard_cost")]
    [InlineData("guard_wall_time", 400, "guard_wall_time")]
    [InlineData("guard_loop", 400, "guard_loop")]
    [InlineData("guard_failing_calls", 400, "guard_failing_calls")]
    [InlineData("model_budget", 429, "model_budget")]
    [InlineData("no_answer", 500, "no_answer")]
    [InlineData("worker_lost", 500, "worker_lost")]
    [InlineData("internal", 500, "internal")]
    [InlineData(null, 500, "run_failed")]
    public void A_failure_has_the_status_of_whose_fault_it_is(string? code, int status, string shown)
    {
        var problem = CompletionAnswers.Failed("r1", code, "It went wrong.");
        Assert.Equal((status, shown), (problem.Status, problem.Code));
        Assert.Contains("r1", problem.Detail, StringComparison.Ordinal);
    }

    /// <summary>The codes as <c>ModelStep</c> makes them, of every failure that a model can have.</summary>
    [Fact]
    public void Every_failure_of_a_model_has_its_status()
    {
        var shown = Enum.GetValues<FailureKind>().Select(static kind => EndpointException.NameOf(kind)).Distinct(StringComparer.Ordinal)
            .ToDictionary(static name => name, static name => CompletionAnswers.Failed("r1", "model_" + name, null), StringComparer.Ordinal);
        Assert.Equal(
            new SortedDictionary<string, (int, string)>(StringComparer.Ordinal)
            {
                ["auth"] = (500, "model_auth"),
                ["bad_request"] = (400, "model_bad_request"),
                ["budget"] = (429, "model_budget"),
                ["content_filter"] = (400, "content_filter"),
                ["credit"] = (500, "model_credit"),
                ["context_length"] = (400, "context_length_exceeded"),
                ["invalid_answer"] = (500, "model_invalid_answer"),
                ["rate_limited"] = (500, "model_rate_limited"),
                ["server_error"] = (500, "model_server_error"),
                ["timeout"] = (500, "model_timeout"),
                ["unreachable"] = (500, "model_unreachable"),
            },
            new SortedDictionary<string, (int, string)>(shown.ToDictionary(static s => s.Key, static s => (s.Value.Status, s.Value.Code)), StringComparer.Ordinal));
    }
}
