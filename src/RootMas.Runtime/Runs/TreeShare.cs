using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Runtime.Runs;

/// <summary>
/// A model call's part of what its tree may still spend, where other runs of the tree may be asking at the same time (decision 36). It is set aside with the batch that begins the call, so that it takes no further commit.
/// </summary>
internal sealed class TreeShare
{
    private readonly RunAttempt _run;
    private readonly ModelCall _call;
    private readonly TreeAmount _limits;
    private TreeAmount _held;

    private TreeShare(RunAttempt run, ModelCall call, TreeAmount limits)
    {
        (_run, _call, _limits) = (run, call, limits);
        First = new TreeHold(default, default, limits);
    }

    /// <summary>What to set aside before the call begins.</summary>
    public TreeHold First { get; private set; }

    /// <summary>Null: nobody else spends, so what the run knows is exact.</summary>
    public static TreeShare? Of(RunAttempt run, ModelCall call, IReadOnlyList<ChatMessage> messages, ChatOptions options)
    {
        if (IsAlone(run))
        {
            return null;
        }

        var limits = new TreeAmount(Math.Max(0, run.Limits.MaxCostMicroUsd), Math.Max(0, run.Limits.MaxTokens));
        var share = new TreeShare(run, call, limits);
        share.Begin(messages, options);
        return share;
    }

    /// <summary>What is set aside now: a batch in the midst of the call says it again.</summary>
    public TreeHold Unchanged => new(_held, _held, _limits);

    /// <summary>Before a run gives tasks: how many it still may, decided for all runs of the tree one after the other, in a commit of its own. Nothing where nobody else can give any.</summary>
    public static async ValueTask ReserveChildrenAsync(RunAttempt run, int wanted)
    {
        run.ChildRoom = null;
        if (wanted > 0 && !IsLast(run))
        {
            run.ChildRoom = (await run.SetAsideAsync(new TreeHold(new(0, 0, wanted), default, new(0, 0, run.Limits.MaxChildren)))).Held.Children;
        }
    }

    /// <summary>False: others have set it aside, and the call has to wait.</summary>
    public bool Take(TreeGrant grant)
    {
        _held = grant.Held;
        if (First.Wanted.CostMicroUsd > 0 || _held.CostMicroUsd > 0)
        {
            _call.Budget = new Money(_held.CostMicroUsd); // else it asks a free model, or one of unknown price
        }

        return !grant.IsBusy;
    }

    private static bool IsAlone(RunAttempt run) => run.Run.ParentRunId is null && run.Tree.Children == 0;

    /// <summary>A root whose subtasks have all ended.</summary>
    private static bool IsLast(RunAttempt run) => run.Run.ParentRunId is null && run.State.Children.Values.All(static c => c.Ended);

    private void Begin(IReadOnlyList<ChatMessage> messages, ChatOptions options)
    {
        // A root whose subtasks have all ended is alone but for what those may have left behind: it takes the rest, and its answer may be as long as that allows.
        if (IsLast(_run))
        {
            First = First with { Wanted = Limited(new(Math.Max(0, _limits.CostMicroUsd - _run.Tree.CostMicroUsd), Math.Max(0, _limits.Tokens - _run.Tree.Tokens))) };
            return;
        }

        if (_limits == default)
        {
            return; // nothing to keep within: no answer is cut
        }

        var (most, longest) = _run.Parts.Options.MostOf(messages, options);
        First = First with { Wanted = Limited(most), Ample = Limited(longest ?? default) };
        _call.SetAside = RaiseAsync;
    }

    /// <summary>For a model that may cost more than the first one, or for one after it.</summary>
    private async ValueTask<TreeRoom> RaiseAsync(TreeAmount most, TreeAmount? longest)
    {
        var wanted = Limited(most);
        var ample = longest is { } amount ? Limited(amount) : (TreeAmount?)null;
        if (IsHeld(ample))
        {
            return TreeRoom.Ample;
        }

        if (wanted != First.Wanted && !IsHeld(wanted))
        {
            var hold = new TreeHold(AtLeastHeld(wanted), _held, _limits) { Ample = ample is { } a ? AtLeastHeld(a) : default };
            if (!Take(await _run.SetAsideAsync(hold)))
            {
                return TreeRoom.None;
            }
        }

        return IsHeld(ample) ? TreeRoom.Ample : TreeRoom.Limited;
    }

    private bool IsHeld(TreeAmount? amount) => amount is { } a && a.CostMicroUsd <= _held.CostMicroUsd && a.Tokens <= _held.Tokens;

    private TreeAmount AtLeastHeld(TreeAmount amount) => new(Math.Max(amount.CostMicroUsd, _held.CostMicroUsd), Math.Max(amount.Tokens, _held.Tokens));

    private TreeAmount Limited(TreeAmount amount) => new(_limits.CostMicroUsd > 0 ? amount.CostMicroUsd : 0, _limits.Tokens > 0 ? amount.Tokens : 0);
}
