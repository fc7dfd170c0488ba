namespace RootMas.Server.Knowledge.Documents;

/// <summary>A set of documents with one owner, and with those that the owner lets in.</summary>
/// <param name="MayWrite">Whether the one who asks may put documents in and take them out.</param>
/// <param name="IsOwn">Whether the one who asks owns it.</param>
internal sealed record Collection(string Id, string OwnerId, string Name, string Description, bool IsDefault, long Version, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, long Documents, bool MayWrite, bool IsOwn);

/// <summary>Who else may read a collection.</summary>
/// <param name="SubjectId">A user, or <see cref="Everybody"/>.</param>
/// <param name="Username">Null: everybody, or a user who is no longer there.</param>
internal sealed record CollectionMember(string SubjectId, string? Username, bool MayWrite, DateTimeOffset CreatedAt)
{
    /// <summary>Everybody who may read knowledge.</summary>
    public const string Everybody = "*";
}

/// <summary>Which collections a user reaches. Part of every query: there is no second place that decides.</summary>
internal static class CollectionAccess
{
    /// <summary>Ids of collections that <c>@user</c> may read.</summary>
    public const string Readable = "(select id from collections where owner_id = @user union select collection_id from collection_members where subject_id in (@user, '*'))";

    /// <summary>Ids of collections that <c>@user</c> may change the documents of.</summary>
    public const string Writable = "(select id from collections where owner_id = @user union select collection_id from collection_members where subject_id in (@user, '*') and may_write = 1)";
}
