using System.Buffers;

namespace RootMas.LlmSimulator;

/// <summary>One answer on its way.</summary>
internal sealed record Sending(SimulatorState State, ChatRequest Request, Choice Choice, long Number, SimHold? Hold)
{
    public SimAnswer Answer => Choice.Plan.Answer;

    public AnswerBytes Build() => Choice.Plan.Build(Request, new TemplateValues(Request, Number, State.BaseUrl, Choice.Groups));

    public Task HoldAtAsync(HoldPoint point, CancellationToken cancellationToken) =>
        Hold is { } hold && hold.Spec.At == point ? hold.StopAsync(cancellationToken) : Task.CompletedTask;
}

/// <summary>Sends answers with their pace. The result is the recorded outcome.</summary>
internal static class AnswerSender
{
    public static ValueTask<string> SendAsync(HttpContext http, Sending sending)
    {
        if (sending.Choice.Plan.IsInstant && sending.Hold is null)
        {
            return SendInstantAsync(http, sending);
        }

        return SendSlowAsync(http, sending);
    }

    private static async ValueTask<string> SendInstantAsync(HttpContext http, Sending sending)
    {
        var bytes = sending.Build();
        var response = http.Response;
        SetHeaders(response, sending.Request.Stream, sending.Request.Stream ? null : bytes.Length);
        var writer = response.BodyWriter;
        bytes.CopyTo(writer.GetSpan(bytes.Length), sending.Number, sending.State.UnixSeconds, sending.Request.Bytes);
        writer.Advance(bytes.Length);
        await writer.FlushAsync(http.RequestAborted);
        return "ok";
    }

    private static async ValueTask<string> SendSlowAsync(HttpContext http, Sending sending)
    {
        var aborted = http.RequestAborted;
        await sending.HoldAtAsync(HoldPoint.Before, aborted);
        await DelayAsync(sending.Answer.HeaderDelayMs, aborted);
        if (sending.Answer.Fault is { } fault)
        {
            return await FaultSender.SendAsync(http, sending, fault);
        }

        var bytes = sending.Build();
        var buffer = Patch(bytes, sending);
        if (sending.Request.Stream)
        {
            await StreamAsync(http, sending, buffer, bytes.Frames);
        }
        else
        {
            await DelayAsync(sending.Answer.FirstTokenMs + DueMs(bytes.StreamedFrames - 1, sending.Answer), aborted);
            await WholeAsync(http, sending, buffer);
        }

        return "ok";
    }

    public static byte[] Patch(AnswerBytes bytes, Sending sending)
    {
        var buffer = new byte[bytes.Length];
        bytes.CopyTo(buffer, sending.Number, sending.State.UnixSeconds, sending.Request.Bytes);
        return buffer;
    }

    public static void SetHeaders(HttpResponse response, bool stream, long? length)
    {
        response.ContentType = stream ? "text/event-stream; charset=utf-8" : "application/json";
        response.ContentLength = length;
        if (stream)
        {
            response.Headers.CacheControl = "no-cache";
        }
    }

    public static Task DelayAsync(double milliseconds, CancellationToken cancellationToken) =>
        milliseconds > 0 ? Task.Delay(TimeSpan.FromMilliseconds(Math.Min(milliseconds, int.MaxValue)), cancellationToken) : Task.CompletedTask;

    private static async Task WholeAsync(HttpContext http, Sending sending, byte[] buffer)
    {
        SetHeaders(http.Response, stream: false, buffer.Length);
        var half = buffer.Length / 2;
        if (sending.Hold?.Spec.At is HoldPoint.Middle or HoldPoint.After)
        {
            var cut = sending.Hold.Spec.At == HoldPoint.Middle ? half : buffer.Length - 1;
            await SendPartAsync(http, buffer.AsMemory(0, cut));
            await sending.HoldAtAsync(sending.Hold.Spec.At, http.RequestAborted);
            await SendPartAsync(http, buffer.AsMemory(cut));
            return;
        }

        await SendPartAsync(http, buffer);
    }

    /// <summary>The n-th piece is due at a fixed time after the first: a late one does not delay the next.</summary>
    private static async Task StreamAsync(HttpContext http, Sending sending, byte[] buffer, IReadOnlyList<int> frames)
    {
        var aborted = http.RequestAborted;
        SetHeaders(http.Response, stream: true, null);
        await http.Response.StartAsync(aborted);
        await http.Response.BodyWriter.FlushAsync(aborted);
        await DelayAsync(sending.Answer.FirstTokenMs, aborted);
        var isPaced = sending.Answer.TokensPerSecond is not null;
        var began = sending.State.Clock.GetTimestamp();
        var from = 0;
        for (var i = 0; i < frames.Count; i++)
        {
            if (sending.Hold is not null)
            {
                await HoldFrameAsync(sending, i, frames.Count, aborted);
            }

            await DelayAsync(DueMs(i, sending.Answer) - sending.State.Clock.GetElapsedTime(began).TotalMilliseconds, aborted);
            if (isPaced || i == frames.Count - 1 || sending.Hold is not null)
            {
                await SendPartAsync(http, buffer.AsMemory(from, frames[i] - from));
                from = frames[i];
            }
        }
    }

    /// <summary>The frame before the first piece and that piece come at once, every later frame one piece's time after the one before.</summary>
    private static double DueMs(int frame, SimAnswer answer) => Math.Max(0, frame - 1) * (1000 / (answer.TokensPerSecond ?? double.PositiveInfinity));

    private static async Task HoldFrameAsync(Sending sending, int frame, int frames, CancellationToken aborted)
    {
        if (frame == frames / 2)
        {
            await sending.HoldAtAsync(HoldPoint.Middle, aborted);
        }

        if (frame == frames - 1)
        {
            await sending.HoldAtAsync(HoldPoint.After, aborted);
        }
    }

    public static async Task SendPartAsync(HttpContext http, ReadOnlyMemory<byte> part)
    {
        http.Response.BodyWriter.Write(part.Span);
        var flushed = await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
        if (flushed.IsCompleted || http.RequestAborted.IsCancellationRequested)
        {
            throw new OperationCanceledException(http.RequestAborted);
        }
    }
}
