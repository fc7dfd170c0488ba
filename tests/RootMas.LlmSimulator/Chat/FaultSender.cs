using System.Text;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary>Answers that go wrong on the wire.</summary>
internal static class FaultSender
{
    /// <summary>Time for what was written to reach the client before the connection is cut.</summary>
    private static readonly TimeSpan Drain = TimeSpan.FromMilliseconds(200);

    public static async ValueTask<string> SendAsync(HttpContext http, Sending sending, SimFault fault)
    {
        await AnswerSender.DelayAsync(sending.Answer.FirstTokenMs, http.RequestAborted);
        switch (fault.Kind)
        {
            case FaultKind.Status:
                await StatusAsync(http, fault);
                break;
            case FaultKind.Close:
                http.Abort();
                break;
            case FaultKind.Hang:
                await Task.Delay(Timeout.Infinite, http.RequestAborted);
                break;
            case FaultKind.Endless:
                await EndlessAsync(http, sending);
                break;
            default:
                await BodyAsync(http, sending, fault);
                break;
        }

        return JsonNamingPolicy.SnakeCaseLower.ConvertName(fault.Kind.ToString());
    }

    private static async Task StatusAsync(HttpContext http, SimFault fault)
    {
        if (fault.Body is not { } body)
        {
            var type = fault.Status switch
            {
                401 => "authentication_error",
                429 => "rate_limit_error",
                >= 500 => "server_error",
                _ => "invalid_request_error",
            };
            await Errors.SendAsync(http, fault.Status, type, $"Simulated {fault.Status}.", fault.RetryAfter);
            return;
        }

        http.Response.StatusCode = fault.Status;
        http.Response.ContentType = body.AsSpan().TrimStart() is ['{', ..] ? "application/json" : "text/html";
        if (fault.RetryAfter is { } retryAfter)
        {
            http.Response.Headers.RetryAfter = retryAfter;
        }

        await http.Response.WriteAsync(body, http.RequestAborted);
    }

    private static async Task EndlessAsync(HttpContext http, Sending sending)
    {
        var stream = sending.Request.Stream;
        AnswerSender.SetHeaders(http.Response, stream, null);
        var piece = stream
            ? "data: {\"id\":\"chatcmpl-endless\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"and on \"},\"finish_reason\":null}]}\n\n"u8.ToArray()
            : "{\"id\":\"chatcmpl-endless\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"and on and on "u8.ToArray();
        var interval = 1000 / (sending.Answer.TokensPerSecond ?? 1000);
        while (true)
        {
            await AnswerSender.SendPartAsync(http, piece);
            piece = stream ? piece : "and on and on "u8.ToArray();
            await AnswerSender.DelayAsync(interval, http.RequestAborted);
        }
    }

    private static async Task BodyAsync(HttpContext http, Sending sending, SimFault fault)
    {
        var bytes = sending.Build();
        var buffer = AnswerSender.Patch(bytes, sending);
        var stream = sending.Request.Stream;
        switch (fault.Kind)
        {
            case FaultKind.Cut or FaultKind.Stall:
                AnswerSender.SetHeaders(http.Response, stream, stream ? null : buffer.Length);
                await CutAsync(http, buffer.AsMemory(0, Math.Min(fault.AfterBytes, buffer.Length)), fault.Kind == FaultKind.Stall);
                return;
            case FaultKind.Drip:
                AnswerSender.SetHeaders(http.Response, stream, stream ? null : buffer.Length);
                await DripAsync(http, buffer, fault.BytesPerSecond);
                return;
            default:
                buffer = Spoil(buffer, bytes, stream, fault.Kind);
                AnswerSender.SetHeaders(http.Response, stream, stream ? null : buffer.Length);
                await AnswerSender.SendPartAsync(http, buffer);
                return;
        }
    }

    private static async Task CutAsync(HttpContext http, ReadOnlyMemory<byte> part, bool stall)
    {
        await http.Response.StartAsync(http.RequestAborted);
        await AnswerSender.SendPartAsync(http, part);
        if (stall)
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        }

        await Task.Delay(Drain, http.RequestAborted);
        http.Abort();
    }

    public static async Task DripAsync(HttpContext http, ReadOnlyMemory<byte> buffer, double bytesPerSecond)
    {
        // Above 100 bytes a second several bytes go together: timers are not finer.
        var step = (int)Math.Max(1, bytesPerSecond / 100);
        for (var at = 0; at < buffer.Length; at += step)
        {
            await AnswerSender.SendPartAsync(http, buffer.Slice(at, Math.Min(step, buffer.Length - at)));
            await AnswerSender.DelayAsync(1000 * step / bytesPerSecond, http.RequestAborted);
        }
    }

    /// <summary>The bytes of the other faults; those that are only another answer pass unchanged.</summary>
    private static byte[] Spoil(byte[] buffer, AnswerBytes bytes, bool stream, FaultKind kind)
    {
        var half = stream ? bytes.Frames[bytes.Frames.Count / 2] : buffer.Length / 2;
        var first = buffer.AsSpan(0, half);
        return kind switch
        {
            FaultKind.MalformedJson when stream => [.. first, .. "data: {\"choices\":[{\"delta\":{\"content\":\"bro\n\n"u8, .. buffer.AsSpan(half)],
            FaultKind.MalformedJson => [.. first, .. "}}]"u8],
            FaultKind.MalformedSse => [.. stream ? first : [], .. "<html>502</html>\ndata\n:::\nevent: \x01\n\nid no colon\n\n"u8],
            FaultKind.NoEnd => [.. first],
            FaultKind.ErrorInStream when stream => [.. first, .. "data: "u8, .. ErrorBody, .. "\n\n"u8],
            FaultKind.ErrorInStream => ErrorBody,
            _ => buffer,
        };
    }

    private static byte[] ErrorBody { get; } =
        Encoding.UTF8.GetBytes("{\"error\":{\"message\":\"Simulated failure in the stream.\",\"type\":\"server_error\",\"param\":null,\"code\":null}}");
}
