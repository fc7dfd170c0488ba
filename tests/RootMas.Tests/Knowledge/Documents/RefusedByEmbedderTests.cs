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
    private const string Disliked = "A text that no model likes.";

    [Fact]
    public async Task A_document_that_the_embedding_model_refuses_is_given_up_by_name_after_three_attempts()
    {
        var embedder = new RefusingEmbedder("context_length", static text => text.Contains(Disliked, StringComparison.Ordinal));
        await using var app = await TestApp.StartAsync(o => o.Services = s => s.AddSingleton<IEmbedder>(embedder));
        using var ann = await app.AsAsync("ann");
        await UploadAsync(ann);
        await EndsAsync(app, "status = 'failed' and error_code = 'embedding_failed'");
        Assert.Equal(3, embedder.Refused);
    }

    /// <summary>A wrong key, a wrong name: three attempts are over before anybody has seen it.</summary>
    [Fact]
    public async Task Documents_wait_while_the_embedding_model_refuses_everything_however_often_it_is_asked()
    {
        var embedder = new RefusingEmbedder("auth", static _ => true);
        await using var app = await TestApp.StartAsync(o => o.Services = s => s.AddSingleton<IEmbedder>(embedder));
        using var ann = await app.AsAsync("ann");
        await UploadAsync(ann);
        await EndsAsync(app, "status <> 'failed'", () => embedder.Refused >= 12);
        embedder.Refuses = static _ => false;
        await EndsAsync(app, "status = 'ready'");
    }

    private static async Task UploadAsync(TestUser user)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/documents?name=a.txt") { Content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(Disliked)) { Headers = { ContentType = new("application/octet-stream") } } };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var _ = await user.Client.SendAsync(request);
    }

    /// <summary>The pause between two attempts is over at once.</summary>
    private static Task EndsAsync(TestApp app, string state, Func<bool>? also = null) => Wait.UntilAsync(
        async about =>
        {
            var database = about.app.Get<IDatabase>();
            await database.WriteAsync(static session => session.Prepared("update documents set lease_until = null where status = 'queued'").RunAsync(), CancellationToken.None);
            about.app.Get<DocumentSignals>().Wake();
            return about.also?.Invoke() != false
                && await database.ReadAsync(session => session.Prepared($"select count(*) from documents where {about.state}").Int64Async(), CancellationToken.None) == 1;
        },
        (app, state, also),
        $"The document did not come to {state}");

    private sealed class RefusingEmbedder(string errorClass, Func<string, bool> refuses) : IEmbedder
    {
        private int _refused;

        public int Refused => Volatile.Read(ref _refused);

        public Func<string, bool> Refuses { get; set; } = refuses;

        public EmbedderIdentity Identity { get; } = new("refusing", "1", 2);

        public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
        {
            if (!texts.Any(Refuses))
            {
                return ValueTask.FromResult(texts.Select(static _ => (float[])[1, 0]).ToArray());
            }

            Interlocked.Increment(ref _refused);
            throw new ModelException(errorClass, "I do not like it.");
        }
    }
}
