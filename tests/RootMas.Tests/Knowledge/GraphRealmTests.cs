using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

/// <summary>Two documents of one collection at once: whoever takes out what one of them said holds the collection's graph, as whoever writes there does.</summary>
public sealed class GraphRealmTests() : OnDatabase(DatabaseKind.Postgres), IOnPostgres
{
    private const string Realm = GraphWords.Collection + "shelf";

    [PostgresFact]
    public async Task What_goes_with_its_last_document_is_made_anew_by_another_that_names_it_at_that_moment()
    {
        await using var app = await TestApp.StartAsync();
        var database = app.Get<IDatabase>();
        await StateAsync(database, "a", "Kazan");
        await Beside.RunAsync(database, static session => GraphRemoval.RemoveDocumentAsync(session, "a"), d => StateAsync(d, "b", "Samara"));
        await OneIsLeftAsync(database);
    }

    [PostgresFact]
    public async Task What_another_relates_something_to_at_that_moment_does_not_go_with_its_first_document()
    {
        await using var app = await TestApp.StartAsync();
        var database = app.Get<IDatabase>();
        await StateAsync(database, "a", "Kazan");
        await Beside.RunAsync(database, static session => StateAsync(session, "b", "Samara"), static d => d.WriteAsync(
            static async session =>
            {
                await GraphRemoval.RemoveDocumentAsync(session, "a");
                return true;
            },
            CancellationToken.None));
        await OneIsLeftAsync(database);
    }

    private static async Task OneIsLeftAsync(IDatabase database)
    {
        Assert.Equal(1, await CountAsync(database, "select count(*) from graph_relations"));
        Assert.Equal(0, await CountAsync(database, "select count(*) from graph_relations r where not exists (select 1 from graph_entities e where e.id = r.from_id) or not exists (select 1 from graph_entities e where e.id = r.to_id)"));
        Assert.Equal(0, await CountAsync(database, "select count(*) from graph_names n where not exists (select 1 from graph_entities e where e.id = n.entity_id)"));
    }

    private static Task<bool> StateAsync(IDatabase database, string document, string city) => database.WriteAsync(
        async session =>
        {
            await StateAsync(session, document, city);
            return true;
        },
        CancellationToken.None);

    private static async ValueTask StateAsync(DbSession session, string document, string city)
    {
        Assert.True(await FactWrites.HoldAsync(session, Realm));
        await GraphWriter.WriteAsync(
            session, Realm, [new StatedRelation("Volga", GraphWords.Thing, "flows_through", city, GraphWords.Thing)],
            new GraphSource(GraphWords.FromDocument, document + "-1", document, $"The Volga flows through {city}.", 90, false, session.Now, null));
    }

    private static Task<long> CountAsync(IDatabase database, string sql) => database.ReadAsync(async session => await session.Prepared(sql).Int64Async() ?? 0, CancellationToken.None);
}
