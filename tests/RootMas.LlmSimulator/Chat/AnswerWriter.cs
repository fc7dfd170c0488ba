using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary>Writes answers in the shape of OpenAI's chat completions, whole or as a stream of frames.</summary>
internal static class AnswerWriter
{
    public static AnswerBytes Write(SimAnswer answer, ChatRequest request)
    {
        answer = WithFault(answer, request);
        if (request.Stream)
        {
            return WriteStream(answer, request);
        }

        var whole = WriteWhole(answer, request);
        whole.StreamedFrames = answer is { TokensPerSecond: not null, Fault: null } ? WriteStream(answer, request).Frames.Count : 0;
        return whole;
    }

    /// <summary>Faults that are only another answer.</summary>
    private static SimAnswer WithFault(SimAnswer answer, ChatRequest request) => answer.Fault?.Kind switch
    {
        FaultKind.WrongTool => answer with { Text = null, ToolCalls = [new("no_such_tool", JsonSerializer.SerializeToElement(new { value = 1 }))] },
        FaultKind.InvalidArguments => answer with
        {
            Text = null,
            ToolCalls = [new(request.ToolsOffered.FirstOrDefault() ?? "calculator", JsonSerializer.SerializeToElement("{\"value\": "))],
        },
        FaultKind.Huge => answer with { Text = new string('x', answer.Fault.Bytes), PieceChars = 16 * 1024 },
        _ => answer,
    };

    private static string? TextOf(SimAnswer answer) => answer.Json is { } json ? json.GetRawText() : answer.Text;

    private static string ArgumentsOf(SimToolCall call) => call.Arguments switch
    {
        null => "{}",
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        { } json => json.GetRawText(),
    };

    private static string? FinishOf(SimAnswer answer) =>
        answer.FinishReason == "none" ? null : answer.FinishReason ?? (answer.ToolCalls is { Count: > 0 } ? "tool_calls" : "stop");

    private static AnswerBytes WriteWhole(SimAnswer answer, ChatRequest request)
    {
        var bytes = new AnswerBytes();
        Head(bytes, "chat.completion"u8, request.Model).Raw(",\"choices\":["u8);
        if (answer.Fault?.Kind != FaultKind.EmptyChoices)
        {
            bytes.Raw("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"u8);
            _ = TextOf(answer) is { } text ? bytes.Text(text) : bytes.Raw("null"u8);
            bytes.Raw(",\"refusal\":null"u8);
            if (answer.Reasoning is { } reasoning)
            {
                bytes.Raw(",\"reasoning_content\":"u8).Text(reasoning);
            }

            if (answer.ToolCalls is { Count: > 0 } calls)
            {
                bytes.Raw(",\"tool_calls\":["u8);
                for (var i = 0; i < calls.Count; i++)
                {
                    ToolCall(bytes.Raw(i == 0 ? ""u8 : ","u8), calls[i], i, ArgumentsOf(calls[i]), indexed: false);
                }

                bytes.Raw("]"u8);
            }

            bytes.Raw("},\"logprobs\":null,\"finish_reason\":"u8);
            _ = FinishOf(answer) is { } finish ? bytes.Text(finish) : bytes.Raw("null"u8);
            bytes.Raw("}"u8);
        }

        bytes.Raw("]"u8);
        if (answer.Usage?.None != true)
        {
            Usage(bytes.Raw(",\"usage\":"u8), answer);
        }

        return bytes.Raw(",\"system_fingerprint\":\"fp_sim\"}"u8);
    }

    private static AnswerBytes WriteStream(SimAnswer answer, ChatRequest request)
    {
        var bytes = new AnswerBytes();
        if (answer.Fault?.Kind == FaultKind.EmptyChoices)
        {
            Head(bytes.Raw("data: "u8), "chat.completion.chunk"u8, request.Model).Raw(",\"choices\":[]}\n\n"u8).EndFrame();
            return Done(bytes);
        }

        Open(bytes, request).Raw("\"role\":\"assistant\",\"content\":\"\"}"u8);
        Close(bytes, null);
        foreach (var piece in Pieces.Of(answer.Reasoning, answer.PieceChars))
        {
            Open(bytes, request).Raw("\"reasoning_content\":"u8).Text(piece).Raw("}"u8);
            Close(bytes, null);
        }

        foreach (var piece in Pieces.Of(TextOf(answer), answer.PieceChars))
        {
            Open(bytes, request).Raw("\"content\":"u8).Text(piece).Raw("}"u8);
            Close(bytes, null);
        }

        StreamToolCalls(bytes, answer, request);
        Open(bytes, request).Raw("}"u8);
        Close(bytes, FinishOf(answer));
        if (request.IncludeUsage && answer.Usage?.None != true)
        {
            Head(bytes.Raw("data: "u8), "chat.completion.chunk"u8, request.Model).Raw(",\"choices\":[],\"usage\":"u8);
            Usage(bytes, answer);
            bytes.Raw("}\n\n"u8).EndFrame();
        }

        return Done(bytes);
    }

