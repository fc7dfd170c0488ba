using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;
using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>Prepares a model call: prompt, tools, format; reduces the context first when it would overflow.</summary>
internal static class ModelStep
{
    public static async Task<RunExit?> RunAsync(RunAttempt run, CallModel call)
    {
        var options = run.Run.Options;
        var isAnswer = call.Purpose == "answer";
        var mayMove = isAnswer && !options.Simple;
        var agent = CompiledAgent.Get(run.Execution.Snapshot, call.Agent, mayMove && run.Run.Depth < run.Limits.MaxDepth, mayMove);
        var blocks = PromptBuilder.Build(run.View, agent, call, run.Execution.History, options);
        var (room, reserve, beside) = (RoomFor(run, call.Agent), run.Parts.Options.AnswerReserve, Beside(run, agent, call));
        if (HistoryReducer.Plan(blocks, room, reserve, beside, Reducing.GoesOn(run.State), out var fits) is { } reduction)
        {
            return await Reducing.ReduceAsync(run, agent, blocks, reduction);
        }

        var shown = fits ? blocks : Shorter(blocks, longest => PromptBuilder.Build(run.View with { Longest = longest }, agent, call, run.Execution.History, options), b => HistoryReducer.CanBeRead(b, room, reserve, beside));
        var messages = PromptBuilder.Flatten(shown);
        var exchange = new ModelExchange(run, call, ModelCallFor(run, agent.Agent, call.Purpose, agent.Agent.Tier, isAnswer ? QuestionOf(run, messages) : null), PromptBuilder.Hash(agent.Agent.Version, messages));
        return await exchange.RunAsync(messages, ChatOptionsFor(run, agent, call, exchange.Call, isAnswer ? await CallRights.OfferedAsync(run, agent) : null)) switch
        {
            ExchangeOutcome.Failed when !isAnswer && run.State.Side is not null => null, // the team asks again, or goes on without it
            ExchangeOutcome.Failed => await Ending.FailAsync(run, "model_" + exchange.Failure!.ErrorClass, exchange.Failure.Message),
            _ => null,
        };
    }

    /// <summary>Shows less of each text until the model can read all of it. Where even that is too much, because the request alone is, nothing is cut for nothing.</summary>
    private static List<PromptBlock> Shorter(List<PromptBlock> blocks, Func<int, List<PromptBlock>> cutTo, Func<List<PromptBlock>, bool> canBeRead)
    {
        var shown = blocks;
        for (var longest = ShownText.Longest; !canBeRead(shown); longest /= 2)
        {
            if (longest < ShownText.Shortest)
            {
                return blocks;
            }

            shown = cutTo(longest);
        }

        return shown;
    }

    /// <summary>Tokens that the model of an agent can read at once.</summary>
    public static int ContextOf(RunAttempt run, string name) => Asked(run, name, run.Parts.Options.ContextTokens);

    private static ModelContext RoomFor(RunAttempt run, string name) => new(ContextOf(run, name), Asked(run, name, run.Parts.Options.TakesReasoning));

    private static T Asked<T>(RunAttempt run, string name, Func<string, string?, T> of)
    {
        var agent = run.Execution.Snapshot.Agents.GetValueOrDefault(name);
        return of(agent?.Tier ?? "standard", run.Run.Options.Model ?? agent?.Model);
    }

    /// <summary>Tokens of what is sent beside the messages; see <see cref="ChatOptionsFor"/>.</summary>
    private static int Beside(RunAttempt run, CompiledAgent agent, CallModel call)
    {
        if (call.Purpose != "answer")
        {
            return TokenEstimate.Of(SideInstructions.SchemaFor(run.View, call.Purpose));
        }

        var wanted = IsForCaller(run) ? run.Run.Options.ResponseSchema : null;
        return agent.ToolTokens + TokenEstimate.Of(wanted ?? agent.Agent.OutputSchema ?? "");
    }

    /// <summary>What was asked for, if it is the last message: after a tool call, a handoff or a hint it is not.</summary>
    private static string? QuestionOf(RunAttempt run, List<ChatMessage> messages) =>
        messages[^1] is { Contents: [TextContent { Text: var text }] } last && last.Role == ChatRole.User && ReferenceEquals(text, run.State.Input) ? text : null;

