using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>A page of runs.</summary>
public sealed record RunList
{
    /// <summary>The runs of this page, newest first.</summary>
    public required IReadOnlyList<RunView> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }
}

/// <summary>A run.</summary>
public sealed record RunView
{
    private const int LongestTitle = 120;

    /// <summary>Id of the run.</summary>
    /// <example>0198f2c4-7a11-7cc3-9b3e-0d1f5a2b6c70</example>
    public required string Id { get; init; }

    /// <summary>queued, running, waiting_approval, waiting_input, waiting_children, waiting_timer, needs_review, completed, failed or cancelled.</summary>
    /// <example>completed</example>
    public required string Status { get; init; }

    /// <summary>Its question on one line, cut after 120 characters; null: the question is very long, was removed, or is not shown to you. Runs below another have none here.</summary>
    /// <example>Which trains go to Kazan?</example>
    public string? Title { get; init; }

    /// <summary>The team that works.</summary>
    /// <example>root-mas</example>
    public required string Team { get; init; }

    /// <summary>The agent that entered first.</summary>
    /// <example>communicator</example>
    public required string Agent { get; init; }

    /// <summary>Agents that took part, in order of appearance.</summary>
    /// <example>["communicator"]</example>
    public required IReadOnlyList<string> Agents { get; init; }

    /// <summary>The user who owns the run.</summary>
    /// <example>0198f2c4-0000-7000-8000-000000000001</example>
    public required string OwnerId { get; init; }

    /// <summary>The conversation it belongs to, or null.</summary>
    /// <example>null</example>
    public string? ConversationId { get; init; }

    /// <summary>The message it answers, or null.</summary>
    /// <example>null</example>
    public string? InputMessageId { get; init; }

    /// <summary>The run that asked for this one; null: a person did.</summary>
    /// <example>null</example>
    public string? ParentRunId { get; init; }

    /// <summary>The run at the top of the tree; its own id for a root.</summary>
    /// <example>0198f2c4-7a11-7cc3-9b3e-0d1f5a2b6c70</example>
    public required string RootRunId { get; init; }

    /// <summary>The run that this one repeats, or null.</summary>
    /// <example>null</example>
    public string? RetryOf { get; init; }

    /// <summary>How often a worker has taken it up.</summary>
    /// <example>1</example>
    public required int Attempt { get; init; }

    /// <summary>Number of the newest event of its log.</summary>
    /// <example>6</example>
    public required long LastSeq { get; init; }

    /// <summary>Tokens of this run alone.</summary>
    public required RunUsage Usage { get; init; }

    /// <summary>Tokens with all its descendants; of a run below another, its own.</summary>
    public RunUsage? TreeUsage { get; init; }

    /// <summary>Cost of this run alone, in US dollars.</summary>
    /// <example>0.0012</example>
    public required Money CostUsd { get; init; }

    /// <summary>Cost with all its descendants, in US dollars.</summary>
    /// <example>0.0012</example>
    public required Money TreeCostUsd { get; init; }

    /// <summary>The final message, when there is one.</summary>
    [Description("The final message, when there is one.")]
    public RunAnswer? Answer { get; init; }

    /// <summary>Why it waits or how it failed, for people; else null.</summary>
    /// <example>null</example>
    public string? Reason { get; init; }

    /// <summary>Stable code of a failure: worker_lost, guard, internal …; else null.</summary>
    /// <example>null</example>
    public string? ErrorCode { get; init; }

    /// <summary>When it was accepted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it ended; null: it has not.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>True: its events were removed by the operator's retention, but for the answer and the last one, which its stream still gives. It cannot be retried.</summary>
    /// <example>false</example>
    public bool LogPruned { get; init; }

    /// <summary>Since when its owner shows it, with all below it, to everybody who is signed in and knows its id; null: to nobody. Runs below another have none here: their root's counts.</summary>
    /// <example>null</example>
    public DateTimeOffset? SharedAt { get; init; }

