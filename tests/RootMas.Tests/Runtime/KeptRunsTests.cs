using System.Runtime.CompilerServices;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>What the runtime as a library keeps of runs that have ended.</summary>
public sealed class KeptRunsTests
{
    [Fact]
    public async Task Of_runs_that_have_ended_the_newest_are_kept_with_those_below_them()
    {
        var engine = new InMemoryEngine(Delegating());
        engine.Journal.KeepEnded = 2;
        List<string> roots = [];
        for (var i = 0; i < 4; i++)
        {
            roots.Add((await engine.AllAsync(Pair(), "go")).Events<RunQueued>()[0].RunId);
        }

        Assert.Equal(4, engine.Journal.Runs().Count);
        Assert.All(roots.Take(2), gone => Assert.Throws<KeyNotFoundException>(() => engine.Journal.EventsOf(gone)));
        Assert.All(roots.Skip(2), kept => Assert.IsType<RunCompleted>(engine.Journal.EventsOf(kept)[^1]));

        engine.Journal.KeepEnded = 0;
        Assert.Empty(engine.Journal.Runs());
        Assert.Single((await engine.AllAsync(Pair(), "go")).Events<RunCompleted>());
        Assert.Empty(engine.Journal.Runs());
    }

    [Fact]
    public async Task What_waits_is_not_forgotten_and_what_has_ended_is()
    {
        var model = new ScriptedChatClient(static asked => asked.ToolResult is { } answer ? [Say(answer)] : [Call("ask_user", new { question = "Which?" })]);
        var engine = new InMemoryEngine(model);
        await using var updates = engine.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), "go").GetAsyncEnumerator();
        var question = await updates.FirstAsync<InputRequested>();
        Assert.False(engine.Journal.Forget(question.RunId));

        engine.Journal.Tell(question.RunId, "input", new InputGiven(question.Call, "blue", "me"));
        await updates.FirstAsync<RunCompleted>();
        Assert.True(engine.Journal.Forget(question.RunId));
        Assert.False(engine.Journal.Forget(question.RunId));
        Assert.Empty(engine.Journal.Runs());
    }

    [Fact]
    public async Task A_team_is_given_back_when_its_runs_have_ended()
    {
        var model = Delegating();
        var engine = new InMemoryEngine(model);
        var team = await WorkAsync(engine);
        model.Log.Clear();
        await Support.Wait.UntilAsync(() =>
        {
            GC.Collect();
            return !team.IsAlive;
        });
        GC.KeepAlive(engine);
    }

    /// <summary>In a method of its own, whose locals are gone with it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> WorkAsync(InMemoryEngine engine)
    {
        var team = Pair();
        Assert.Single((await engine.AllAsync(team, "go")).Events<RunCompleted>());
        return new WeakReference(team);
    }

    private static TeamSnapshot Pair() => TestTeams.Of(PatternKind.Direct, ["lead", "a"], change: static t => t with { Edges = [new("lead", "a")] });

    private static ScriptedChatClient Delegating() => new(static asked => asked.Agent == "a" ? [Say("done")]
        : asked.ToolResult is { } result ? [Say("So: " + result)]
        : [Call("delegate", new { agent = "a", task = "work" })]);
}
