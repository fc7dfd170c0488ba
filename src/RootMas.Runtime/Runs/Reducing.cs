using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;
using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>Puts a summary in place of the oldest part of a prompt: one that an earlier run of the conversation has made, and then one of what was said since.</summary>
internal static class Reducing
{
    /// <summary>The tier whose models summarise.</summary>
    private const string Retelling = "cheap";

    /// <summary>More requests before one answer are not worth the wait.</summary>
    private const int MostRequests = 16;

    /// <summary>With fewer a run tells more by what it leaves out.</summary>
    private const int EnoughRequests = 4;

    /// <summary>A reduction in pieces is on its way. One that was taken over is whole, and may do.</summary>
    public static bool GoesOn(RunState state) => state.Reduction is { TakenFrom: null } reduction && reduction.Seq == state.Seq;

    public static async Task<RunExit?> ReduceAsync(RunAttempt run, CompiledAgent agent, List<PromptBlock> blocks, Reduction all)
    {
        if (run.State.Reduction is null && await EarlierAsync(run, agent, blocks, all) is { } taken)
        {
            run.Emit(taken, agent.Agent.Name);
            return null;
        }

        var earlier = run.State.Reduction;
        var made = ModelStep.ModelCallFor(run, agent.Agent, "summary", Retelling);
        var (context, reserve) = (run.Parts.Options.ContextTokens(Retelling, made.Model), run.Parts.Options.AnswerReserve);
        var room = HistoryReducer.RoomOf(context, reserve);
        var told = earlier is null ? null : ShownText.Summary(earlier.Summary, context);
        var requests = RequestsFor(run, room);
        var piece = HistoryReducer.Piece(all, told, room, requests);
        var messages = HistoryReducer.SummaryRequest(piece, told);
        var gone = await GoneAsync(run, made.Documents);
        var call = new CallModel(agent.Agent.Name, 0, "summary");
        var exchange = new ModelExchange(run, call, made, PromptBuilder.Hash("summary", messages));
        var outcome = await exchange.RunAsync(messages, new() { AdditionalProperties = new() { [ModelCall.Key] = exchange.Call } });
        if (outcome == ExchangeOutcome.Interrupted || run.State.Timer is not null)
        {
            return null;
        }

        var side = outcome == ExchangeOutcome.Completed && run.State.Side is { Text.Length: > 0 } text ? text : null;
        var reads = ModelStep.ContextOf(run, agent.Agent.Name);
        var summary = side is null ? HistoryReducer.WithoutSummary(piece, told, reads) : ShownText.Summary(side.Text, reads);
        run.Emit(
            new ContextReduced(
                Math.Max(piece.Reduction.HistoryUpTo, earlier?.HistoryDropped ?? 0),
                Math.Max(piece.Reduction.BlocksUpTo, earlier?.BlocksDropped ?? 0),
                piece.Reduction.TokensBefore,
                piece.Reduction.TokensAfter + TokenEstimate.Of(summary),
                summary)
            {
                Documents = exchange.Call.Documents,
                Facts = ModelStep.FactsOf(run),
                Whole = side is not null && IsWhole(earlier, piece, requests) ? true : null,
                GoneBefore = gone,
            },
            agent.Agent.Name);
        return null;
    }

    /// <summary>Texts that were cut because this run has next to nothing left are read as they are by another one. Where they are too many for any, that would be for every turn.</summary>
    private static bool IsWhole(ContextReduced? earlier, SummaryPiece piece, int requests) => earlier is null or { Whole: true } && (!piece.IsShortened || requests >= EnoughRequests);

    /// <summary>
    /// As an event of this log, so that every attempt sees the same. A summary with steps of the run that made it says more than the conversation does and is of no use here. Its taint needs no mark:
    /// it was made of messages that stand in this run's history, and who has tainted ones there began tainted.
    /// </summary>
    private static async ValueTask<ContextReduced?> EarlierAsync(RunAttempt run, CompiledAgent agent, List<PromptBlock> blocks, Reduction all)
    {
        if (run.Run.ParentRunId is not null || all.HistoryUpTo == 0)
        {
            return null;
        }

        // Not cut off by a cancel, which the loop looks at next: what is asked here takes no time.
        var usable = (await run.Parts.Options.Summaries.FindAsync(run.Run, run.Execution.Fenced))
            .Where(s => s is { Whole: true, BlocksDropped: 0, HistoryDropped: > 0 } && s.HistoryDropped <= run.Execution.History.Count).ToList();

        // What leaves least to be read again. Where all of them go further than they would have to, because they were made for smaller models, what goes least far.
        var best = usable.Where(s => s.HistoryDropped <= all.HistoryUpTo).MaxBy(static s => s.HistoryDropped) ?? usable.MinBy(static s => s.HistoryDropped);
        if (best is null)
        {
            return null;
        }

        var replaced = TokenEstimate.Of(blocks.Where(b => b.HistoryIndex >= 0 && b.HistoryIndex < best.HistoryDropped).SelectMany(static b => b.Messages));
        var shown = TokenEstimate.Of(ShownText.Summary(best.Summary, ModelStep.ContextOf(run, agent.Agent.Name)));
        return new(best.HistoryDropped, 0, all.TokensBefore, all.TokensBefore - replaced + shown, best.Summary)
        {
            Documents = best.Documents,
            Facts = best.Facts,
            Whole = true,
            TakenFrom = best.TakenFrom ?? best.RunId,
            GoneBefore = best.GoneBefore,
        };
    }

    /// <summary>No more than half of what the run may still do.</summary>
    private static int RequestsFor(RunAttempt run, int room)
    {
        var (limits, tree) = (run.Limits, run.Tree);
        var steps = (limits.MaxSteps - tree.Steps) / 2;
        var tokens = limits.MaxTokens > 0 ? (limits.MaxTokens - tree.Tokens) / 2 / room : MostRequests;
        return (int)Math.Clamp(Math.Min(steps, tokens), 1, MostRequests);
    }

    /// <summary>See <see cref="ContextReduced.GoneBefore"/>: what an earlier summary had read while it was there counts as long as that summary is part of the next one.</summary>
    private static async ValueTask<IReadOnlyList<string>?> GoneAsync(RunAttempt run, IReadOnlyList<string>? documents)
    {
        if (run.Run.ParentRunId is not null || documents is null)
        {
            return null;
        }

        var readable = await run.Parts.Options.CitedDocuments.ReadableAsync(run.Run, documents, run.Execution.Fenced);
        var (read, gone) = (run.State.Reduction?.Documents ?? [], run.State.Reduction?.GoneBefore ?? []);
        List<string> before = [.. documents.Where(d => !readable.Contains(d) && (!read.Contains(d, StringComparer.Ordinal) || gone.Contains(d, StringComparer.Ordinal)))];
        return before.Count == 0 ? null : before;
    }
}
