using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Tells which facts are remembered no more. Not a question of rights: whoever was told one sees it until it is forgotten. Superseded versions are there until their history is forgotten.</summary>
public static class ForgottenAmong
{
    private static readonly SqlText There = SqlDialect.InList("select id from memory_facts where", "id", "ids", "");

    /// <summary>Those of these ids that no fact has.</summary>
    public static async ValueTask<IReadOnlySet<string>> FindAsync(DbSession session, IReadOnlySet<string> ids)
    {
        ArgumentNullException.ThrowIfNull(session);
        var there = await session.Prepared(There).Set("ids", JsonSerializer.Serialize(ids)).ListAsync(static r => r.GetString(0));
        return ids.Except(there, StringComparer.Ordinal).ToHashSet(StringComparer.Ordinal);
    }
}
