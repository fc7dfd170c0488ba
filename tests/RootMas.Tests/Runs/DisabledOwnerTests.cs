using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>Whatever was lost between the disabling of a user and the word to their runs: no attempt of theirs goes on.</summary>
public sealed class DisabledOwnerTests
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [Theory]
    [InlineData("ann")]
    [InlineData("ann/guest-1")]
    public async Task A_run_that_waited_when_the_process_died_ends_cancelled_without_asking_a_model(string owner)
    {
        await using var database = RunsHarness.NewDatabase();
        var before = new RunsHarness(database: database);
        await AddUserAsync(database, disabled: false);
        var id = (await before.RunAsync(Solo, "hi", owner: owner)).RunId;
        await DisableAsync(database);

        var model = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("never")]);
        await using var after = new RunsHarness(model, database: database);
        await after.StartAsync();
        var run = await after.EndAsync(id);
        Assert.Equal(RunStatus.Cancelled, run.Status);
        Assert.StartsWith("user_disabled", run.Reason, StringComparison.Ordinal);
        Assert.Equal(0, model.Calls);
    }

    [Fact]
    public async Task A_run_that_was_parked_ends_cancelled_when_it_is_woken()
    {
        await using var database = RunsHarness.NewDatabase();
        await AddUserAsync(database, disabled: false);
        var model = new ScriptedChatClient(static asked => asked.ToolResult is null ? [ScriptedChatClient.Call("ask_user", new { question = "Which?" })] : [ScriptedChatClient.Say("never")]);
        await using var h = new RunsHarness(model, database: database);
        await h.StartAsync();
        var id = (await h.RunAsync(Solo, "hi", owner: "ann")).RunId;
        await h.WaitForAsync(id, static r => r.Status == RunStatus.WaitingInput);
        await DisableAsync(database);
        await h.Verbs.AnswerAsync(id, "ann", null, "this one", null, default);
        var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal(RunStatus.Cancelled, run.Status);
        Assert.Equal(1, model.Calls);
    }

    [Fact]
    public async Task Nothing_new_begins()
    {
        await using var database = RunsHarness.NewDatabase();
        await AddUserAsync(database, disabled: true);
        await using var h = new RunsHarness(database: database);
        await h.StartAsync();
        var refused = await Assert.ThrowsAsync<ProblemException>(() => h.RunAsync(Solo, "hi", owner: "ann"));
        Assert.Equal("user_disabled", refused.Problem.Code);
    }

    private static Task<int> AddUserAsync(TestDatabase database, bool disabled) => database.Database.WriteAsync(
        async session => _ = await session.ExecuteAsync("insert into users (id, username, role, created_at, disabled_at) values ('ann', 'ann', 'user', 1, @disabled)", new { disabled = disabled ? 1L : (long?)null }),
        default);

    private static Task<int> DisableAsync(TestDatabase database) =>
        database.Database.WriteAsync(static async session => _ = await session.ExecuteAsync("update users set disabled_at = 1 where id = 'ann'"), default);
}
