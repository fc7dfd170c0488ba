using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using RootMas.Server.Identity.Access;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Writes an event stream whose frames the caller shapes: what is there goes out together, a comment every 15 seconds keeps proxies from closing it, and a client that does not read is dropped.</summary>
internal sealed class EventPump : IAsyncDisposable
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>So long a failure may take to have a status of its own; then the client learns that its stream has begun.</summary>
    private static readonly TimeSpan Opening = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan SlowClient = TimeSpan.FromSeconds(30);
    private readonly HttpContext _context;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _slow;
    private Task _beat = Task.CompletedTask;

    private EventPump(HttpContext context, CancellationToken stopping)
    {
        (_context, _stopping) = (context, stopping);
        _slow = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, context.Caller().Ended, stopping);
    }

    /// <summary>The client did not read for so long that its connection was closed.</summary>
    public bool IsDropped { get; private set; }

    public PipeWriter Buffer => _context.Response.BodyWriter;

    /// <summary>Something went out, or waits to: status and headers are settled.</summary>
    public bool HasBegun => _context.Response.HasStarted || Buffer.UnflushedBytes > 0;

    /// <param name="stopping">Ends the stream as the end of its session does.</param>
    public static EventPump Begin(HttpContext context, CancellationToken stopping)
    {
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return new EventPump(context, stopping);
    }

    /// <summary>Gives every item to <paramref name="write"/> until it says that this was the last.</summary>
    /// <param name="ends">Asked whenever there is nothing to write: what else may end the stream, by becoming true. Null: nothing yet.</param>
    public async Task RunAsync(IAsyncEnumerable<StreamItem> items, Func<StreamItem, bool> write, Func<Task<bool>?> ends)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(_slow.Token);
        await using var source = items.GetAsyncEnumerator(reading.Token);
        var next = source.MoveNextAsync().AsTask();
        try
        {
            while (true)
            {
                if (!next.IsCompleted)
                {
                    await FlushAsync(onlyIfBegun: true);
                    if (await BeatUntilAsync(next, ends()))
                    {
                        break;
                    }
                }

                if (!await next || write(source.Current))
                {
                    break;
                }

                next = source.MoveNextAsync().AsTask();
            }

            await FlushAsync(onlyIfBegun: true);
        }
        finally
        {
            await SettleAsync(next, reading);
        }
    }

    /// <param name="onlyIfBegun">As long as there is nothing to say, the status is not said either.</param>
    public async ValueTask FlushAsync(bool onlyIfBegun = false)
    {
        if (onlyIfBegun && !HasBegun)
        {
            return;
        }

        _slow.CancelAfter(SlowClient);
        try
        {
            await Buffer.FlushAsync(_slow.Token);
        }
        catch (OperationCanceledException) when (!_context.RequestAborted.IsCancellationRequested && !_context.Caller().Ended.IsCancellationRequested && !_stopping.IsCancellationRequested)
        {
            IsDropped = true;
            _context.Abort();
            throw;
        }

        _slow.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sends what the buffer holds as the stream's end; a client that does not read is not waited for, and does not get it.</summary>
    public async ValueTask EndAsync()
    {
        using var slow = CancellationTokenSource.CreateLinkedTokenSource(_context.RequestAborted);
        slow.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            await Buffer.FlushAsync(slow.Token);
        }
        catch (OperationCanceledException)
        {
            _context.Abort();
        }
    }

    public ValueTask DisposeAsync()
    {
        _slow.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>True: the stream has ended otherwise.</summary>
    private async Task<bool> BeatUntilAsync(Task<bool> next, Task<bool>? end)
    {
        // One timer for many items: a new one each time would leave thousands behind.
        _beat = _beat.IsCompleted ? Task.Delay(HasBegun ? Heartbeat : Opening, _slow.Token) : _beat;
        while (true)
        {
            var first = await (end is null ? Task.WhenAny(next, _beat) : Task.WhenAny(next, _beat, end));
            if (first == next || _slow.IsCancellationRequested)
            {
                return false;
            }

            if (first == end)
            {
                if (await end)
                {
                    return true;
                }

                end = null;
                continue;
            }

            ": \n\n"u8.CopyTo(Buffer.GetSpan(4));
            Buffer.Advance(4);
            await FlushAsync();
            _beat = Task.Delay(Heartbeat, _slow.Token);
        }
    }

    /// <summary>An enumerator may not be disposed while it is still moving.</summary>
    private static async Task SettleAsync(Task<bool> next, CancellationTokenSource reading)
    {
        if (next.IsCompleted)
        {
            return;
        }

        await reading.CancelAsync();
        await next.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
