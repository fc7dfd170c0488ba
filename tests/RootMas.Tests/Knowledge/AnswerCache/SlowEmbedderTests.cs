using System.Net;
using System.Text.Json;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>The embedding model is elsewhere, and does not answer.</summary>
public sealed class SlowEmbedderTests
{
    private const string Answers = "default: { text: \"Turn it off and on again.\" }\n";
    private const string Hanging = Answers + "embeddings: { fault: { kind: hang } }\n";
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Nobody_waits_for_an_embedding_server_that_never_answers_and_equal_requests_are_still_found()
    {
        await using var world = await ChatWorld.StartAsync(Answers, configure: static o =>
        {
            o.Settings["Knowledge:Embedder"] = "model";
            o.Settings["Knowledge:Dimension"] = "384";
            o.Settings["Models:Embedding"] = "sim-embed";
            o.Settings["Knowledge:AnswerCache:Mode"] = "threshold";
            o.Settings["Knowledge:AnswerCache:Threshold"] = "0.5";
            o.Settings["Knowledge:Memory:Extract"] = "Never";
        });
        await world.App.PostJsonAsync(
            "/api/v1/agents", JsonElement.Parse("""{"name":"helper","role":"Helper","description":"Helps.","instructions":"Help.","tier":"cheap"}"""), HttpStatusCode.Created);
        async Task<bool> IsCachedAsync(string question)
        {
            var answer = await world.AskAsync(new { message = question, agent = "helper" }).WaitAsync(Long);
            Assert.Equal("Turn it off and on again.", answer.GetProperty("response").GetString());
            return answer.GetProperty("metadata").GetProperty("cached").GetBoolean();
        }

        var lookup = world.App.Get<AnswerLookup>();
        var patience = lookup.Patience;
        lookup.Patience = Long; // until it hangs: a machine that is slow is not one that never answers
        Assert.False(await IsCachedAsync("How do I repair a radio?"));
        await Wait.UntilAsync(() => world.App.Get<AnswerLearner>().IsIdle);
        Assert.True(await IsCachedAsync("How do I repair the radio?"));

        lookup.Patience = patience;
        world.Sim.Use(Hanging);
        var before = world.Sim.Stats.Embeddings;
        Assert.Equal([false, true], (await Task.WhenAll(IsCachedAsync("How do I repair my radio?"), IsCachedAsync("How do I repair my radio?"))).Order()); // the second has the answer of the first
        await Wait.UntilAsync(() => world.Sim.Stats.Embeddings > before); // the question was to be embedded
        world.App.Get<AnswerLevels>().Memory.Remove(static _ => true);
        Assert.True(await IsCachedAsync("How do I repair a radio?"));
    }
}
