using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>
/// A run's stream as <c>text/event-stream</c>: what is ready goes out in one flush, nothing waits for a buffer to fill. Silence is bridged by comments; a stop of the server ends the stream with a
/// hint to come back; a failure after the first byte is an <c>error</c> event with a problem, then the end.
/// </summary>
public sealed partial class SseResult(IAsyncEnumerable<StreamItem> items) : IResult
{
    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        var stopping = services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var heartbeat = services.GetRequiredService<RunsOptions>().Heartbeat;
        var clock = services.GetRequiredService<TimeProvider>();
        var response = httpContext.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "text/event-stream";
        response.Headers["X-Accel-Buffering"] = "no";
        if (HeadRequests.Is(httpContext))
        {
            return;
        }

        var ended = httpContext.Features.Get<Caller>()?.Ended ?? CancellationToken.None;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, stopping, ended);
        await using var writer = new SseWriter(response.BodyWriter, heartbeat, clock);
        try
        {
            await TellAsync(writer, httpContext, ending, ended);
        }
        catch (IOException)
        {
            // The client has gone away; its run goes on.
        }
    }

    private async Task TellAsync(SseWriter writer, HttpContext httpContext, CancellationTokenSource ending, CancellationToken ended)
    {
        try
        {
            await writer.StartAsync(ending.Token);
            await CopyAsync(writer, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            await SayWhyAsync(writer, httpContext, ended);
        }
        catch (Exception exception) when (!httpContext.RequestAborted.IsCancellationRequested && exception is not IOException)
        {
            LogFailed(httpContext.RequestServices.GetRequiredService<ILogger<SseResult>>(), exception);
            await writer.ErrorAsync(ProblemWriter.ToJson(ExceptionProblems.Of(exception), httpContext.Request.Path, ProblemWriter.TraceId(httpContext)));
        }
    }

    private static async ValueTask SayWhyAsync(SseWriter writer, HttpContext context, CancellationToken ended)
    {
        if (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        if (ended.IsCancellationRequested)
        {
            await writer.ErrorAsync(ProblemWriter.ToJson(SessionEnded.While("this run"), context.Request.Path, ProblemWriter.TraceId(context)));
            return;
        }

        await writer.ComeBackAsync();
    }

    private async Task CopyAsync(SseWriter writer, CancellationToken cancellationToken)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var source = items.GetAsyncEnumerator(reading.Token);
        while (true)
        {
            var next = source.MoveNextAsync();
            if (!next.IsCompleted)
            {
                try
                {
                    await writer.FlushAsync(cancellationToken);
                }
                catch (Exception e) when (e is IOException or OperationCanceledException)
                {
                    // What waits for its next item cannot be left before it has stopped waiting.
                    await reading.CancelAsync();
                    await ((Task)next.AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    throw;
                }
            }

            if (!await next)
            {
                break;
            }

            await writer.WriteAsync(source.Current, cancellationToken);
        }

        await writer.FlushAsync(cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "An event stream failed")]
    private static partial void LogFailed(ILogger logger, Exception exception);
}

/// <summary>Writes frames straight into the response's pipe.</summary>
internal sealed class SseWriter : IAsyncDisposable
{
    private const int FlushAt = 16 * 1024;

    private readonly PipeWriter _pipe;
    private readonly TimeSpan _heartbeat;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly ITimer _timer;
    private long _lastWrite;
    private int _unflushed;

    public SseWriter(PipeWriter pipe, TimeSpan heartbeat, TimeProvider clock)
    {
        (_pipe, _heartbeat, _clock) = (pipe, heartbeat, clock);
        _lastWrite = clock.GetTimestamp();
        _timer = clock.CreateTimer(static self => _ = ((SseWriter)self!).BeatAsync(), this, heartbeat, Timeout.InfiniteTimeSpan);
    }

    /// <summary>How long a client waits before it comes back.</summary>
    public ValueTask StartAsync(CancellationToken cancellationToken) => WriteAsync(static pipe => pipe.Write("retry: 2000\n\n"u8), flush: false, cancellationToken);

    public async ValueTask WriteAsync(StreamItem item, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            _unflushed += WriteFrame(_pipe, item);
            if (_unflushed >= FlushAt)
            {
                await FlushPipeAsync(cancellationToken);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_unflushed > 0)
            {
                await FlushPipeAsync(cancellationToken);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public ValueTask ComeBackAsync() => WriteAsync(
        static pipe => pipe.Write("retry: 1000\n: the server is stopping; come back with Last-Event-ID, nothing is lost\n\n"u8), flush: true, CancellationToken.None);

    public ValueTask ErrorAsync(byte[] problem) => WriteAsync(
        pipe =>
        {
            pipe.Write("event: error\ndata: "u8);
            pipe.Write(problem);
            pipe.Write("\n\n"u8);
        },
        flush: true,
        CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        _gate.Dispose();
    }

    /// <summary>One frame; returns its size.</summary>
    internal static int WriteFrame(PipeWriter pipe, in StreamItem item)
    {
        var size = item.Json.Length + item.Type.Length + (item.Id?.Length ?? 0) + 32;
        var span = pipe.GetSpan(size);
        var at = 0;
        if (item.Id is { } id)
        {
            at += Copy("id: "u8, span[at..]);
            at += Encoding.ASCII.GetBytes(id, span[at..]);
            at += Copy("\n"u8, span[at..]);
        }

        at += Copy("event: "u8, span[at..]);
        at += Encoding.ASCII.GetBytes(item.Type, span[at..]);
        at += Copy("\ndata: "u8, span[at..]);
        at += Copy(item.Json.Span, span[at..]);
        at += Copy("\n\n"u8, span[at..]);
        pipe.Advance(at);
        return at;
    }

    private static int Copy(ReadOnlySpan<byte> from, Span<byte> to)
    {
        from.CopyTo(to);
        return from.Length;
    }

    private async ValueTask WriteAsync(Action<PipeWriter> write, bool flush, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            write(_pipe);
            _unflushed++;
            if (flush)
            {
                await FlushPipeAsync(cancellationToken);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Waits for the client if it is slow: what is published meanwhile piles up in the subscription's bounded buffer, not here.</summary>
    private async ValueTask FlushPipeAsync(CancellationToken cancellationToken)
    {
        _unflushed = 0;
        _lastWrite = _clock.GetTimestamp();
        var result = await _pipe.FlushAsync(cancellationToken);
        if (result.IsCompleted)
        {
            throw new IOException("The client has gone away.");
        }
    }

    private async Task BeatAsync()
    {
        try
        {
            var quiet = _clock.GetElapsedTime(Volatile.Read(ref _lastWrite));
            if (quiet < _heartbeat || !await _gate.WaitAsync(TimeSpan.Zero))
            {
                _timer.Change(quiet < _heartbeat ? _heartbeat - quiet : _heartbeat, Timeout.InfiniteTimeSpan); // the latter: whoever writes at this moment says that the stream lives
                return;
            }

            try
            {
                _pipe.Write(": \n\n"u8);
                await FlushPipeAsync(CancellationToken.None);
                _timer.Change(_heartbeat, Timeout.InfiniteTimeSpan);
            }
            finally
            {
                _gate.Release();
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or InvalidOperationException)
        {
            // The stream is ending (the response is completed, or the client has gone): its own loop notices.
        }
    }
}

/// <summary>Where a client says it stopped reading: <c>seq</c> or <c>seq:n</c>, digits only.</summary>
internal static class StreamPositions
{
    /// <summary>False: nonsense.</summary>
    public static bool TryParse(string text, out StreamPosition position)
    {
        position = default;
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var head = colon < 0 ? text : text[..colon];
        var n = 0;
        if (!IsNumber(head) || !long.TryParse(head, CultureInfo.InvariantCulture, out var seq)
            || (colon >= 0 && (!IsNumber(text[(colon + 1)..]) || !int.TryParse(text[(colon + 1)..], CultureInfo.InvariantCulture, out n))))
        {
            return false;
        }

        position = new StreamPosition(seq, n);
        return true;
    }

    /// <summary>Why nothing can follow on this position; null: the log reaches so far.</summary>
    public static string? Beyond(StreamPosition position, long lastSeq) => position.Seq <= lastSeq ? null : $"is beyond the log, whose newest event is {lastSeq}";

    private static bool IsNumber(string text) => text.Length is > 0 and <= 19 && text.All(char.IsAsciiDigit);
}
