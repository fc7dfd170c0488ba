using System.Collections.Concurrent;
using System.Text.Json;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat.Sockets;

/// <summary>What both sockets share: authentication, reading frames one after the other, and streams that run beside them.</summary>
internal abstract class SocketSession(SocketChannel channel, SocketIdentity identity, RequestLimiter limiter, ILogger logger)
{
    /// <summary>Streams that one socket may follow at once.</summary>
    protected const int MaxStreams = 64;

    private readonly ConcurrentDictionary<string, Follower> _streams = new(StringComparer.Ordinal);
    private long _heard; // counts what the streams had to say
    private int _strikes; // frames over the limit, one after the other; touched by the reading only

    protected SocketChannel Channel { get; } = channel;

    protected Caller Caller => identity.Caller;

    protected RequestLimiter Limiter { get; } = limiter;

    /// <summary>Finds out who is there, then serves the socket until it ends.</summary>
    public async Task RunAsync()
    {
        using var open = ChatMetrics.SocketOpened();
        try
        {
            if (await identity.BeginAsync())
            {
                await ServeAsync();
            }
        }
        catch (Exception exception) when (!Channel.Closed.IsCancellationRequested)
        {
            // Only what comes before the first frame, and reading itself: a frame's own failure is told, and the next one is read.
            SocketLog.Failed(logger, exception);
            await TellAsync(ExceptionProblems.Of(exception));
            Channel.Close(System.Net.WebSockets.WebSocketCloseStatus.InternalServerError, "The server could not go on with this socket. What was confirmed before is kept: open a new one.");
        }
        finally
        {
            Channel.Close(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, "");
            await StopStreamsAsync();
        }
    }

    protected virtual async Task ServeAsync()
    {
        while (!Channel.IsEnding && await Channel.ReceiveAsync() is { } bytes && !Channel.IsEnding)
        {
            await ReadFrameAsync(bytes);
        }
    }

    /// <summary>For whom a frame speaks.</summary>
    protected ValueTask<Subject> SubjectAsync(JsonElement frame, string permission) => identity.SubjectAsync(frame, permission);

    /// <summary>For whom a frame reads what was said in a run.</summary>
    protected ValueTask<Subject> ReaderAsync(JsonElement frame, string runId) => identity.ReaderAsync(frame, runId);

    /// <summary>Whether more of a run that a message began is sent than its answer.</summary>
    protected ValueTask<bool> ShowsRunAsync(Caller owner, string runId) => identity.ShowsRunAsync(owner, runId);

    /// <summary>A frame of a type that not every socket knows. A problem goes to the client as an <c>error</c> frame.</summary>
    protected abstract Task<Problem?> OnFrameAsync(string? type, JsonElement frame);

    protected bool Follows(string runId) => _streams.ContainsKey(runId);

    protected int Streams => _streams.Count;

    /// <summary>Afterwards nothing of what was followed is sent any more.</summary>
    protected async Task StopStreamsAsync()
    {
        List<Follower> stopped = [];
        foreach (var entry in _streams)
        {
            if (_streams.TryRemove(entry)) // else it is ending by itself, and lets go of what it has
            {
                await entry.Value.Cancellation.CancelAsync();
                stopped.Add(entry.Value);
            }
        }

        await Task.WhenAll(stopped.Select(static s => s.Work));
        stopped.ForEach(static s => s.Cancellation.Dispose());
    }

    /// <summary>Notes that a stream has something to say, and whether it waits for a person now.</summary>
    protected void Heard(string runId, bool waits)
    {
        if (_streams.TryGetValue(runId, out var follower))
        {
            (follower.Heard, follower.Waits) = (Interlocked.Increment(ref _heard), waits);
        }
    }

    /// <summary>Ends the stream that has been quiet longest, first of all those that wait for a person: nothing of it is sent any more.</summary>
    /// <remarks>It is out of the streams before the first wait.</remarks>
    protected async Task StopQuietestAsync()
    {
        if (_streams.ToArray() is not { Length: > 0 } all)
        {
            return;
        }

        var quietest = all.MinBy(static s => (!s.Value.Waits, s.Value.Heard));
        if (_streams.TryRemove(quietest)) // else it is ending by itself, and makes room
        {
            await quietest.Value.Cancellation.CancelAsync();
            await quietest.Value.Work;
            quietest.Value.Cancellation.Dispose();
        }
    }

