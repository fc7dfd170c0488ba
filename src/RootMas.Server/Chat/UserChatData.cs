using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>A user's conversations, messages and feedback.</summary>
internal sealed class UserChatData : IUserData
{
    private const string Owned = "(owner_id = @user or (owner_id >= @user || '/' and owner_id < @user || '0'))";

    private static readonly string[] Statements =
    [
        $"delete from feedback where {Owned}",
        $"delete from messages where {Owned}",
        $"delete from conversations where {Owned}",
    ];

    /// <summary>What works on a message is a run, and runs answer for themselves.</summary>
    public ValueTask<bool> IsBusyAsync(DbSession session, string userId) => ValueTask.FromResult(false);

    public async ValueTask EraseAsync(DbSession session, string userId)
    {
        foreach (var statement in Statements)
        {
            await session.Prepared(statement).Set("user", userId).RunAsync();
        }
    }
}
