using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>A cheap model may order what was found; what it answers can only change the order.</summary>
public sealed class RerankTests
{
    [Theory]
    [InlineData("""{ json: { order: [2, 1, 2, 99, -1] } }""", true)]
    [InlineData("""{ json: { order: [] } }""", false)]
    [InlineData("""{ text: "I would rather not." }""", false)]
    [InlineData("""{ fault: { kind: status, status: 400 } }""", false)]
    public async Task A_model_orders_passages_anew_or_leaves_them_as_they_were(string answer, bool turned)
    {
        await using var world = await ChatWorld.StartAsync($"default: {answer}");
        using var ann = await world.App.AsAsync("ann");
        await ann.UploadAsync("a.txt", "The ferry to the island leaves at nine. The ferry is blue.");
        await ann.UploadAsync("b.txt", "Nothing leaves on Sundays, not even the ferry, when storms come from the north.");
        async Task<List<string>> OrderAsync(string rerank) => [.. (await ann.SearchAsync("When does the ferry to the island leave?", new { rerank })).Select(static p => p.GetProperty("title").GetString()!)];
        var plain = await OrderAsync("none");
        Assert.Equal(2, plain.Count);
        Assert.Empty(world.Sim.Calls);
        var ordered = await OrderAsync("cheap");
        Assert.Equal(turned ? Enumerable.Reverse(plain) : plain, ordered);
        Assert.NotEmpty(world.Sim.Calls);
        var rows = await world.App.Get<IDatabase>().ReadAsync(s => s.Prepared("select count(*) from usage_ledger where purpose = 'rerank' and owner_id = @owner").Set("owner", ann.Id).Int64Async(), default);
        Assert.Equal(world.Sim.Calls.Count, rows);
    }
}
