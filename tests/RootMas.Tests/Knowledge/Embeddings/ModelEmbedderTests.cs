using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Embeddings;

/// <summary>Vectors from a provider's model, through the model pipeline.</summary>
public sealed class ModelEmbedderTests
{
    private const string Question = "how is the weather in Kazan";

    [Fact]
    public async Task A_configured_model_embeds_and_its_owner_pays()
    {
        await using var world = await ChatWorld.StartAsync(configure: o =>
        {
            o.Settings["Knowledge:Embedder"] = "model";
            o.Settings["Knowledge:Dimension"] = "64";
            o.Settings["Models:Embedding"] = "sim-embed";
        });
        var (embedder, store, id) = (world.App.Get<IEmbedder>(), world.App.Get<IVectorStore>(), Guid.NewGuid());
        var length = await LengthAsync(embedder);
        await using var right = await ChatWorld.StartAsync(sim: world.Sim, configure: o =>
        {
            o.Settings["Knowledge:Embedder"] = "model";
            o.Settings["Knowledge:Dimension"] = length;
            o.Settings["Models:Embedding"] = "sim-embed";
        });
        (embedder, store) = (right.App.Get<IEmbedder>(), right.App.Get<IVectorStore>());
        await store.PutAsync("chunks", [new VectorEntry(id, "p", "the weather in Kazan"), new VectorEntry(Guid.NewGuid(), "p", "prime numbers below one hundred")], "alice", CancellationToken.None);
        var query = (await embedder.EmbedAsync([Question], EmbedPurpose.Query, "alice", CancellationToken.None))[0];
        Assert.Equal(1, VectorMath.Dot(query, query), 4);
        Assert.Equal(id, (await store.SearchAsync("chunks", query, ["p"], 1, CancellationToken.None))[0].Id);
        Assert.EndsWith(":sim-embed", embedder.Identity.Model, StringComparison.Ordinal);
        var rows = await right.App.Get<IDatabase>().ReadAsync(static s => s.Prepared("SELECT count(*) FROM usage_ledger WHERE owner_id = 'alice' AND purpose = 'embed' AND outcome = 'ok'").Int64Async(), CancellationToken.None);
        Assert.Equal(2, rows);
    }

    [Fact]
    public async Task Without_the_length_of_its_vectors_the_start_is_refused()
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.Settings["Knowledge:Embedder"] = "model"));
        Assert.Contains("Knowledge:Dimension", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>A wrong length is refused with the right one.</summary>
    private static async Task<string> LengthAsync(IEmbedder embedder)
    {
        try
        {
            return (await embedder.EmbedAsync([Question], EmbedPurpose.Query, "system", CancellationToken.None))[0].Length.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (ModelException e)
        {
            return e.Message.Split("Set it to ")[1].Split(' ')[0];
        }
    }
}
