namespace RootMas.Runtime.Runs;

/// <summary>What a tree of runs may spend: money, tokens (input plus output), and child runs.</summary>
public readonly record struct TreeAmount(long CostMicroUsd, long Tokens, int Children = 0);

/// <summary>
/// What a run sets aside of its tree's limits before it asks a model or gives tasks, so that runs side by side do not each spend the same rest (decision 36). A run does one thing at a time and sets aside for that:
/// this takes the place of what it had set aside before, and a batch without it gives everything back.
/// </summary>
/// <param name="Wanted">The most that it can come to.</param>
/// <param name="Kept">What is set aside for it already; that stays if there is no more.</param>
/// <param name="Limits">Of the tree; zero: none (of children: zero).</param>
public sealed record TreeHold(TreeAmount Wanted, TreeAmount Kept, TreeAmount Limits)
{
    /// <summary>A part of what is left that leaves enough for runs beside this one.</summary>
    private const int Parts = 4;

    /// <summary>Set aside instead where it is no more than a quarter of what is left; nothing: there is no such wish.</summary>
    public TreeAmount Ample { get; init; }

    /// <summary>What stands in the run's row until it is decided.</summary>
    public TreeAmount First => Ample == default ? Wanted : Ample;

    /// <summary>What is wanted, if it is left. If not, whoever is alone gets the rest; with others who may give some of theirs back it pays to wait. Of children there are as many as are left.</summary>
    /// <param name="spent">By the tree, this batch included.</param>
    /// <param name="others">Set aside by the tree's other runs.</param>
    public TreeGrant Grant(TreeTotals spent, TreeAmount others)
    {
        if (Ample != default && IsPart(Ample.CostMicroUsd, Limits.CostMicroUsd, spent.CostMicroUsd + others.CostMicroUsd) && IsPart(Ample.Tokens, Limits.Tokens, spent.Tokens + others.Tokens))
        {
            return new(Ample, IsBusy: false);
        }

        var cost = Part(Wanted.CostMicroUsd, Kept.CostMicroUsd, Limits.CostMicroUsd - spent.CostMicroUsd, others.CostMicroUsd, Limits.CostMicroUsd > 0);
        var tokens = Part(Wanted.Tokens, Kept.Tokens, Limits.Tokens - spent.Tokens, others.Tokens, Limits.Tokens > 0);
        var children = Wanted.Children == 0 ? 0 : Math.Clamp(Limits.Children - spent.Children - others.Children, 0, Wanted.Children);
        return cost is { } c && tokens is { } t ? new(new(c, t, children), IsBusy: false) : new(Kept, IsBusy: true);
    }

    private static bool IsPart(long amount, long limit, long taken) => limit == 0 || amount <= (limit - taken) / Parts;

    private static long? Part(long wanted, long kept, long unspent, long others, bool isLimited)
    {
        var left = unspent - others;
        return !isLimited || wanted == 0 || left >= wanted ? wanted : others > 0 ? null : Math.Max(kept, left);
    }
}

/// <param name="Held">Set aside now.</param>
/// <param name="IsBusy">Less than was wanted, because others of the tree have set it aside: it may come back.</param>
public readonly record struct TreeGrant(TreeAmount Held, bool IsBusy);
