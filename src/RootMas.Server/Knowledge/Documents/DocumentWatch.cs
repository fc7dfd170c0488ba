using System.Runtime.CompilerServices;
using System.Text.Json;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Follows the indexing of a document, whichever process does it.</summary>
internal sealed class DocumentWatch(DocumentStore store, DocumentSignals signals, TimeProvider clock)
{
    /// <summary>The document when nothing more happens to it, or as it is after <paramref name="patience"/>; null: it is gone.</summary>
    public async Task<Document?> SettledAsync(string id, string userId, TimeSpan patience, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            var change = signals.NextChange();
            var now = await store.FindAsync(id, userId, cancellationToken);
            if (now is null or { IsSettled: true } || clock.GetElapsedTime(started) >= patience)
            {
                return now;
            }

            await signals.ChangedAsync(change, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The document now and after each change, until it is settled or gone.</summary>
    public async IAsyncEnumerable<Document> ChangesAsync(string id, string userId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Document? last = null;
        while (true)
        {
            var change = signals.NextChange();
            if (await store.FindAsync(id, userId, cancellationToken) is not { } now)
            {
                yield break;
            }

            if (now != last)
            {
                yield return now;
                last = now;
            }

            if (now.IsSettled)
            {
                yield break;
            }

            await signals.ChangedAsync(change, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}

/// <summary>Progress as server-sent events. A client that goes away stops nothing; a stop of the server ends the stream.</summary>
internal sealed class DocumentEventStream(IAsyncEnumerable<Document> changes) : IResult
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        var stopping = httpContext.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, stopping);
        response.ContentType = "text/event-stream";
        response.Headers["X-Accel-Buffering"] = "no";
        if (HeadRequests.Is(httpContext))
        {
            return;
        }

        try
        {
            await foreach (var document in changes.WithCancellation(ending.Token))
            {
                await response.WriteAsync($"event: document.progress\ndata: {JsonSerializer.Serialize(DocumentView.Of(document), Json)}\n\n", ending.Token);
                await response.Body.FlushAsync(ending.Token);
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // Whoever comes back sees how far it is.
        }
    }
}
