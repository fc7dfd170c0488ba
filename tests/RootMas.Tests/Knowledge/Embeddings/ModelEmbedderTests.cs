using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Models;
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
    public async Task Vectors_are_scaled_to_length_one_an_empty_text_is_sent_as_a_space_and_another_length_is_refused_with_advice()
    {
        await using var provider = await FakeModelServer.StartAsync();
        provider.On("one", Vector("[3, 4]"), Vector("[0, 7]"), Vector("[1, 2, 3]"));
        await using var app = await StartAsync(provider);
        var embedder = app.Get<IEmbedder>();
        async Task<float[]> EmbedAsync(string text) => (await embedder.EmbedAsync([text], EmbedPurpose.Query, "system", CancellationToken.None))[0];
        var (scaled, ofNothing) = (await EmbedAsync(Question), await EmbedAsync(""));
        var refused = await Record.ExceptionAsync(() => EmbedAsync(Question));
        Assert.Multiple(
            () => Assert.Equal((0.6, 0.8), (Math.Round(scaled[0], 5), Math.Round(scaled[1], 5))),
            () => Assert.Equal((0f, 1f), (ofNothing[0], ofNothing[1])),
            () => Assert.Equal(" ", JsonElement.Parse(provider.Requests[1].Body).GetProperty("input")[0].GetString()),
            () => Assert.Equal("bad_request", Assert.IsType<ModelException>(refused).ErrorClass),
            () => Assert.Contains("vectors of 3 numbers, and Knowledge:Dimension says 2. Set it to 3", refused!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task If_models_yaml_names_another_model_while_one_is_asked_the_vectors_are_the_new_ones()
    {
        await using var provider = await FakeModelServer.StartAsync();
        TestApp? app = null;
        provider.On("two", Vector("[0, 1]")).On("one", async http =>
        {
            await File.WriteAllTextAsync(Path.Combine(app!.Config, "models.yaml"), Config(provider, "two"));
            Assert.True(await app.Get<ModelCatalogSource>().ReloadAsync(CancellationToken.None));
            await Vector("[1, 0]")(http);
        });
        app = await StartAsync(provider);
        await using (app)
        {
            var embedder = app.Get<IEmbedder>();
            Assert.EndsWith(":one", embedder.Identity.Model, StringComparison.Ordinal);
            var vector = (await embedder.EmbedAsync([Question], EmbedPurpose.Query, "system", CancellationToken.None))[0];
            Assert.Equal((0f, 1f), (vector[0], vector[1]));
            Assert.EndsWith(":two", embedder.Identity.Model, StringComparison.Ordinal);
            Assert.Equal((1, 1), (provider.CountOf("one"), provider.CountOf("two")));
        }
    }

    [Fact]
    public async Task Without_the_length_of_its_vectors_the_start_is_refused()
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.Settings["Knowledge:Embedder"] = "model"));
        Assert.Contains("Knowledge:Dimension", refused.Message, StringComparison.Ordinal);
    }

    private static Task<TestApp> StartAsync(FakeModelServer provider) => TestApp.StartAsync(o =>
    {
        (o.Settings["Knowledge:Embedder"], o.Settings["Knowledge:Dimension"], o.Settings["Models:ReloadInterval"]) = ("model", "2", "0s");
        o.ConfigFiles["models.yaml"] = Config(provider, "one");
    });

    private static string Config(FakeModelServer provider, string embedding) => $$"""
        providers: { fake: { base_url: "{{provider.BaseUrl.OriginalString}}", attempts: 1 } }
        models:
          chat: { provider: fake, free: true }
          one: { provider: fake, free: true, capabilities: [embeddings] }
          two: { provider: fake, free: true, capabilities: [embeddings] }
        tiers: { standard: [chat] }
        embedding: {{embedding}}
        """;

    private static Func<HttpContext, Task> Vector(string numbers) =>
        FakeModelServer.Status(200, $$$"""{"object":"list","data":[{"object":"embedding","index":0,"embedding":{{{numbers}}}}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}""");

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
