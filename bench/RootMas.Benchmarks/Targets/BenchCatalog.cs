namespace RootMas.Benchmarks.Targets;

/// <summary>The agents, teams and models of the bench, written as an operator would write them.</summary>
internal static class BenchCatalog
{
    private const string Teams = """
        default: one
        teams:
          one: { description: one agent, pattern: direct, entry: solo }
          tool: { description: one agent with a tool, pattern: direct, entry: tooler }
          chain: { description: five agents, pattern: handoff, entry: a1, handoffs: { a1: [a2], a2: [a3], a3: [a4], a4: [a5] } }
          fan: { description: one agent and eight tasks, pattern: direct, entry: fan, edges: { fan: [leaf] } }
          steps: { description: five steps, pattern: direct, entry: stepper }
          failover: { description: a tier whose first model fails, pattern: direct, entry: failing }
        """;

    private static readonly (string Name, string Tier, string Tools)[] Agents =
    [
        ("solo", "cheap", ""), ("tooler", "cheap", "calculator"), ("a1", "cheap", ""), ("a2", "cheap", ""), ("a3", "cheap", ""), ("a4", "cheap", ""), ("a5", "cheap", ""),
        ("fan", "cheap", ""), ("leaf", "cheap", ""), ("stepper", "cheap", "calculator"), ("failing", "standard", ""),
    ];

    public static async Task WriteAsync(string folder, string model)
    {
        var prompts = Directory.CreateDirectory(Path.Combine(folder, "prompts")).FullName;
        var agents = Agents.Select(a => $"  {a.Name}: {{ role: {a.Name}, description: agent {a.Name} of the bench, tier: {a.Tier}, tools: [{a.Tools}] }}");
        await File.WriteAllTextAsync(Path.Combine(folder, "agents.yaml"), "agents:\n" + string.Join('\n', agents) + "\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "teams.yaml"), Teams + "\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "models.yaml"), $$"""
            providers:
              sim: { base_url: "{{model}}/v1", api_key_env: BENCH_KEY }
              flaky: { base_url: "{{model}}/v1", api_key_env: BENCH_KEY, attempts: 1 }
            models:
              sim-standard: { provider: sim, price: { input: 1, output: 4 } }
              sim-flaky: { provider: flaky, price: { input: 1, output: 4 } }
            tiers: { cheap: [sim-standard], standard: [sim-flaky, sim-standard], premium: [sim-standard] }

            """);
        await File.WriteAllTextAsync(Path.Combine(prompts, "_preamble.md"), "You are an agent of a benchmark.\n");
        foreach (var (name, _, _) in Agents)
        {
            await File.WriteAllTextAsync(Path.Combine(prompts, $"{name}.md"), "Answer shortly.\n");
        }
    }
}
