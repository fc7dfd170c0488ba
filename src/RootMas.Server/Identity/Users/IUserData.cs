using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Users;

/// <summary>What a slice to the right keeps for users. A seam: Identity erases a user without knowing what there is.</summary>
public interface IUserData
{
    /// <summary>Whether something still works for the user or an external subject of theirs.</summary>
    ValueTask<bool> IsBusyAsync(DbSession session, string userId);

    /// <summary>Removes all of it in this transaction, external subjects (<c>userId/…</c>) included. Ledger and audit keep their rows: the one holds ids only, the other also names and addresses, since a chain can lose nothing.</summary>
    ValueTask EraseAsync(DbSession session, string userId);
}
