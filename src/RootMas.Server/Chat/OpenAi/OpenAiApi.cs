using System.Buffers;
using System.ComponentModel;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>The OpenAI-compatible API: teams and agents as models.</summary>
public static class OpenAiApi
{
    private const long MaxBody = 16 * 1024 * 1024;
    private const string ShouldRetry = "x-should-retry";
    private static readonly JsonDocumentOptions Lenient = new() { MaxDepth = 64 };

    public static void Map(IEndpointRouteBuilder routes)
    {
        var v1 = routes.MapGroup("/v1").WithTags("OpenAI-compatible");
        v1.MapGet("/models", Models).RequirePermission("agents:read").WithName("OpenAiModels").Produces<OpenAiModelList>()
            .WithSummary("List models").WithDescription("Teams, and agents as agent:<name>, in OpenAI's shape.");
        v1.MapGet("/models/{model}", Model).RequirePermission("agents:read").WithName("OpenAiModel").Produces<OpenAiModel>()
            .Refuses(404, "model_not_found", "There is no such team or agent.")
            .WithSummary("Read a model").WithDescription("One team or agent in OpenAI's shape.");
        v1.MapPost("/chat/completions", CompleteAsync).RequirePermission("chat:write").AuditsNothing("own work: the run's log records it").WithBodyLimit(MaxBody).HandlesIdempotency().WithName("OpenAiChat")
            .Accepts<OpenAiChatRequest>("application/json").Produces<OpenAiChatAnswer>()
            .Refuses(400, "invalid_value", "A member that is known has a wrong value.")
            .Refuses(429, "concurrent_runs", "You have as many unfinished runs as one user may have.")
            .Refuses(400, "unsupported_parameter", "A member that would change the answer cannot be honoured.")
            .Refuses(404, "model_not_found", "There is no such team or agent.")
            .Refuses(409, "run_cancelled", "The run was cancelled, by its user or by somebody else.")
            .Refuses(422, "idempotency_mismatch", "The Idempotency-Key was used with another body or query.")
            .Refuses(503, "server_stopping", "The server stops; the run, which the message names, is kept and goes on.")
            .WithSummary("Complete a chat").WithDescription(
                "As OpenAI's route of this name, streamed or not. One call is one run in a conversation of its own; closing the connection cancels it, unless it was sent with an Idempotency-Key: then it goes on, and a repeat attaches to it. "
                + "A run that waits for a person ends the answer with finish_reason stop and a text that names the run and where to decide. "
                + "Streams: text that was superseded cannot be taken back, so a note stands before the answer that counts; with response_format the answer comes in one piece. usage counts the run and all runs below it.");
    }

    private static async Task<OpenAiModelList> Models(AgentCatalog catalog, ServerStart start, CancellationToken cancellationToken)
    {
        var newest = await catalog.NewestAsync(cancellationToken);
        return new OpenAiModelList
        {
            Data =
            [
                .. newest.Teams.Select(t => OpenAiModel.Of(t.Team.Name, start.UnixSeconds)),
                .. newest.Agents.Select(a => OpenAiModel.Of(Catalog.AgentTeamPrefix + a.Agent.Name, start.UnixSeconds)),
            ],
        };
    }

    private static async Task<IResult> Model([Description("A team, or agent:<name>.")] string model, AgentCatalog catalog, ServerStart start, CancellationToken cancellationToken) =>
        await catalog.FindSnapshotAsync(model, agent: null, cancellationToken) is { Snapshot: null } missing
        ? CompletionAnswers.NoModel(Problems.NotFound(missing.Code, missing.Detail))
        : TypedResults.Ok(OpenAiModel.Of(model, start.UnixSeconds));

