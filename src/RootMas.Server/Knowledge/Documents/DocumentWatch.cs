using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Follows the indexing of a document, whichever process does it.</summary>
internal sealed class DocumentWatch(DocumentStore store, DocumentSignals signals, TimeProvider clock)
{
    /// <summary>As on the streams of runs: proxies close what is silent for longer.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

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

    /// <summary>The document now and after each change, until it is settled or gone; null: nothing changed for so long that whoever listens should hear something.</summary>
    public async IAsyncEnumerable<Document?> ChangesAsync(string id, string userId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Document? last = null;
        var told = clock.GetTimestamp();
        while (true)
        {
            var change = signals.NextChange();
            if (await store.FindAsync(id, userId, cancellationToken) is not { } now)
            {
                yield break;
            }

            if (now != last || clock.GetElapsedTime(told) >= Heartbeat)
            {
                yield return now == last ? null : now;
                (last, told) = (now, clock.GetTimestamp());
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

/// <summary>
/// Progress as server-sent events, silence bridged by comments. A client that goes away stops nothing; the end of its session ends the stream with an <c>error</c> event, a stop of the server with a hint to come back.
/// </summary>
internal sealed partial class DocumentEventStream(IAsyncEnumerable<Document?> changes) : IResult
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        var stopping = httpContext.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var ended = httpContext.Caller().Ended;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, stopping, ended);
        response.ContentType = EventStreams.MediaType;
        response.Headers["X-Accel-Buffering"] = "no";
        if (HeadRequests.Is(httpContext))
        {
            return;
        }

        try
        {
            var retry = "retry: 2000\n\n"; // with the first event: until there is one, a failure has a status of its own
            await foreach (var document in changes.WithCancellation(ending.Token))
            {
                await SendAsync(response, retry + (document is null ? ": \n\n" : $"event: document.progress\ndata: {JsonSerializer.Serialize(DocumentView.Of(document), Json)}\n\n"), ending.Token);
                retry = "";
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            await SayWhyAsync(httpContext, ended);
        }
        catch (Exception e) when (response.HasStarted && e is not (OperationCanceledException or IOException) && !httpContext.RequestAborted.IsCancellationRequested)
        {
            LogFailed(httpContext.RequestServices.GetRequiredService<ILogger<DocumentEventStream>>(), e);
            await SendAsync(response, ErrorOf(httpContext, ExceptionProblems.Of(e, httpContext)), CancellationToken.None);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The stream of a document's progress failed")]
    private static partial void LogFailed(ILogger logger, Exception exception);

    private static string ErrorOf(HttpContext context, Problem problem) =>
        $"event: error\ndata: {Encoding.UTF8.GetString(ProblemWriter.ToJson(problem, context.Request.Path, ProblemWriter.TraceId(context)))}\n\n";

    private static async Task SayWhyAsync(HttpContext context, CancellationToken ended)
    {
        if (context.RequestAborted.IsCancellationRequested)
        {
            return; // Whoever comes back sees how far it is.
        }

        var why = ended.IsCancellationRequested
            ? ErrorOf(context, SessionEnded.While("this document"))
            : "retry: 1000\n: the server is stopping; come back, nothing is lost\n\n";
        await SendAsync(context.Response, why, CancellationToken.None);
    }

    private static async Task SendAsync(HttpResponse response, string frames, CancellationToken cancellationToken)
    {
        await response.WriteAsync(frames, cancellationToken);
        await response.Body.FlushAsync(cancellationToken);
    }
}
