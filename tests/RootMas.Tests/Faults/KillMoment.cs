using RootMas.LlmSimulator;

namespace RootMas.Tests.Faults;

/// <summary>When the process is killed: while a call of the model or of a tool is held, or while the run waits for a person.</summary>
/// <param name="Hold">Null: while it waits for a person.</param>
/// <param name="Status">What one of the runs is then; null: whatever it is.</param>
internal sealed record KillMoment(string Name, HoldSpec? Hold, string? Status = null)
{
    private static readonly string[] Tools = ["look", "idempotent", "order"];

    /// <summary>The kinds of moments, each at a place of the seed's choice. Those before and after a tool's effect stand side by side.</summary>
    private static IEnumerable<KillMoment> All(Random random) =>
    [
        .. Enum.GetValues<HoldPoint>().Select(at => Answer(ThirteenAgents.Answers[random.Next(ThirteenAgents.Answers.Length)], at)),
        new("while it waits for its children", new HoldSpec { Rule = "specialist", Call = 1 }, "waiting_children"),
        .. Tools.SelectMany(static tool => (KillMoment[])[Tool(tool, HoldPoint.Before), Tool(tool, HoldPoint.After)]),
        new("while it waits for an approval", null, "waiting_approval"),
        new("while it waits for an answer", null, "waiting_input"),
        Answer("handoff", (HoldPoint)random.Next(3)),
        Answer("final", (HoldPoint)random.Next(3)),
    ];

    /// <summary>Every second one, so that two seeds have all of them.</summary>
    public static IReadOnlyList<KillMoment> HalfOf(int seed) => [.. All(new Random(seed)).Where((_, i) => i % 2 == seed % 2)];

    /// <summary>Any of them. An order that was in doubt once is not made again, so there is one moment for it.</summary>
    public static IReadOnlyList<KillMoment> SomeOf(int seed)
    {
        var random = new Random(seed);
        var some = All(random).Where(_ => random.Next(2) == 0).ToList();
        return [.. some.Where(m => !(m.Hold is { Tool: "order", At: HoldPoint.After } && some.Exists(static o => o.Hold is { Tool: "order", At: HoldPoint.Before })))];
    }

    private static KillMoment Answer(string rule, HoldPoint at) => new($"model {rule} {at}", new HoldSpec { Rule = rule, At = at, Call = 1 });

    private static KillMoment Tool(string tool, HoldPoint at) => new($"tool {tool} {at}", new HoldSpec { Tool = tool, At = at, Call = 1 });
}