    private static async Task<(CompletionRequest? Request, Problem? Refusal)> ReadAsync(HttpContext context)
    {
        try
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, Lenient, context.RequestAborted);
            return (CompletionParser.Parse(body.RootElement), null);
        }
        catch (JsonException)
        {
            return (null, Problems.BadRequest("invalid_json", "The body is not valid JSON."));
        }
        catch (InvalidOperationException)
        {
            // JsonElement's word for strings that are not valid UTF-16, wherever in the body they stand.
            return (null, Problems.BadRequest("invalid_json", "The body has text that is not valid Unicode."));
        }
        catch (CompletionRefused refused)
        {
            return (null, refused.ToProblem());
        }
    }

    private static async Task<IResult> CompleteAsync(HttpContext context, IChatService chat, TimeProvider clock)
    {
        var (request, refusal) = await ReadAsync(context);
        if (request is null)
        {
            return refusal!;
        }

        if (request.Stream && await OpenStreams.AttachAsync(context) is { } full)
        {
            return full;
        }

        var caller = context.Caller();
        var sent = await chat.SendAsync(caller, ToSend(request, context), context.RequestAborted);
        if (sent.Accepted is not { } accepted)
        {
            return sent.Refusal is { Code: "team_not_found" or "agent_not_found" } noModel ? CompletionAnswers.NoModel(noModel) : sent.Refusal!;
        }

        if (accepted.Watch is { } watch)
        {
            context.Response.RegisterForDispose(watch);
        }

        var call = new Completing(context, chat, accepted, request, new CompletionWriter(accepted.RunId, request.Model, clock.GetUtcNow().ToUnixTimeSeconds(), request.IncludeUsage));
        try
        {
            return await FollowAsync(call);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return await LeftAsync(call, "The client closed the connection.");
        }
        catch (OperationCanceledException) when (caller.Ended.IsCancellationRequested)
        {
            await chat.CancelAsync(caller, accepted.RunId, "The session that asked for this ended.", CancellationToken.None);
            return context.Response.HasStarted ? TypedResults.Empty : SessionEnded.While($"run {accepted.RunId}");
        }
    }

    private static async Task<IResult> FollowAsync(Completing call)
    {
        try
        {
            return call.Request.Stream ? await StreamAsync(call, call.Chat.Stream(call.Accepted, call.Context.RequestAborted)) : await AnswerAsync(call);
        }
        catch (StorageUnavailableException) when (!call.Context.Response.HasStarted)
        {
            return Kept(call.Context, CompletionAnswers.StorageAway(call.Accepted.RunId));
        }
    }

    /// <summary>
    /// Closing the connection ends the work, as these clients expect it. Not of a call with a key, to which repeats attach; not once the answer is complete, for what waits for a person was said to go on;
    /// and not when this server stops, which closes connections itself.
    /// </summary>
    private static async Task<IResult> LeftAsync(Completing call, string why)
    {
        if (call.Context.Idempotency() is null && !call.IsComplete && !call.Chat.Stopping.IsCancellationRequested)
        {
            await call.Chat.CancelAsync(call.Context.Caller(), call.Accepted.RunId, why, CancellationToken.None);
        }

        return TypedResults.Empty;
    }

    private static SendMessage ToSend(CompletionRequest request, HttpContext context) => new()
    {
        Text = request.Input,
        Team = request.Model,
        Metadata = request.Metadata,
        Options = ChatApi.WantsFresh(context.Request) ? request.Options with { NoCache = true } : request.Options,
        History = request.History,
        IsApiCall = true,
        Watch = request.Stream,
        Key = context.Idempotency()?.Request,
    };

    private static async Task<IResult> StreamAsync(Completing call, IAsyncEnumerable<StreamItem> items)
    {
        var (context, chat, (runId, _, _, _, _, _), request, writer) = call;
        var caller = context.Caller();
        var stream = new CompletionStream(writer, holdBack: request.Options.ResponseSchema is not null, request.IncludeUsage) { ReplaysUpTo = await ReplaysUpToAsync(call) };
        await using var below = new QuestionsBelow(chat, caller, runId, stream);
        await using var events = EventPump.Begin(context, chat.Stopping);
        try
        {
            await events.RunAsync(items, item => call.IsComplete = stream.Write(item, events.Buffer), below.Watch);
            context.RequestAborted.ThrowIfCancellationRequested();
            caller.Ended.ThrowIfCancellationRequested();
            if (!call.IsComplete && below.Asking is { } asking)
            {
                stream.Park(asking, events.Buffer);
                call.IsComplete = true;
            }

            return await EndAsync(call, stream, events);
        }
        catch (OperationCanceledException) when (events.IsDropped)
        {
            return await LeftAsync(call, "The client stopped reading.");
        }
        catch (OperationCanceledException) when (caller.Ended.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            if (events.HasBegun)
            {
                await BreakOffAsync(call, events, SessionEnded.While("this run"));
            }

            throw;
        }
        catch (OperationCanceledException) when (chat.Stopping.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            if (!events.HasBegun)
            {
                return Kept(context, CompletionAnswers.Stopping(runId));
            }

            await BreakOffAsync(call, events, CompletionAnswers.Stopping(runId));
            return TypedResults.Empty;
        }
        catch (StorageUnavailableException) when (events.HasBegun && !context.RequestAborted.IsCancellationRequested)
        {
            await BreakOffAsync(call, events, CompletionAnswers.StorageAway(runId));
            return TypedResults.Empty;
        }
    }

    private static ValueTask BreakOffAsync(Completing call, EventPump events, Problem problem)
    {
        call.Writer.Error(events.Buffer, problem);
        CompletionWriter.Done(events.Buffer);
        return events.EndAsync();
    }

    private static async Task<IResult> EndAsync(Completing call, CompletionStream stream, EventPump events)
    {
        var (context, chat) = (call.Context, call.Chat);
        if (stream.Failure is { } failure && !events.HasBegun)
        {
            context.Response.Headers[ShouldRetry] = "false"; // as without a stream
            return failure;
        }

        stream.End(
            call.Request.IncludeUsage && stream.HasParts && await chat.FindAsync(context.Caller(), call.Accepted.RunId, context.RequestAborted) is { } run ? await chat.UsageAsync(run, context.RequestAborted) : null,
            events.Buffer);
        await events.FlushAsync();
        return TypedResults.Empty;
    }

    private static async Task<IResult> AnswerAsync(Completing call)
    {
        var (context, chat, (runId, _, _, _, _, _), _, writer) = call;
        var caller = context.Caller();
        using var open = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, caller.Ended);
        var (found, parked) = await QuestionsBelow.WaitAsync(chat, caller, runId, open.Token);
        if (found is not { } run)
        {
            return ChatProblems.NoRun();
        }

        if (run.Status is RunStatus.Failed or RunStatus.Cancelled)
        {
            // The clients repeat a 5xx by themselves; a run that cost money is not to be repeated unasked.
            context.Response.Headers[ShouldRetry] = "false";
            return run.Status == RunStatus.Failed ? CompletionAnswers.Failed(run.Id, run.ErrorCode, run.Reason) : CompletionAnswers.Cancelled(run.Id, run.Reason);
        }

        if (parked is null && !run.Status.IsFinal())
        {
            return Kept(context, CompletionAnswers.Stopping(runId));
        }

        var reason = CompletionAnswers.FinishReason(parked is null ? run.Answer?.CutBy : null);
        var usage = await chat.UsageAsync(run, context.RequestAborted);
        return new WrittenJson(to => writer.Completion(to, parked is null ? run.Answer?.Text ?? "" : CompletionAnswers.Parked(parked), reason, usage));
    }

    private static async Task<long> ReplaysUpToAsync(Completing call) =>
        call.Accepted.Repeated && await call.Chat.FindAsync(call.Context.Caller(), call.Accepted.RunId, call.Context.RequestAborted) is { } run ? run.LastSeq : 0;

    /// <summary>Its run goes on: a client that repeats a 5xx by itself would begin another one, unless it has the same key.</summary>
    private static Problem Kept(HttpContext context, Problem problem)
    {
        if (context.Idempotency() is null)
        {
            context.Response.Headers[ShouldRetry] = "false";
        }

        return problem;
    }

    /// <summary>One call whose message was accepted.</summary>
    private sealed record Completing(HttpContext Context, IChatService Chat, AcceptedMessage Accepted, CompletionRequest Request, CompletionWriter Writer)
    {
        /// <summary>The answer is written up to its finish_reason, or has failed.</summary>
        public bool IsComplete { get; set; }
    }

    private sealed class WrittenJson(Action<IBufferWriter<byte>> write) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var buffer = new ArrayBufferWriter<byte>(1024);
            write(buffer);
            httpContext.Response.ContentType = "application/json";
            httpContext.Response.ContentLength = buffer.WrittenCount;
            return httpContext.Response.Body.WriteAsync(buffer.WrittenMemory, httpContext.RequestAborted).AsTask();
        }
    }
}

/// <summary>When this process began; models have no other date of birth.</summary>
public sealed record ServerStart(long UnixSeconds);
