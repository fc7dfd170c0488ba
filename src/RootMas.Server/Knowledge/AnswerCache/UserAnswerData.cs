using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A user's kept answers. Nothing works on them by itself.</summary>
internal sealed class UserAnswerData(AnswerPurge purge) : IUserData
{
    public ValueTask<bool> IsBusyAsync(DbSession session, string userId) => ValueTask.FromResult(false);

    public ValueTask EraseAsync(DbSession session, string userId) => purge.EraseAsync(session, userId);
}
