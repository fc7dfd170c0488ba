using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>One text that a model refuses, and one owner whose budget is used up, hold up nobody else; and nothing is paid for without end.</summary>
public abstract class RefusedTextsTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [DatabaseFact]
    public async Task A_text_that_the_model_refuses_is_passed_over_tried_again_after_growing_pauses_and_given_up()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var (texts, points) = (new Texts("chunks", VectorUpkeepTests.Entries(300)), (PointEmbedder)world.Embedder);
        var (bad, alone) = (texts.All[100].Text, 0);
        points.Refuses = text => text == bad ? new ModelException("content_filter", "No.") : null;
        Assert.Equal(299, await world.Check(texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(texts.All[299].Id, (await world.SearchAsync("chunks", texts.All[299].Text, 1, "p"))[0].Id);

        // Alone from now on, for all others have their vectors.
        points.Refuses = text => text == bad ? Count(ref alone) : null;
        List<int> tried = [];
        foreach (var wait in (TimeSpan[])[TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(50), TimeSpan.FromMinutes(20), TimeSpan.FromHours(7), TimeSpan.FromDays(2), TimeSpan.FromDays(10), TimeSpan.FromDays(400)])
        {
            clock.Advance(wait);
            Assert.Equal(0, await world.Check(texts).RunAsync(Minute, CancellationToken.None));
            tried.Add(alone);
        }

        Assert.Equal([0, 1, 1, 2, 3, 4, 5, 5], tried);

        // Another text of that id is another matter.
        texts.All[100] = texts.All[100] with { Text = "7:7" };
        Assert.Equal(1, await world.Check(texts).RunAsync(TimeSpan.Zero, CancellationToken.None));
        Assert.Equal(0, await RefusalsAsync(world));
    }

    [DatabaseFact]
    public async Task A_model_that_refuses_everything_is_a_fault_and_no_text_is_held_against_it()
    {
        await using var world = await VectorWorld.OpenAsync();
        var (texts, points) = (new Texts("chunks", VectorUpkeepTests.Entries(300)), (PointEmbedder)world.Embedder);
        points.Refuses = static _ => new ModelException("bad_request", "Vectors of another length.");
        await Assert.ThrowsAsync<ModelException>(() => world.Check(texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal((0, 97), (await RefusalsAsync(world), points.Embedded)); // one request, and one with a harmless text
        points.Refuses = static _ => null;
        Assert.Equal(300, await world.Check(texts).RunAsync(Minute, CancellationToken.None));
    }

    [DatabaseFact]
    public async Task What_is_removed_leaves_no_note_of_its_refusal()
    {
        await using var world = await VectorWorld.OpenAsync();
        var (texts, points) = (new Texts("chunks", VectorUpkeepTests.Entries(3)), (PointEmbedder)world.Embedder);
        points.Refuses = text => text == texts.All[1].Text ? new ModelException("context_length", "Too long.") : null;
        Assert.Equal(2, await world.Check(texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(1, await RefusalsAsync(world));
        await world.Store.RemoveAsync("chunks", [texts.All[1].Id], CancellationToken.None);
        Assert.Equal(0, await RefusalsAsync(world));
    }

    [DatabaseFact]
    public async Task What_one_user_may_not_pay_for_and_a_text_that_is_refused_stop_no_other_fact_or_entity()
    {
        var clock = new SteppedClock();
        var embedder = new ChoosyEmbedder();
        await using var app = await TestApp.StartAsync(o => (o.Clock, o.Services) = (clock, s => s.AddSingleton<IEmbedder>(embedder)));
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        var signals = app.Get<MemorySignals>();
        embedder.Broke[alice.Id] = true;
        for (var i = 0; i < 120; i++)
        {
            // More than one page, and before all of bob's.
            await app.Get<IDatabase>().WriteAsync(
                session => FactWrites.KeepAsync(session, alice.Id, new NewFact { Text = $"The user has read book {i}", AuthorKind = "user", Author = alice.Id }, 1_000), CancellationToken.None);
        }

        await bob.PostAsync("/api/v1/memory", new { text = "I know FORBIDDEN words" }, HttpStatusCode.Created);
        await bob.PostAsync("/api/v1/memory", new { text = "I live in Perm" }, HttpStatusCode.Created);
        await UntilAsync(app, $"select count(*) from memory_facts where embedded = 1 and owner_id = '{bob.Id}'", 1);
        await UntilAsync(app, $"select count(*) from graph_entities where embedded = 0 and realm = '{bob.Id}'", 0);
        await UntilAsync(app, "select count(*) from vector_refusals where space = 'memory' and attempts = 1", 1);
        Assert.Equal(0, await CountAsync(app, $"select count(*) from memory_facts where embedded = 1 and owner_id = '{alice.Id}'"));

        // No second attempt before its time, however often something changes.
        var attempts = embedder.Attempts;
        await bob.PostAsync("/api/v1/memory", new { text = "I work at Romashka" }, HttpStatusCode.Created);
        await UntilAsync(app, $"select count(*) from memory_facts where embedded = 1 and owner_id = '{bob.Id}'", 2);
        Assert.Equal(attempts, embedder.Attempts);

        embedder.Broke.Clear();
        clock.Advance(TimeSpan.FromMinutes(2));
        signals.Changed();
        await UntilAsync(app, $"select count(*) from memory_facts where embedded = 1 and owner_id = '{alice.Id}'", 120);
    }

    private static ModelException Count(ref int number)
    {
        number++;
        return new ModelException("content_filter", "No.");
    }

    private static Task<long?> RefusalsAsync(VectorWorld world) => world.Database.ReadAsync(static s => s.Prepared("SELECT count(*) FROM vector_refusals").Int64Async(), CancellationToken.None);

    private static Task<long?> CountAsync(TestApp app, string sql) => app.Get<IDatabase>().ReadAsync(s => s.Prepared(sql).Int64Async(), CancellationToken.None);

    private static Task UntilAsync(TestApp app, string sql, long count) => Wait.UntilAsync(async a => await CountAsync(a, sql) == count, app, $"{sql} did not become {count}");

    /// <summary>As a provider with rules of its own, behind a budget.</summary>
    private sealed class ChoosyEmbedder : IEmbedder
    {
        private int _attempts;

        /// <summary>Whose budget is used up.</summary>
        public ConcurrentDictionary<string, bool> Broke { get; } = [];

        /// <summary>Requests that were refused.</summary>
        public int Attempts => Volatile.Read(ref _attempts);

        public EmbedderIdentity Identity { get; } = new("choosy", "1", 16);

        public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
        {
            if (Broke.ContainsKey(ownerId) && purpose == EmbedPurpose.Document)
            {
                Interlocked.Increment(ref _attempts);
                throw new ModelException("budget", "Your budget of today is used up.");
            }

            if (purpose == EmbedPurpose.Document && texts.Any(static t => t.Contains("FORBIDDEN", StringComparison.Ordinal)))
            {
                Interlocked.Increment(ref _attempts);
                throw new ModelException("content_filter", "The provider refused to answer for reasons of its content rules.");
            }

            return ValueTask.FromResult(texts.Select(static t => Of(t)).ToArray());
        }

        private static float[] Of(string text)
        {
            var vector = new float[16];
            foreach (var c in text)
            {
                vector[c % 16]++;
            }

            VectorMath.Normalize(vector);
            return vector;
        }
    }
}

public sealed class RefusedTextsOnSqliteTests() : RefusedTextsTests(DatabaseKind.Sqlite);

public sealed class RefusedTextsOnPostgresTests() : RefusedTextsTests(DatabaseKind.Postgres), IOnPostgres;