    private static void StreamToolCalls(AnswerBytes bytes, SimAnswer answer, ChatRequest request)
    {
        for (var i = 0; i < (answer.ToolCalls?.Count ?? 0); i++)
        {
            var call = answer.ToolCalls![i];
            Open(bytes, request).Raw("\"tool_calls\":["u8);
            ToolCall(bytes, call, i, "", indexed: true);
            bytes.Raw("]}"u8);
            Close(bytes, null);
            foreach (var piece in Pieces.Of(ArgumentsOf(call), answer.PieceChars ?? 12))
            {
                Open(bytes, request).Raw("\"tool_calls\":[{\"index\":"u8).Number(i).Raw(",\"function\":{\"arguments\":"u8).Text(piece).Raw("}}]}"u8);
                Close(bytes, null);
            }
        }
    }

    private static AnswerBytes Done(AnswerBytes bytes)
    {
        bytes.Raw("data: [DONE]\n\n"u8).EndFrame();
        return bytes;
    }

    private static AnswerBytes Open(AnswerBytes bytes, ChatRequest request) =>
        Head(bytes.Raw("data: "u8), "chat.completion.chunk"u8, request.Model).Raw(",\"choices\":[{\"index\":0,\"delta\":{"u8);

    private static void Close(AnswerBytes bytes, string? finish)
    {
        bytes.Raw(",\"finish_reason\":"u8);
        _ = finish is null ? bytes.Raw("null"u8) : bytes.Text(finish);
        bytes.Raw("}]}\n\n"u8).EndFrame();
    }

    private static AnswerBytes Head(AnswerBytes bytes, ReadOnlySpan<byte> kind, string model) =>
        bytes.Raw("{\"id\":\"chatcmpl-"u8).Put(Slot.CallNumber).Raw("\",\"object\":\""u8).Raw(kind).Raw("\",\"created\":"u8).Put(Slot.Created).Raw(",\"model\":"u8).Text(model);

    private static void ToolCall(AnswerBytes bytes, SimToolCall call, int index, string arguments, bool indexed)
    {
        bytes.Raw("{"u8);
        if (indexed)
        {
            bytes.Raw("\"index\":"u8).Number(index).Raw(","u8);
        }

        if (call.Id is null)
        {
            bytes.Raw("\"id\":\"call_"u8).Put(Slot.CallNumber).Raw("_"u8).Number(index).Raw("\","u8);
        }
        else if (call.Id.Length > 0)
        {
            bytes.Raw("\"id\":"u8).Text(call.Id).Raw(","u8);
        }

        bytes.Raw("\"type\":\"function\",\"function\":{\"name\":"u8).Text(call.Name).Raw(",\"arguments\":"u8).Text(arguments).Raw("}}"u8);
    }

    private static void Usage(AnswerBytes bytes, SimAnswer answer)
    {
        var usage = answer.Usage ?? new UsageScript();
        bytes.OutputTokens = usage.Output ?? Math.Max(1, Pieces.Count(TextOf(answer)) + Pieces.Count(answer.Reasoning) + (8 * (answer.ToolCalls?.Count ?? 0)));
        bytes.FixedInputTokens = usage.Input;
        bytes.Raw("{\"prompt_tokens\":"u8).Put(Slot.InputTokens)
            .Raw(",\"completion_tokens\":"u8).Number(bytes.OutputTokens)
            .Raw(",\"total_tokens\":"u8).Put(Slot.TotalTokens)
            .Raw(",\"prompt_tokens_details\":{\"cached_tokens\":"u8).Number(usage.Cached)
            .Raw("},\"completion_tokens_details\":{\"reasoning_tokens\":"u8).Number(usage.Reasoning).Raw("}}"u8);
    }
}

/// <summary>A text cut into the pieces of a stream.</summary>
internal static class Pieces
{
    /// <summary>Pieces of <paramref name="chars"/> characters (a surrogate pair is never split), or one word with the blanks before it.</summary>
    public static IEnumerable<string> Of(string? text, int? chars)
    {
        for (var at = 0; at < (text?.Length ?? 0);)
        {
            var end = chars is { } length ? Math.Min(text!.Length, at + Math.Max(1, length)) : WordEnd(text!, at);
            if (end < text!.Length && char.IsHighSurrogate(text[end - 1]))
            {
                end++;
            }

            yield return text[at..end];
            at = end;
        }
    }

    public static int Count(string? text)
    {
        var count = 0;
        for (var at = 0; at < (text?.Length ?? 0); at = WordEnd(text!, at))
        {
            count++;
        }

        return count;
    }

    private static int WordEnd(string text, int at)
    {
        var end = at;
        while (end < text.Length && char.IsWhiteSpace(text[end]))
        {
            end++;
        }

        while (end < text.Length && !char.IsWhiteSpace(text[end]))
        {
            end++;
        }

        return end;
    }
}
