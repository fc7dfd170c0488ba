using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// What the runs of a tree have set aside for model calls that are under way and for tasks that they are giving (decision 36): each has it in its row, for as long as its owner says so with every batch. A worker that dies leaves it there until the next attempt's
/// first batch, which books what of it is known to have been spent.
/// </summary>
internal static class TreeHolds
{
    /// <summary>Of runs that work or are about to. One that is parked asks nobody: what stands in its row was left by a program that knew nothing of it, and would stand there for as long as it waits.</summary>
    private const string Others = """
        SELECT CAST(COALESCE(SUM(held_micro_usd), 0) AS BIGINT), CAST(COALESCE(SUM(held_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(held_children), 0) AS BIGINT) FROM (
            SELECT held_micro_usd, held_tokens, held_children FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND id <> @id AND status IN ('running', 'queued')
            UNION ALL SELECT held_micro_usd, held_tokens, held_children FROM runs WHERE id = @root AND id <> @id AND status IN ('running', 'queued')) AS other_runs
        """;

    private const string Spent = "SELECT tree_steps, tree_children, tree_tokens, tree_cost_micro_usd FROM runs WHERE id = @id";

    private const string Set = "UPDATE runs SET held_micro_usd = @cost, held_tokens = @tokens, held_children = @children WHERE id = @id";

    /// <summary>Decides about a hold that is in the run's row already. The caller's transaction holds the root's row, so that one run of the tree after the other comes here and sees what those before it got.</summary>
    public static async ValueTask<TreeGrant> GrantAsync(DbSession session, RunIdentity run, TreeHold hold, TreeTotals spent)
    {
        if (hold.First == default)
        {
            return default; // free models, or no limits
        }

        var others = await session.Prepared(Others).Set("root", run.RootRunId).Set("id", run.RunId).FirstOrDefaultAsync(static r => new TreeAmount(r.GetInt64(0), r.GetInt64(1), (int)r.GetInt64(2)));
        var grant = hold.Grant(spent, others);
        if (grant.Held != hold.First)
        {
            await session.Prepared(Set).Set("cost", grant.Held.CostMicroUsd).Set("tokens", grant.Held.Tokens).Set("children", (long)grant.Held.Children).Set("id", run.RunId).RunAsync();
        }

        return grant;
    }

    /// <summary>The totals of the run's tree.</summary>
    public static async ValueTask<TreeTotals> SpentAsync(DbSession session, RunRow row)
    {
        var tree = row.Tree;
        if (!row.IsRoot)
        {
            await session.ReadAllAsync(ReadSpent(row.Identity.RootRunId, found => tree = found));
        }

        return tree;
    }

    /// <inheritdoc cref="SpentAsync"/>
    public static RowRead ReadSpent(string rootRunId, Action<TreeTotals> found) =>
        new(Spent, command => command.Set("id", rootRunId), row => found(new TreeTotals(row.GetInt32(0), row.GetInt32(1), row.GetInt64(2), row.GetInt64(3))));

    /// <summary>What a batch got whose answer was lost on the way.</summary>
    public static TreeGrant Read(RunRow row, TreeHold? hold) => hold is null ? default : new(row.Held, IsBusy: row.Held != hold.Wanted && row.Held != hold.First);
}