    /// <summary>With tree=1: the runs that it asked for, oldest first, each with its own.</summary>
    public IReadOnlyList<RunView>? Children { get; init; }

    /// <summary>Makes the view of a run.</summary>
    /// <param name="withContent">False: who did what and what it cost, but nothing of what was said.</param>
    /// <param name="input">What it was asked, if that is known.</param>
    public static RunView Of(RunSummary run, bool withContent = true, string? input = null) => new()
    {
        Id = run.Id,
        Title = withContent && input is not null ? TitleOf(input) : null,
        Status = run.Status.ToName(),
        Team = run.Team,
        Agent = run.Agent,
        Agents = run.Agents,
        OwnerId = run.OwnerId,
        ConversationId = run.ConversationId,
        InputMessageId = run.InputMessageId,
        ParentRunId = run.ParentRunId,
        RootRunId = run.RootRunId,
        RetryOf = run.RetryOf,
        Attempt = run.Attempt,
        LastSeq = run.LastSeq,
        Usage = RunUsage.Of(run.Usage),
        TreeUsage = RunUsage.Of(run.TreeUsage),
        CostUsd = run.Cost,
        TreeCostUsd = run.TreeCost,
        Answer = withContent && run.Answer is { } answer ? RunAnswer.Of(answer) : null,
        Reason = withContent ? run.Reason : null,
        ErrorCode = run.ErrorCode,
        CreatedAt = run.CreatedAt,
        EndedAt = run.EndedAt,
        LogPruned = run.LogPruned,
        SharedAt = run.SharedAt,
    };

    private static string TitleOf(string input)
    {
        var line = string.Join(' ', input.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= LongestTitle ? line : string.Concat(line.AsSpan(0, LongestTitle - (char.IsHighSurrogate(line[LongestTitle - 1]) ? 1 : 0)), "…");
    }
}

/// <summary>Tokens.</summary>
public sealed record RunUsage
{
    /// <summary>Tokens read, cached ones included.</summary>
    /// <example>812</example>
    public required long InputTokens { get; init; }

    /// <summary>Tokens of the input that came from the provider's cache.</summary>
    /// <example>0</example>
    public required long CachedTokens { get; init; }

    /// <summary>Tokens written.</summary>
    /// <example>64</example>
    public required long OutputTokens { get; init; }

    internal static RunUsage Of(TokenUsage usage) => new() { InputTokens = usage.InputTokens, CachedTokens = usage.CachedTokens, OutputTokens = usage.OutputTokens };
}

/// <summary>The final message of a run.</summary>
public sealed record RunAnswer
{
    /// <summary>Id of the message.</summary>
    /// <example>0198f2c4-7a12-7d10-8f00-6d1f5a2b6c70</example>
    public required string MessageId { get; init; }

    /// <summary>The text.</summary>
    /// <example>17 × 23 is 391.</example>
    public required string Text { get; init; }

    /// <summary>complete, or interrupted: the run was stopped and this is what there was.</summary>
    /// <example>complete</example>
    public required string Status { get; init; }

    /// <summary>length, or content_filter: the model ended the text before it was whole; null: it is whole.</summary>
    /// <example>null</example>
    public string? CutBy { get; init; }

    /// <summary>The agent that wrote it.</summary>
    /// <example>communicator</example>
    public string? Agent { get; init; }

    /// <summary>The model that wrote it; null: no single one.</summary>
    /// <example>offline</example>
    public string? Model { get; init; }

    /// <summary>Sources the text names.</summary>
    public required IReadOnlyList<RunCitation> Citations { get; init; }

    /// <summary>What the answer would have cost, in US dollars; null: it came from a model and not from the cache.</summary>
    /// <example>null</example>
    public Money? SavedUsd { get; init; }

