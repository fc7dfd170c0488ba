using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>What becomes of a document for which the embedding model gives no vectors.</summary>
public sealed class RefusedByEmbedderTests
{
    [Fact]
    public async Task A_document_that_the_embedding_model_refuses_is_given_up_by_name_after_three_attempts()
    {
        var embedder = new RefusingEmbedder();
        await using var app = await TestApp.StartAsync(o => o.Services = s => s.AddSingleton<IEmbedder>(embedder));
        using var ann = await app.AsAsync("ann");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/documents?name=a.txt") { Content = new ByteArrayContent("A text that no model likes."u8.ToArray()) { Headers = { ContentType = new("application/octet-stream") } } };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var _ = await ann.Client.SendAsync(request);
        var (database, signals) = (app.Get<IDatabase>(), app.Get<DocumentSignals>());
        await Wait.UntilAsync(
            async db =>
            {
                // The pause between two attempts is over at once.
                await db.WriteAsync(static session => session.Prepared("update documents set lease_until = null where status = 'queued'").RunAsync(), CancellationToken.None);
                signals.Wake();
                return await db.ReadAsync(static session => session.Prepared("select count(*) from documents where status = 'failed' and error_code = 'embedding_failed'").Int64Async(), CancellationToken.None) == 1;
            },
            database,
            "the document was not given up");
        Assert.Equal(3, embedder.Calls);
    }

    private sealed class RefusingEmbedder : IEmbedder
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public EmbedderIdentity Identity { get; } = new("refusing", "1", 2);

        public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _calls);
            throw new ModelException("context_length", "The text is too long for the model.");
        }
    }
}
