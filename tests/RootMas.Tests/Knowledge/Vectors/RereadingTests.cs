using System.Collections.Concurrent;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Tests.Knowledge.Vectors;

public sealed class RereadingTests
{
    private static readonly Guid[] Ids = [.. Enumerable.Range(0, 4).Select(static _ => Guid.NewGuid())];

    [Fact]
    public async Task Who_comes_while_a_round_runs_shares_the_next_one()
    {
        var (rounds, began, go) = (new ConcurrentQueue<Guid[]>(), new TaskCompletionSource(), new TaskCompletionSource());
        var reading = new Rereading(async (_, ids, _) =>
        {
            rounds.Enqueue([.. ids]);
            began.TrySetResult();
            await go.Task;
        });
        var first = reading.ReadAsync("a", [Ids[0]]);
        await began.Task;
        Task[] others = [reading.ReadAsync("a", [Ids[1]]), reading.ReadAsync("a", [Ids[0], Ids[2]])];
        Assert.Single(rounds);
        go.SetResult();
        await first;
        await Task.WhenAll(others);
        Assert.Equal([[Ids[0]], [.. Ids[..3].Order()]], rounds.Select(static r => r.Order().ToArray()));
    }

    [Fact]
    public async Task A_round_that_fails_fails_those_who_wait_for_it_and_no_later_one()
    {
        var reading = new Rereading(static (space, _, _) => space == "bad" ? throw new InvalidOperationException(space) : Task.CompletedTask);
        await Assert.ThrowsAsync<InvalidOperationException>(() => reading.ReadAsync("bad", [Ids[0]]));
        await reading.ReadAsync("good", [Ids[1]]);
    }

    [Fact]
    public async Task What_is_changed_while_a_round_runs_is_not_taken_from_it_but_from_the_next()
    {
        var (taken, began, go) = (new ConcurrentQueue<Guid>(), new TaskCompletionSource(), new TaskCompletionSource());
        var reading = new Rereading(async (space, ids, since) =>
        {
            began.TrySetResult();
            await go.Task;
            foreach (var id in ids.Where(id => !since.Has(space, id)))
            {
                taken.Enqueue(id);
            }
        });
        reading.Changed("a", [Ids[0]]); // before it began: it reads what is there now
        var first = reading.ReadAsync("a", Ids[..2]);
        await began.Task;
        reading.Changed("a", [Ids[1]]);
        reading.Changed("b", [Ids[0]]);
        var second = reading.ReadAsync("a", [Ids[1]]);
        go.SetResult();
        await first;
        await second;
        Assert.Equal([Ids[0], Ids[1]], taken);
    }
}
