using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>Starts the run of thirteen agents, kills its process at the moments that were chosen, and is the person whom the run asks meanwhile.</summary>
internal sealed class MomentKiller(FaultWorld world, IReadOnlyList<KillMoment> moments)
{
    private readonly List<(KillMoment Moment, SimHold? Hold)> _left = [.. moments.Select(m => (m, m.Hold is null ? null : world.Sim.Hold(m.Hold)))];

    /// <summary>The moments that were reached and in which it was killed.</summary>
    public List<string> Killed { get; } = [];

    public int Approved { get; private set; }

    public int Resolved { get; private set; }

    /// <summary>The runs of the tree when all is done, the root first.</summary>
    public async Task<IReadOnlyList<JsonElement>> RunAsync()
    {
        var id = await world.AskAsync(new { message = "ask everybody", team = "thirteen" });
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        while (true)
        {
            var tree = await TreeAsync(id);
            if (await KillAsync(tree))
            {
                continue;
            }

            if (Status(tree[0]) == "completed")
            {
                return tree;
            }

            Assert.False(limit.IsCancellationRequested, $"left: {string.Join(", ", _left.Select(static l => l.Moment.Name))}\n{tree[0]}\n{world.Server.Stdout}");
            Assert.All(tree, static r => Assert.False(Status(r) is "failed" or "cancelled", r.ToString()));
            await AnswerAsync(tree);
            await Task.Delay(20);
        }
    }

    /// <summary>Whether the run was at one of the moments, or at several. What is held stays so until the process is dead.</summary>
    private async Task<bool> KillAsync(IReadOnlyList<JsonElement> tree)
    {
        var reached = _left.FindAll(l => l.Hold?.Reached.IsCompleted != false && (l.Moment.Status is not { } status || tree.Any(r => Status(r) == status)));
        if (reached.Count == 0)
        {
            return false;
        }

        await world.KillAndRestartAsync();
        foreach (var (moment, _) in reached.Where(static l => l.Hold is null))
        {
            Assert.Contains(await TreeAsync(Id(tree[0])), r => Status(r) == moment.Status); // it still waits
        }

        Killed.AddRange(reached.Select(static l => l.Moment.Name));
        _left.RemoveAll(reached.Contains);
        return true;
    }

    private async Task AnswerAsync(IReadOnlyList<JsonElement> tree)
    {
        foreach (var run in tree)
        {
            switch (Status(run))
            {
                case "waiting_approval":
                    await world.ApproveAsync(Id(run));
                    Approved++;
                    await LeavesAsync(run);
                    break;
                case "waiting_input":
                    await world.PostAsync($"/api/v1/runs/{Id(run)}/input", new { text = "for seven" }, HttpStatusCode.Accepted);
                    await LeavesAsync(run);
                    break;
                case "needs_review":
                    await ResolveAsync(Id(run));
                    await LeavesAsync(run);
                    break;
            }
        }
    }

    /// <summary>The person looks whether the order was placed, places it where it was not, and says so.</summary>
    private async Task ResolveAsync(string id)
    {
        var orders = world.Sim.ToolCounts["order"];
        Assert.Equal(1, orders.Requests);
        if (orders.Effects == 0)
        {
            using var http = new HttpClient();
            using var placed = await http.PostAsync(new Uri($"{world.Sim.BaseUrl}/_tool/order"), null);
            placed.EnsureSuccessStatusCode();
        }

        await world.PostAsync($"/api/v1/runs/{id}/resolve", new { call_id = "call_3", outcome = "done", result = "The order was placed." }, HttpStatusCode.Accepted);
        Resolved++;
    }

    /// <summary>What was answered is not answered again.</summary>
    private Task LeavesAsync(JsonElement run) =>
        Wait.UntilAsync(async id => Status(await world.RunAsync(id)) != Status(run), Id(run), "The run did not go on");

    private async Task<IReadOnlyList<JsonElement>> TreeAsync(string id)
    {
        List<JsonElement> all = [JsonElement.Parse(await world.Server.Http.GetStringAsync($"/api/v1/runs/{id}?tree=1"))];
        for (var i = 0; i < all.Count; i++)
        {
            all.AddRange(all[i].GetProperty("children").EnumerateArray());
        }

        return all;
    }

    private static string Status(JsonElement run) => run.GetProperty("status").GetString()!;

    private static string Id(JsonElement run) => run.GetProperty("id").GetString()!;
}
