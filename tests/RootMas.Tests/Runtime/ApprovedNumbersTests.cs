using System.Globalization;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>A person approved a number that a double would round: it runs as it was, and no neighbour of it does.</summary>
public sealed class ApprovedNumbersTests
{
    private const string Account = "1234567890123456789";

    [Theory]
    [InlineData(Account, 1)]
    [InlineData("1234567890123456788", 0)]
    public async Task Only_the_very_number_that_was_approved_runs(string approved, int calls)
    {
        var pay = new PayTool();
        var log = await ApproveAsync(pay, (run, agent) => ApprovalHash.Compute(run, 1, "pay", "1", agent, "local", null, null, Arguments(approved)));
        Assert.Equal(calls, pay.Accounts.Count);
        Assert.All(pay.Accounts, static a => Assert.Equal(Account, a));
        Assert.Equal(1 - calls, log.OfType<ToolFailed>().Count(static f => f.Kind == "not_allowed"));
    }

    [Fact]
    public async Task What_waited_before_numbers_were_hashed_exactly_runs_when_it_is_approved()
    {
        var pay = new PayTool();
        await ApproveAsync(pay, static (run, agent) => ApprovalHash.ComputeRounded(run, 1, "pay", "1", agent, "local", null, null, Arguments(Account)));
        Assert.Equal(Account, Assert.Single(pay.Accounts));
    }

    /// <summary>A run that asks, waits with this hash in its log, and goes on from there in another attempt.</summary>
    private static async Task<IReadOnlyList<RunEvent>> ApproveAsync(PayTool pay, Func<string, string, string> hash)
    {
        var model = new ScriptedChatClient(asked => asked.ToolResult is { } r ? [Say(r)] : [Call("pay", new { account = long.Parse(Account, CultureInfo.InvariantCulture) })]);
        using var host = new EngineHost(model, TestTeams.Of(PatternKind.Direct, ["solo"], [pay]), [pay], journal: inner => new HashedJournal(inner, hash));
        Assert.Equal(RunExit.Parked, await host.AttemptAsync());
        host.Tell("decided", new ApprovalDecided(Assert.Single(host.Log.OfType<ApprovalRequested>()).ApprovalId, true, "ann", null));
        Assert.Equal(RunExit.Final, await host.AttemptAsync());
        return host.Log;
    }

    private static JsonElement Arguments(string account) => JsonElement.Parse($$"""{"account":{{account}}}""");

    /// <summary>Writes approvals with a hash of the test's.</summary>
    private sealed class HashedJournal(InMemoryRunJournal inner, Func<string, string, string> hash) : IRunJournal
    {
        public ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken) => inner.AppendAsync(
            append with
            {
                Events = [.. append.Events.Select(e => e.Event is ApprovalRequested asked ? e with { Event = asked with { ArgumentsHash = hash(append.RunId, asked.Agent!) } } : e)],
            },
            cancellationToken);

        public ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken) => inner.ReadInboxAsync(runId, after, cancellationToken);

        public ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows) => inner.KeepAsync(rows);
    }

    private sealed class PayTool : Tool
    {
        public List<string> Accounts { get; } = [];

        public override ToolDefinition Definition { get; } = new("pay", "Pays.", """{"type":"object","properties":{"account":{"type":"integer"}},"required":["account"],"additionalProperties":false}""", "1");

        public override ToolEffect Effect => ToolEffect.Unsafe;

        public override ApprovalRule Approval => ApprovalRule.Always;

        public override ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
        {
            Accounts.Add(arguments.GetProperty("account").GetRawText());
            return ValueTask.FromResult(new ToolResult("Paid."));
        }
    }
}