    internal static RunAnswer Of(MessageCompleted m) => new()
    {
        MessageId = m.MessageId,
        Text = m.Text,
        Status = m.Status,
        CutBy = m.CutBy,
        Agent = m.Agent,
        Model = m.Model,
        Citations = [.. m.Citations.Select(RunCitation.Of)],
        SavedUsd = m.SavedUsd,
    };
}

/// <summary>A source that an answer names.</summary>
public sealed record RunCitation
{
    /// <summary>The mark in the text: [1].</summary>
    /// <example>"1"</example>
    public required string Id { get; init; }

    /// <summary>Title of the source.</summary>
    /// <example>Kazan – Wikipedia</example>
    public string? Title { get; init; }

    /// <summary>Address of the source.</summary>
    /// <example>https://en.wikipedia.org/wiki/Kazan</example>
    public string? Url { get; init; }

    /// <summary>The words it rests on.</summary>
    /// <example>Kazan is the capital of Tatarstan.</example>
    public string? Excerpt { get; init; }

    /// <summary>The stored document, if it is one.</summary>
    /// <example>null</example>
    public string? DocumentId { get; init; }

    /// <summary>Page of the document, from 1.</summary>
    /// <example>null</example>
    public int? Page { get; init; }

    /// <summary>First character of the excerpt in the document's text.</summary>
    /// <example>null</example>
    public int? Start { get; init; }

    /// <summary>Character after the excerpt.</summary>
    /// <example>null</example>
    public int? End { get; init; }

    internal static RunCitation Of(Citation c) => new()
    {
        Id = c.Id,
        Title = c.Title,
        Url = c.Url,
        Excerpt = c.Excerpt,
        DocumentId = c.DocumentId,
        Page = c.Page,
        Start = c.Start,
        End = c.End,
    };
}

/// <summary>A page of a run's log.</summary>
public sealed record RunEventPage
{
    /// <summary>The stored events, oldest first, as they are streamed.</summary>
    public required IReadOnlyList<JsonElement> Items { get; init; }

    /// <summary>Send it as after to get the next page; null: nothing more is stored now.</summary>
    /// <example>null</example>
    public required long? NextAfter { get; init; }

    /// <summary>The same as a text, as other lists have it: send it as cursor. Null: nothing more is stored now.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }

    /// <summary>The run's status when the page was read.</summary>
    /// <example>completed</example>
    public required string Status { get; init; }
}

/// <summary>Why a run is cancelled.</summary>
public sealed record CancelRun
{
    /// <summary>For the log; shown to whoever looks at the run.</summary>
    /// <example>No longer needed.</example>
    [Characters(0, 1000)]
    public string? Reason { get; init; }
}

/// <summary>From where a run is repeated.</summary>
public sealed record RetryRun
{
    /// <summary>Completed steps before this event are copied and not executed again; null: everything is done anew.</summary>
    /// <example>null</example>
    [Range(1, long.MaxValue)]
    public long? FromSeq { get; init; }
}

/// <summary>An answer to a question of a run.</summary>
public sealed record AnswerRun
{
    /// <summary>The question, as call_id of its input.requested event; null: the newest open one.</summary>
    /// <example>call_2</example>
    [RegularExpression("^call_[0-9]{1,9}$")]
    public string? CallId { get; init; }

    /// <summary>The answer.</summary>
    /// <example>From Moscow, by train.</example>
    [Characters(1, 10_000)]
    public required string Text { get; init; }
}

/// <summary>What a person found out about a call in doubt.</summary>
public sealed record ResolveRun
{
    /// <summary>The call, as call_id of the run.needs_review event.</summary>
    /// <example>call_3</example>
    [RegularExpression("^call_[0-9]{1,9}$")]
    public required string CallId { get; init; }

    /// <summary>done: it acted, go on; repeat: it did not, do it again; cancel: go on without it.</summary>
    /// <example>done</example>
    [AllowedValues("done", "repeat", "cancel")]
    public required string Outcome { get; init; }

    /// <summary>With done: what the agent is told as the call's result.</summary>
    /// <example>The order was placed, number 4711.</example>
    [Characters(0, 20_000)]
    public string? Result { get; init; }
}