    /// <summary>Documents whose words the run may know, in an order that is the same for equal requests: an answer that is kept goes with each of them. Null: none.</summary>
    internal static IReadOnlyList<string>? DocumentsOf(RunAttempt run)
    {
        var options = run.Run.Options;
        List<string> ids =
        [
            .. options.Attachments?.Select(static a => a.Id) ?? [],
            .. options.Documents ?? [],
            .. run.State.DocumentsBrought,
            .. run.Execution.History.SelectMany(static m => m.Documents ?? []),
            .. run.State.Citations.Select(static c => c.DocumentId).OfType<string>(),
            .. run.State.DocumentsBelow,
            .. run.State.Reduction?.Documents ?? [],
        ];
        return ids.Count == 0 ? null : [.. ids.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Remembered facts whose words the run may know. Null: none.</summary>
    internal static IReadOnlyList<string>? FactsOf(RunAttempt run)
    {
        var ids = run.State.FactsTold.Concat(run.State.Memory?.Facts.Select(static f => f.Id) ?? []).Concat(run.State.Reduction?.Facts ?? []).Distinct(StringComparer.Ordinal).ToList();
        return ids.Count == 0 ? null : ids;
    }

    internal static ModelCall ModelCallFor(RunAttempt run, Agent agent, string purpose, string tier, string? question = null)
    {
        var limit = run.Limits.MaxCostMicroUsd;
        var wanted = run.Run.Options.Model;
        var isTier = wanted is "cheap" or "standard" or "premium";
        return new()
        {
            RunId = run.Run.RunId,
            RootRunId = run.Run.RootRunId,
            ConversationId = run.Run.ConversationId,
            OwnerId = run.Run.OwnerId,
            Agent = agent.Name,
            MessageId = Guid.CreateVersion7().ToString(),
            Purpose = purpose,
            Tier = isTier && purpose != "summary" ? wanted! : tier, // to retell needs no better one than the cheap
            Model = wanted is not null && !isTier ? wanted : agent.Model,
            Budget = limit > 0 ? new Money(Math.Max(0, limit - run.Tree.CostMicroUsd)) : null,
            PromptVersion = agent.Version,
            NoCache = run.Run.Options.NoCache,
            Cache = agent.Cache,
            Question = question,
            Tainted = run.State.Tainted,
            Documents = DocumentsOf(run),
        };
    }

    private static ChatOptions ChatOptionsFor(RunAttempt run, CompiledAgent agent, CallModel call, ModelCall modelCall, Func<string, bool>? offered)
    {
        var request = run.Run.Options;
        var options = new ChatOptions
        {
            Temperature = (float?)agent.Agent.Temperature,
            AdditionalProperties = new() { [ModelCall.Key] = modelCall },
        };
        if (call.Purpose != "answer")
        {
            options.ResponseFormat = SideInstructions.Format(SideInstructions.SchemaFor(run.View, call.Purpose), call.Purpose);
            return options;
        }

        if (agent.Tools.Count > 0)
        {
            var tools = request.DeniedTools is { Count: > 0 } denied ? agent.Tools.Where(t => !denied.Contains(t.Name, StringComparer.Ordinal)) : agent.Tools;
            options.Tools = [.. offered is null ? tools : tools.Where(t => offered(t.Name))];
        }

        if (agent.Agent.OutputSchema is { } schema)
        {
            options.ResponseFormat = SideInstructions.Format(schema, agent.Agent.Name);
        }

        if (IsForCaller(run))
        {
            options.Temperature = (float?)request.Temperature ?? options.Temperature;
            options.TopP = (float?)request.TopP;
            options.MaxOutputTokens = request.MaxOutputTokens;
            options.StopSequences = request.Stop is { Count: > 0 } stop ? [.. stop] : null;
            options.ResponseFormat = request.ResponseSchema is { } wanted ? SideInstructions.Format(wanted, "answer") : options.ResponseFormat;
        }

        return options;
    }

    /// <summary>Whether the caller wants an answer that a program reads.</summary>
    internal static bool IsJsonWanted(NewRun run) => run is { ParentRunId: null, Options.ResponseSchema: not null };

    /// <summary>Whether whoever answers now owes it.</summary>
    internal static bool OwesJson(RunAttempt run) => IsJsonWanted(run.Run) && IsForCaller(run);

    /// <summary>The caller's wishes are for the agent that answers: not for parts of the tree, nor for members of a sequence on whose text the next one works. In a group chat whoever speaks may be it.</summary>
    private static bool IsForCaller(RunAttempt run) =>
        run.Run.ParentRunId is null && (run.View.Kind != PatternKind.Sequential || TeamPattern.PartsOf(run.State) >= run.View.Team.Members.Count - 1);
}
