using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A hash over the collections that a user can read and their revisions.</summary>
internal sealed class KnowledgeVersion(IDatabase database) : IKnowledgeVersion
{
    private const string Nothing = "0";

    public async ValueTask<string> OfAsync(string ownerId, CancellationToken cancellationToken)
    {
        var collections = await database.LookAsync(
            session => session.Prepared($"select id, revision from collections where id in {CollectionAccess.Readable} order by id").Set("user", ownerId).ListAsync(static r => (r.GetString(0), r.GetInt64(1))), cancellationToken);
        if (collections.Count == 0)
        {
            return Nothing;
        }

        var text = new StringBuilder();
        foreach (var (id, revision) in collections)
        {
            text.Append(CultureInfo.InvariantCulture, $"{id}:{revision};");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 16));
    }
}
