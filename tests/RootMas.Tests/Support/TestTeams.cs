using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Support;

/// <summary>Small teams for tests of the runtime.</summary>
public static class TestTeams
{
    public static TeamSnapshot Of(PatternKind pattern, IEnumerable<string> agents, IEnumerable<Tool>? tools = null, Func<Team, Team>? change = null)
    {
        var names = agents.ToList();
        var all = (tools ?? []).ToList();
        var team = new Team { Name = "test", Pattern = pattern, Entry = names[0], Members = names };
        return new()
        {
            Team = change?.Invoke(team) ?? team,
            Agents = names.ToDictionary(
                n => n,
                n => new Agent { Name = n, Instructions = $"You are {n}.", Description = $"Does {n} things.", Tools = [.. all.Select(t => t.Name), "ask_user"], Version = "v1" }),
            Tools = all.ToDictionary(t => t.Name, t => t.Definition),
        };
    }

    public static async Task<List<RunUpdate>> AllAsync(this InMemoryEngine engine, TeamSnapshot team, RunInput input)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var list = new List<RunUpdate>();
        await foreach (var update in engine.RunAsync(team, input, limit.Token))
        {
            list.Add(update);
        }

        return list;
    }

    public static List<T> Events<T>(this IEnumerable<RunUpdate> updates)
        where T : RunEvent => [.. updates.Select(u => u.Event).OfType<T>()];

    /// <summary>Waits for the first update that fits, reading a run in the background.</summary>
    public static async Task<T> FirstAsync<T>(this IAsyncEnumerator<RunUpdate> updates)
        where T : RunEvent
    {
        while (await updates.MoveNextAsync())
        {
            if (updates.Current.Event is T found)
            {
                return found;
            }
        }

        throw new InvalidOperationException($"The run ended without {typeof(T).Name}.");
    }
}
