using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>What the people behind a run may do at this moment. A seam: the runtime knows no users, whoever hosts it does.</summary>
public interface IRunRights
{
    /// <summary>The permissions of the run's user now, cut down to those of the credential that started it (<see cref="RunRequestOptions.Permissions"/>).</summary>
    ValueTask<Func<string, bool>> PermissionsAsync(NewRun run, CancellationToken cancellationToken);

    /// <summary>The same for what is only offered to a model and told it: asked for at every model call, so it may be a moment old. Calls are checked by <see cref="PermissionsAsync"/> when they are made.</summary>
    ValueTask<Func<string, bool>> OfferedAsync(NewRun run, CancellationToken cancellationToken) => PermissionsAsync(run, cancellationToken);

    /// <summary>Whether who approved a call may still approve it.</summary>
    ValueTask<bool> MayApproveAsync(NewRun run, string decidedBy, Approver approver, CancellationToken cancellationToken);
}

/// <summary>For hosts without users: everything is allowed.</summary>
public sealed class UnlimitedRights : IRunRights
{
    public static readonly UnlimitedRights Instance = new();

    public ValueTask<Func<string, bool>> PermissionsAsync(NewRun run, CancellationToken cancellationToken) => new(static _ => true);

    public ValueTask<bool> MayApproveAsync(NewRun run, string decidedBy, Approver approver, CancellationToken cancellationToken) => new(true);
}
