using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;

namespace RootMas.Tests.Support;

/// <summary>Invariants I3 and I9 of a log and of what models are sent.</summary>
public static class HistoryRules
{
    /// <summary>The log is 1..n, folds, has one result per call, ends once, and its JSON is stable.</summary>
    public static void Check(IReadOnlyList<RunEvent> log)
    {
        Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i), log.Select(e => e.Seq));
        var state = RunState.Fold(log);
        var results = log.Where(e => e is ToolCompleted or ToolFailed).Select(e => e is ToolCompleted c ? c.Call : ((ToolFailed)e).Call).ToList();
        Assert.Equal(results.Count, results.Distinct().Count());
        Assert.Equal(1, log.Count(e => e is RunCompleted or RunFailed or RunCancelled));
        Assert.Empty(state.OpenCalls);
        Assert.Equal(state.Calls.Keys.Order(), results.Order());
        foreach (var e in log)
        {
            var json = RunJson.Serialize(e);
            Assert.Equal(json, RunJson.Serialize(RunJson.DeserializeEvent(json)));
        }
    }

    /// <summary>The pairing rules of OpenAI and Anthropic: every call is answered directly after the message that asks, once, and no result stands alone.</summary>
    public static void CheckPairs(IReadOnlyList<ChatMessage> messages)
    {
        var open = new List<string>();
        foreach (var message in messages)
        {
            if (message.Role == ChatRole.Tool)
            {
                foreach (var result in message.Contents.OfType<FunctionResultContent>())
                {
                    Assert.Contains(result.CallId, open);
                    open.Remove(result.CallId);
                }

                continue;
            }

            Assert.Empty(open);
            var calls = message.Contents.OfType<FunctionCallContent>().Select(c => c.CallId).ToList();
            Assert.Equal(calls.Count, calls.Distinct().Count());
            open.AddRange(calls);
        }

        Assert.Empty(open);
    }
}
