using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>A user's runs: whole logs are erased, nothing is left of what was said in them. The ledger keeps what they cost.</summary>
internal sealed class UserRunData : IUserData
{
    /// <summary>The user and their external subjects: '0' follows '/' in ASCII, so the range holds exactly the owners that begin with the user's id and a slash.</summary>
    private const string Owned = "(owner_id = @user or (owner_id >= @user || '/' and owner_id < @user || '0'))";

    private static readonly string[] Statements =
    [
        $"delete from run_events where run_id in (select id from runs where {Owned})",
        $"delete from run_contexts where run_id in (select id from runs where {Owned})",
        $"delete from run_inbox where run_id in (select id from runs where {Owned})",
        $"delete from approvals where {Owned}",
        $"delete from dead_letters where {Owned}",
        $"delete from runs where {Owned}",
    ];

    public ValueTask<bool> IsBusyAsync(DbSession session, string userId) =>
        session.Prepared($"select 1 from runs where ended_at is null and {Owned} limit 1").Set("user", userId).AnyAsync();

    public async ValueTask EraseAsync(DbSession session, string userId)
    {
        foreach (var statement in Statements)
        {
            await session.Prepared(statement).Set("user", userId).RunAsync();
        }
    }
}
