using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Agents;

public enum CatalogKind
{
    Agent,
    Team,
}

/// <summary>What an override does to the name.</summary>
public enum OverrideState
{
    /// <summary>The stored definition counts.</summary>
    Live,

    /// <summary>The name is gone, also where a file defines it.</summary>
    Deleted,

    /// <summary>The file's definition counts again, if there is one.</summary>
    Reverted,
}

/// <summary>One stored version of an agent or team. <see cref="Json"/> is there when live.</summary>
public sealed record CatalogOverride(CatalogKind Kind, string Name, int Version, OverrideState State, string? Json, string OwnerId)
{
    /// <summary>How problems name it: <c>agents.name</c>.</summary>
    public string Key => $"{(Kind == CatalogKind.Agent ? "agents" : "teams")}.{Name}";

    /// <summary>The entity tag that the definition has in the catalog; null: it is not live.</summary>
    internal string? ETag => Json is null ? null : AgentsJson.ETag(Kind == CatalogKind.Agent ? AgentsJson.Serialize(AgentsJson.Agent(Json)) : AgentsJson.Serialize(AgentsJson.Team(Json)), Version);
}

/// <summary>The table of overrides. Append-only.</summary>
public sealed class CatalogOverrides(IDatabase database, ChangeFeed changes)
{
    /// <summary>Of <see cref="ChangeFeed"/>: an agent or team changed.</summary>
    public const string Changed = "catalog";

    private const string Newest =
        """
        select o.kind, o.name, o.version, o.state, o.definition, o.owner_id from catalog_overrides o
        where o.version = (select max(n.version) from catalog_overrides n where n.kind = o.kind and n.name = o.name)
        order by o.created_at, o.kind, o.name
        """;

    /// <summary>The newest version of each name, oldest change first.</summary>
    public Task<IReadOnlyList<CatalogOverride>> LoadAsync(CancellationToken cancellationToken) => LoadAsync(database, cancellationToken);

    internal static Task<IReadOnlyList<CatalogOverride>> LoadAsync(IDatabase database, CancellationToken cancellationToken) => database.ReadAsync<IReadOnlyList<CatalogOverride>>(
        static async session => await session.Prepared(Newest).ListAsync(static row => new CatalogOverride(
            row.GetString(0) == "agent" ? CatalogKind.Agent : CatalogKind.Team,
            row.GetString(1),
            row.GetInt32(2),
            Enum.Parse<OverrideState>(row.GetString(3), ignoreCase: true),
            row.StringOrNull(4),
            row.GetString(5))),
        cancellationToken);

    /// <summary>Grows with every change, whoever made it.</summary>
    public Task<long> RevisionAsync(CancellationToken cancellationToken) => database.LookAsync(
        static async session => await session.Prepared("select count(*) from catalog_overrides").Int64Async() ?? 0, cancellationToken);

    /// <summary>False: somebody else stored this version first; nothing was written.</summary>
    /// <param name="also">Written in the same transaction, with the name.</param>
    public Task<bool> AppendAsync(CatalogOverride change, Made? also, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var isNew = await InsertAsync(session, change);
            if (isNew && also is not null)
            {
                await also(session, change.Name);
            }

            if (isNew)
            {
                await changes.AddAsync(session, Changed, change.Key);
            }

            return isNew;
        },
        cancellationToken);

    private static async ValueTask<bool> InsertAsync(DbSession session, CatalogOverride change) =>
        await session.Prepared(
                """
                insert into catalog_overrides (kind, name, version, state, definition, owner_id, created_at)
                values (@kind, @name, @version, @state, @definition, @owner_id, @created_at)
                on conflict (kind, name, version) do nothing
                """)
            .Set("kind", change.Kind == CatalogKind.Agent ? "agent" : "team")
            .Set("name", change.Name)
            .Set("version", change.Version)
            .Set("state", change.State switch { OverrideState.Live => "live", OverrideState.Deleted => "deleted", _ => "reverted" })
            .Set("definition", change.Json)
            .Set("owner_id", change.OwnerId)
            .Set("created_at", session.Now)
            .RunAsync() == 1;
}
