using RootMas.Server.Runs;

namespace RootMas.Tests.Support;

internal static class Claims
{
    /// <summary>Takes a run of which the test knows no more than its id, as a worker does that found its row.</summary>
    public static async Task<RunRow?> ClaimAsync(this RunOwnership ownership, string runId, TimeSpan lease, CancellationToken cancellationToken) =>
        await ownership.RowAsync(runId, cancellationToken) is { } row ? (await ownership.ClaimAsync(row.Ready, lease, cancellationToken)).Row : null;
}
