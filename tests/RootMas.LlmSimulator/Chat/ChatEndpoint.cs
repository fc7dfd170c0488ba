using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary><c>POST /v1/chat/completions</c>. An answer without delays, faults and holds is one copy into the connection's buffer.</summary>
internal sealed class ChatEndpoint(SimulatorState state)
{
    private const int LargestBody = 64 * 1024 * 1024;

    public async Task HandleAsync(HttpContext http)
    {
        var body = await ReadBodyAsync(http.Request.BodyReader, http.RequestAborted);
        try
        {
            await AnswerAsync(http, body);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(body.Array!);
        }
    }

    internal static async ValueTask<ArraySegment<byte>> ReadBodyAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            if (read.IsCompleted || read.Buffer.Length > LargestBody)
            {
                var length = (int)read.Buffer.Length;
                var copy = ArrayPool<byte>.Shared.Rent(Math.Max(1, length));
                read.Buffer.CopyTo(copy);
                reader.AdvanceTo(read.Buffer.End);
                return new ArraySegment<byte>(copy, 0, length);
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private async Task AnswerAsync(HttpContext http, ArraySegment<byte> body)
    {
        var rules = state.Rules;
        ChatRequest request;
        try
        {
            request = rules.NeedsContent ? ChatRequest.Parse(body) : ChatRequest.ParseHead(body);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            await Errors.SendAsync(http, 400, "invalid_request_error", "The request body is not valid JSON.");
            return;
        }

        var choice = rules.Choose(request);
        var number = state.Calls.NextNumber(embeddings: false);
        var recording = rules.Script.Record;
        var authorization = recording == Recording.Full ? http.Request.Headers.Authorization.ToString() : null;
        var call = state.Calls.Begin(number, recording, "chat", request, choice.Rule, body, authorization);
        var hold = state.Holds.Take(request.Agent, choice.Rule, null);
        var outcome = "aborted";
        var complete = false;
        try
        {
            outcome = await AnswerSender.SendAsync(http, new Sending(state, request, choice, number, hold));
            complete = true;
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            complete = false;
        }
        finally
        {
            state.Calls.End(call, outcome, aborted: !complete);
        }
    }
}

internal static class Errors
{
    public static async Task SendAsync(HttpContext http, int status, string type, string message, string? retryAfter = null)
    {
        http.Response.StatusCode = status;
        if (retryAfter is not null)
        {
            http.Response.Headers.RetryAfter = retryAfter;
        }

        await http.Response.WriteAsJsonAsync(new { error = new { message, type, param = (string?)null, code = (string?)null } }, http.RequestAborted);
    }
}
