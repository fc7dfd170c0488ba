using System.Net;
using RootMas.LlmSimulator;
using RootMas.Server.Models;
using RootMas.Server.Models.Pipeline;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>An answer is kept for the models that gave it.</summary>
public sealed class AnswersOfModelsTests
{
    private const string Tiers = """

        tiers:
          cheap: [NAME]
          standard: [NAME]
          premium: [NAME]
        """;

    private static readonly object Question = new { message = "How do I repair a radio?", agent = "helper" };

    [Fact]
    public async Task After_a_tier_got_other_models_none_of_their_predecessors_answers_is_given_and_they_come_back_with_them()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Turn it off and on again.\" }");
        await using var app = await TestApp.StartAsync(o =>
        {
            o.ConfigFiles["models.yaml"] = Tiers.Replace("NAME", "offline", StringComparison.Ordinal);
            o.Settings["Models:ReloadInterval"] = "0s";
            o.Settings["Knowledge:AnswerCache:Mode"] = "exact";
            o.Settings["Knowledge:Memory:Extract"] = "Never";
        });
        await app.PostJsonAsync("/api/v1/agents", new { name = "helper", role = "Helper", description = "Helps.", instructions = "Help.", tier = "cheap" }, HttpStatusCode.Created);
        var rules = await KeptAsync(app);

        var models = $$"""
            providers:
              sim: { base_url: "{{sim.OpenAiUrl}}" }
            models:
              one: { provider: sim, free: true }
              two: { provider: sim, free: true }

            """;
        await UseAsync(app, models + Tiers.Replace("NAME", "one", StringComparison.Ordinal));
        Assert.Equal(("Turn it off and on again.", false), await AskAsync(app));
        Assert.Equal("Turn it off and on again.", await KeptAsync(app));
        sim.Use("default: { text: \"Call an engineer.\" }");
        await UseAsync(app, models + Tiers.Replace("NAME", "two", StringComparison.Ordinal));
        Assert.Equal(("Call an engineer.", false), await AskAsync(app));
        await UseAsync(app, models + Tiers.Replace("NAME", "one", StringComparison.Ordinal));
        Assert.Equal(("Turn it off and on again.", true), await AskAsync(app));
        await UseAsync(app, models + Tiers.Replace("NAME", "offline", StringComparison.Ordinal));
        Assert.Equal((rules, true), await AskAsync(app));
    }

    [Fact]
    public async Task What_the_rules_say_while_the_models_of_a_tier_fail_is_not_kept()
    {
        await using var database = new TestDatabase();
        await database.Database.OpenAsync();
        await using var world = await CacheWorld.StartAsync(database);
        world.Asked = new AskedModels("a model, then the rules") { StandIns = ["test"] };
        Assert.Null((await world.AskAsync("What is a noun?")).Call.CacheHit);
        Assert.Null((await world.AskAsync("What is a noun?")).Call.CacheHit);
        world.Asked = world.Asked with { StandIns = ["rules"] };
        Assert.Null((await world.AskAsync("What is a noun?")).Call.CacheHit);
        Assert.NotNull((await world.AskAsync("What is a noun?")).Call.CacheHit);
    }

    [Fact]
    public void The_rules_stand_in_only_where_there_is_a_model()
    {
        var model = new ModelSpec { Name = "one", Id = "one", Provider = new ModelProvider { Name = "own", BaseUrl = new Uri("http://127.0.0.1:1/v1") } };
        Assert.False(AskedModels.Of([ModelCatalog.OfflineModel]).StandsIn("offline"));
        Assert.Equal((true, false), (AskedModels.Of([model, ModelCatalog.OfflineModel]).StandsIn("offline"), AskedModels.Of([model, ModelCatalog.OfflineModel]).StandsIn("one")));
        Assert.NotEqual(AskedModels.Of([model]).Identity, AskedModels.Of([model with { Provider = model.Provider with { BaseUrl = new Uri("http://127.0.0.1:2/v1") } }]).Identity);
        Assert.NotEqual(AskedModels.Of([model, ModelCatalog.OfflineModel]).Identity, AskedModels.Of([ModelCatalog.OfflineModel, model]).Identity);
    }

    /// <summary>What is kept, once it is.</summary>
    private static async Task<string> KeptAsync(TestApp app)
    {
        var said = (await AskAsync(app)).Text;
        Assert.Equal((said, true), await AskAsync(app));
        return said;
    }

    private static async Task<(string Text, bool Cached)> AskAsync(TestApp app)
    {
        var answer = await app.PostJsonAsync("/api/v1/chat", Question);
        return (answer.GetProperty("response").GetString()!, answer.GetProperty("metadata").GetProperty("cached").GetBoolean());
    }

    private static async Task UseAsync(TestApp app, string models)
    {
        await File.WriteAllTextAsync(Path.Combine(app.Config, "models.yaml"), models);
        var source = app.Get<ModelCatalogSource>();
        Assert.True(await source.ReloadAsync(CancellationToken.None), string.Join('\n', source.Problems));
    }
}
