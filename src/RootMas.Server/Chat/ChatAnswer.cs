using System.Buffers;
using System.Globalization;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>
/// A run as <see cref="ChatResponse"/>: 200 once it is final (also when it failed: <c>metadata.status</c> says so), else 202 with where to look.
/// Written in one piece with its length.
/// </summary>
/// <param name="usage">Tokens of the run and of all runs below it, as its cost is that of all of them.</param>
internal sealed class ChatAnswer(RunSummary run, TokenUsage usage, DateTimeOffset now) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = run.Status.IsFinal() ? 200 : 202;
        response.ContentType = "application/json; charset=utf-8";
        if (response.StatusCode == 202)
        {
            response.Headers.Location = $"/api/v1/runs/{run.Id}";
        }

        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = ChatJson.Stored.Options.Encoder, SkipValidation = true }))
        {
            JsonSerializer.Serialize(json, Of(run, usage, now), ChatJson.Stored.ChatResponse);
        }

        response.ContentLength = buffer.WrittenCount;
        return response.Body.WriteAsync(buffer.WrittenMemory, httpContext.RequestAborted).AsTask();
    }

    internal static ChatResponse Of(RunSummary run, TokenUsage usage, DateTimeOffset now) => new()
    {
        Response = run.Answer?.Text ?? (run.Status == RunStatus.Failed ? run.Reason ?? "" : ""),
        Timestamp = now.ToUnixTimeSeconds(),
        Agent = run.Answer?.Agent ?? run.Agent,
        FlowId = run.Id,
        ConversationId = run.ConversationId,
        RunId = run.Id,
        Metadata = new ChatResponseMetadata
        {
            Status = run.Status.ToName(),
            Model = run.Answer?.Model,
            Tier = run.Answer?.Tier,
            Usage = new ChatUsage { InputTokens = usage.InputTokens, CachedTokens = usage.CachedTokens, OutputTokens = usage.OutputTokens },
            CostUsd = run.TreeCost,
            Cached = run.Answer?.SavedUsd is not null,
            SavedUsd = run.Answer?.SavedUsd,
            Agents = run.Agents,
            Citations = run.Answer?.Citations ?? [],
            CutBy = run.Answer?.CutBy,
            Reason = run.Status == RunStatus.Completed ? null : run.Reason,
            ErrorCode = run.ErrorCode,
        },
    };
}

/// <summary>Positions in time-ordered lists as cursors.</summary>
internal static class HistoryCursor
{
    public static bool TryRead(string[]? parts, out HistoryPosition? position)
    {
        position = null;
        if (parts is null)
        {
            return true;
        }

        if (parts is not [var time, var id] || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var micros))
        {
            return false;
        }

        position = new HistoryPosition(micros, id);
        return true;
    }

    public static string? Write(HistoryPosition? position) =>
        position is { } at ? Paging.CursorOf(at.CreatedAt.ToString(CultureInfo.InvariantCulture), at.Id) : null;

    public static HistoryPosition At(DateTimeOffset time, string id) => new(UnixTime.ToMicros(time), id);
}
