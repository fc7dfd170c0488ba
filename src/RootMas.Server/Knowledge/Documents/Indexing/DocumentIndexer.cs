using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Documents.Extraction;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Knowledge.Documents.Indexing;

/// <summary>
/// Reads uploaded documents, cuts them, and makes them findable, beside everything else. Which document is whose turn is in the database, so any process can do it, and the next one goes on where one died.
/// What a document said before is found until all of the new is there.
/// </summary>
internal sealed partial class DocumentIndexer(IndexStore store, ChunkVectors vectors, DocumentsOptions options, DocumentSignals signals, TimeProvider clock, ILogger<DocumentIndexer> logger) : SupervisedService
{
    private const int MaxAttempts = 3;
    private const int ChunksPerWrite = 100;
    private const int ChunksPerEmbedding = 64;
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ModelPause = TimeSpan.FromSeconds(30);

    private TimeSpan Lease => options.ReadTimeout + Margin;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        if (options.Parallelism == 0)
        {
            return;
        }

        await store.ReleaseAllAsync(stoppingToken);
        await KeepAllAsync(stoppingToken, Enumerable.Repeat<Func<CancellationToken, Task>>(ServeAsync, options.Parallelism));
    }

    private async Task ServeAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await store.ClaimAsync(Lease, stoppingToken) is { } job)
                {
                    await WorkAsync(job, stoppingToken);
                }

                await signals.WorkAsync(Look, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // whatever it is, the next document must get its turn
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (e is not StorageUnavailableException) // the database tells of its own outage
                {
                    LogStopped(e);
                }

                await Task.Delay(Look, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task WorkAsync(IndexJob job, CancellationToken stoppingToken)
    {
        try
        {
            if (job.Attempt > MaxAttempts)
            {
                await RefuseAsync(job, "indexing_failed", "The document could not be indexed in several attempts. An administrator finds the reason in the server's log. Upload it again to try once more.", stoppingToken);
                return;
            }

            await IndexAsync(job, stoppingToken);
        }
        catch (ExtractionException e)
        {
            await RefuseAsync(job, e.Code, e.Message, stoppingToken);
        }
        catch (ModelException e)
        {
            await WithoutVectorsAsync(job, e, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await store.PostponeAsync(job, TimeSpan.Zero, counts: false, CancellationToken.None); // the next process begins with it
            throw;
        }
        catch (Exception e) when (e is not StorageUnavailableException)
        {
            LogFailed(job.DocumentId, job.Attempt, e);
            await store.PostponeAsync(job, TimeSpan.FromSeconds(job.Attempt), counts: true, stoppingToken);
        }
    }

    /// <summary>Outages, used-up budgets and wrong settings pass, and are waited for. What a model that works refuses it refuses again, and may charge for each time.</summary>
    private async Task WithoutVectorsAsync(IndexJob job, ModelException e, CancellationToken stoppingToken)
    {
        LogEmbeddingFailed(job.DocumentId, ModelPause, e);
        var passes = e.RetryLater || e.ErrorClass == "budget" || !await vectors.AreMadeAsync(stoppingToken);
        if (passes || job.Attempt < MaxAttempts)
        {
            await store.PostponeAsync(job, ModelPause, counts: !passes, stoppingToken);
            return;
        }

        await RefuseAsync(job, "embedding_failed", $"The embedding model refused the text of this document in {MaxAttempts} attempts ({e.ErrorClass}), while it takes others. Nothing of it was indexed. Change it and upload it again; an administrator finds the model's own words in the server's log.", stoppingToken);
    }

    private async Task RefuseAsync(IndexJob job, string code, string message, CancellationToken stoppingToken)
    {
        await store.FailAsync(job, code, message, stoppingToken);
        DocumentMetrics.Refused(code);
    }

    private async Task IndexAsync(IndexJob job, CancellationToken stoppingToken)
    {
        var began = clock.GetTimestamp();
        if (!await store.ClearAsync(job, stoppingToken))
        {
            return;
        }

        signals.Changed();
        var text = await TextExtractor.ReadAsync(job.Content, job.Name, options.LimitsFor(clock), stoppingToken);
        var chunks = Chunker.Cut(text, options.ChunkCharacters).Select(static c => new StoredChunk(Guid.CreateVersion7(), c)).ToList();
        for (var done = 0; done < chunks.Count; done += ChunksPerWrite)
        {
            var part = chunks.GetRange(done, Math.Min(ChunksPerWrite, chunks.Count - done));
            if (!await store.ProgressAsync(job, "chunking", done, chunks.Count, Lease, stoppingToken) || !await store.AddAsync(job, part, stoppingToken))
            {
                return;
            }
        }

        if (await EmbedAsync(job, chunks, stoppingToken) && await store.PublishAsync(job, text, chunks.Count, stoppingToken))
        {
            DocumentMetrics.Indexed(clock.GetElapsedTime(began));
            LogIndexed(job.DocumentId, text.Kind, chunks.Count);
        }
        else
        {
            await vectors.RemoveAsync(chunks); // nobody will ever ask for them
        }
    }

    /// <summary>False: the document was deleted, replaced, or claimed by somebody else.</summary>
    private async Task<bool> EmbedAsync(IndexJob job, List<StoredChunk> chunks, CancellationToken stoppingToken)
    {
        for (var done = 0; done < chunks.Count; done += ChunksPerEmbedding)
        {
            if (!await store.ProgressAsync(job, "embedding", done, chunks.Count, Lease, stoppingToken))
            {
                return false;
            }

            var part = chunks.GetRange(done, Math.Min(ChunksPerEmbedding, chunks.Count - done));
            await vectors.PutAsync(job, part, stoppingToken);
        }

        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Document {DocumentId} ({Kind}) is indexed: {Chunks} chunks")]
    private partial void LogIndexed(string documentId, string kind, int chunks);

    [LoggerMessage(Level = LogLevel.Error, Message = "Document {DocumentId} could not be indexed in attempt {Attempt}")]
    private partial void LogFailed(string documentId, int attempt, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Indexing of documents was interrupted; it goes on in a moment")]
    private partial void LogStopped(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Document {DocumentId} waits for its vectors: the embedding model gave none; it is tried again in {Pause}")]
    private partial void LogEmbeddingFailed(string documentId, TimeSpan pause, Exception exception);
}

/// <summary>Words are no part of a copy to another kind of database: the first start there makes them.</summary>
internal sealed partial class WordsUpkeep(IndexStore store, TimeProvider clock, ILogger<WordsUpkeep> logger) : SupervisedService
{
    private const int PerWrite = 200;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        var made = 0;
        try
        {
            while (await store.RestoreWordsAsync(PerWrite, stoppingToken) is > 0 and var some)
            {
                made += some;
            }
        }
        catch (Exception e) when (e is StorageUnavailableException or OperationCanceledException)
        {
            // The next start goes on with it.
        }

        if (made > 0)
        {
            LogMade(made);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Made the full-text words of {Chunks} chunks that had none")]
    private partial void LogMade(int chunks);
}