    /// <summary>Runs <paramref name="work"/> beside the reading; its failure is told to the client and ends nothing else.</summary>
    protected void Follow(string runId, Func<CancellationToken, Task> work)
    {
        var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Channel.Closed);
        var follower = new Follower(cancellation) { Heard = Interlocked.Increment(ref _heard) };
        _streams[runId] = follower;
        follower.Work = GuardAsync(runId, follower, work);
    }

    protected ValueTask TellAsync(Problem problem, string? runId = null) =>
        Channel.SendAsync(SocketFrames.Error(problem, System.Diagnostics.Activity.Current?.TraceId.ToHexString() ?? "", runId));

    /// <summary>What happens to one frame ends neither the socket nor what it follows.</summary>
    private async Task ReadFrameAsync(byte[] bytes)
    {
        try
        {
            await OnFrameAsync(bytes);
        }
        catch (OperationCanceledException) when (Channel.Closed.IsCancellationRequested)
        {
            // The socket ended meanwhile.
        }
#pragma warning disable CA1031 // one frame's failure must not end the others; it is logged and told
        catch (Exception exception)
#pragma warning restore CA1031
        {
            var problem = ExceptionProblems.Of(exception);
            if (problem.Status >= 500)
            {
                SocketLog.Failed(logger, exception);
            }

            await TellAsync(problem);
        }
    }

    private async Task OnFrameAsync(byte[] bytes)
    {
        if (_strikes > Limiter.FrameStrikes)
        {
            return; // closing: what still comes in is not looked at
        }

        if (await Limiter.TakeFrameAsync(Caller) is { } tooMany)
        {
            await TellAsync(tooMany);
            if (++_strikes > Limiter.FrameStrikes)
            {
                Channel.Close(System.Net.WebSockets.WebSocketCloseStatus.PolicyViolation, "Too many frames over the limit. Come back later, and slower.");
            }

            return;
        }

        _strikes = 0;

        if (SocketFrames.Parse(bytes) is not { } frame)
        {
            await TellAsync(Problems.BadRequest("invalid_json", "A frame must be one JSON object in UTF-8, at most 32 levels deep, without a member given twice."));
            return;
        }

        var type = SocketFrames.Text(frame, "type", out var wrongType);
        var problem = wrongType ? Problems.Invalid("type", "must be a string") : await HandleAsync(type, frame);
        if (problem is not null)
        {
            await identity.ObserveAsync(problem);
            await TellAsync(problem);
        }
    }

    private async Task<Problem?> HandleAsync(string? type, JsonElement frame)
    {
        switch (type)
        {
            case "ping":
                await Channel.SendAsync(SocketFrames.Pong);
                return null;
            case "auth":
                return await identity.AuthenticateAsync(frame);
            default:
                return await OnFrameAsync(type, frame);
        }
    }

    private async Task GuardAsync(string runId, Follower follower, Func<CancellationToken, Task> work)
    {
        // Off the caller's flow: the reading goes on at once.
        await Task.Yield();
        try
        {
            await work(follower.Cancellation.Token);
        }
        catch (OperationCanceledException) when (follower.Cancellation.IsCancellationRequested)
        {
            // The socket ended, or the client follows something else now.
        }
#pragma warning disable CA1031 // one stream's failure must not end the others; it is logged and told
        catch (Exception e)
#pragma warning restore CA1031
        {
            SocketLog.StreamFailed(logger, e, runId);
            await TellAsync(ExceptionProblems.Of(e), runId);
        }
        finally
        {
            if (_streams.TryRemove(KeyValuePair.Create(runId, follower)))
            {
                follower.Cancellation.Dispose();
            }
        }
    }

    private sealed class Follower(CancellationTokenSource cancellation)
    {
        public CancellationTokenSource Cancellation { get; } = cancellation;

        public Task Work { get; set; } = Task.CompletedTask;

        /// <summary>When it last had something to say: greater is later.</summary>
        public long Heard { get; set; }

        public bool Waits { get; set; }
    }
}

internal static partial class SocketLog
{
    [LoggerMessage(Level = LogLevel.Error, Message = "The stream of run {RunId} to a socket failed")]
    public static partial void StreamFailed(ILogger logger, Exception exception, string runId);

    [LoggerMessage(Level = LogLevel.Error, Message = "A frame of a socket was not served")]
    public static partial void Failed(ILogger logger, Exception exception);
}
