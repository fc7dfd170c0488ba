using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>Collections whose documents the user may read: what was read in them may be read too.</summary>
internal sealed class CollectionRealms(IDatabase database) : IGraphRealms
{
    /// <summary>Collections beyond that are left out, and answers say so.</summary>
    public const int Most = 1_000;

    public async ValueTask<IReadOnlyList<string>> OfAsync(string ownerId, CancellationToken cancellationToken) => await database.LookAsync(
        async session => await session.Prepared($"select id from collections where id in {CollectionAccess.Readable} order by id limit 1000").Set("user", ownerId)
            .ListAsync(static r => GraphWords.Collection + r.GetString(0)),
        cancellationToken);
}
