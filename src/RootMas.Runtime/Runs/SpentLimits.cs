namespace RootMas.Runtime.Runs;

/// <summary>Limits of what a run and its subtasks spend. Agents are told before one of them stops the run.</summary>
public static class SpentLimits
{
    internal const string Steps = "steps";
    internal const string Tokens = "tokens";
    internal const string Cost = "cost";
    internal const string WallTime = "wall_time";

    /// <summary>It says what one run has spent, which is true of no other.</summary>
    public static bool IsNear(GuardHinted hint) => hint.Guard is Steps or Tokens or Cost or WallTime;
}
