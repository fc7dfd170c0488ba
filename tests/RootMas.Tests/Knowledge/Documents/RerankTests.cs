using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class RerankOnSqliteTests() : RerankTests(DatabaseKind.Sqlite);

public sealed class RerankOnPostgresTests() : RerankTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>A cheap model may order what was found; what it answers can only change the order.</summary>
public abstract class RerankTests(DatabaseKind kind) : OnDatabase(kind)
{
    /// <summary>What the model says, and whether it turns the order. One server for all: they differ in nothing else.</summary>
    private static readonly (string Answer, bool Turned)[] Answers =
    [
        ("{ json: { order: [2, 1, 2, 99, -1] } }", true),
        ("{ json: { order: [] } }", false),
        ("{ text: \"I would rather not.\" }", false),
        ("{ fault: { kind: status, status: 400 } }", false),
    ];

    [DatabaseFact]
    public async Task A_model_orders_passages_anew_or_leaves_them_as_they_were()
    {
        await using var world = await ChatWorld.StartAsync();
        using var ann = await world.App.AsAsync("ann");
        await ann.UploadAsync("a.txt", "The ferry to the island leaves at nine. The ferry is blue.");
        await ann.UploadAsync("b.txt", "Nothing leaves on Sundays, not even the ferry, when storms come from the north.");
        async Task<List<string>> OrderAsync(string rerank) => [.. (await ann.SearchAsync("When does the ferry to the island leave?", new { rerank })).Select(static p => p.GetProperty("title").GetString()!)];
        var plain = await OrderAsync("none");
        Assert.Equal(2, plain.Count);
        Assert.Empty(world.Sim.Calls);
        foreach (var (answer, turned) in Answers)
        {
            world.Sim.Use($"default: {answer}");
            var before = world.Sim.Calls.Count;
            var ordered = await OrderAsync("cheap");
            Assert.True(ordered.SequenceEqual(turned ? Enumerable.Reverse(plain) : plain), $"{answer}: {string.Join(", ", ordered)}");
            Assert.True(world.Sim.Calls.Count > before, $"{answer}: nobody was asked");
        }

        var rows = await world.App.Get<IDatabase>().ReadAsync(s => s.Prepared("select count(*) from usage_ledger where purpose = 'rerank' and owner_id = @owner").Set("owner", ann.Id).Int64Async(), default);
        Assert.Equal(world.Sim.Calls.Count, rows);
    }
}
