using System.ComponentModel;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Routes of the queue of runs, for operators.</summary>
internal static class QueueApi
{
    private const string Read = "queue:read";
    private const string Write = "queue:write";

    public static void Map(RouteGroupBuilder queue)
    {
        queue.MapGet("", Status).RequirePermission(Read).WithName("GetQueue")
            .WithSummary("How many runs wait for a worker").WithDescription("Over all instances: how runs reach the workers, how many wait and since when, who works on how many, and the queues of RabbitMQ where one is configured.");
        queue.MapGet("/dead", Dead).RequirePermission(Read).WithName("ListDeadLetters")
            .WithSummary("List dead letters").WithDescription("What is not tried again by itself, newest first: runs that were given up because their workers died with them (worker_lost), and messages that nobody could read or that were delivered too often.");
        queue.MapPost("/dead/{id}/redrive", Redrive).RequirePermission(Write).Audits("queue.redrive").WithName("RedriveDeadLetter")
            .Refuses(404, "dead_letter_not_found", "There is no such dead letter.")
            .Refuses(409, "unreadable", "It is no message of this system.").Refuses(409, "run_needs_no_worker", "The run of the message goes on, or has ended.")
            .Refuses(409, "not_a_root_run", "It is a part of another run; redrive or retry that one.").Refuses(409, "branch_busy", "The branch works on another message now.")
            .Refuses(409, "retried_already", "The run was started again already; the dead letter is gone.").Refuses(409, "run_not_found", "The run is not there any more.")
            .Refuses(409, "log_pruned", "The run's log was removed by the server's retention.").Refuses(409, "message_rolled_back", "A later message took the run's message back.")
            .Refuses(409, RunProblems.NoConversation, "The run's conversation was deleted.")
            .Refuses(429, OpenRuns.Limit, "The owner of the run has as many unfinished runs as allowed.")
            .WithSummary("Try a dead letter again").WithDescription("A run that was given up is started anew, as a run of the same owner with retry_of. A message is sent again, if its run still waits for a worker. The dead letter is gone then. One whose run is retried, by its owner or here, is gone with that.");
        queue.MapDelete("/dead/{id}", Purge).RequirePermission(Write).Audits("queue.purge").WithName("PurgeDeadLetter")
            .Refuses(404, "dead_letter_not_found", "There is no such dead letter.")
            .WithSummary("Delete a dead letter").WithDescription("Its run stays as it is.");
    }

    private static async Task<Ok<QueueView>> Status(QueueStatus status, CancellationToken cancellationToken)
    {
        var counts = await status.CountAsync(cancellationToken);
        var workers = await status.WorkersAsync(cancellationToken);
        var queues = status.Broker is { } broker ? await broker.StatesAsync(cancellationToken) : [];
        return TypedResults.Ok(new QueueView
        {
            Dispatch = status.Dispatch,
            Broker = status.Broker is null ? "not_configured" : status.Broker.IsConnected ? "connected" : "unreachable",
            Waiting = counts.Waiting,
            WaitingForBranch = counts.WaitingForBranch,
            WaitingForTurn = counts.Turns,
            Running = counts.Running,
            Unsent = counts.Unsent,
            DeadLetters = counts.Dead,
            OldestSince = counts.OldestSince,
            Workers = [.. workers.Select(static w => new QueueWorkerView { Name = w.Name, Running = w.Running })],
            Queues = [.. queues.Select(static q => new BrokerQueueView { Name = q.Name, Messages = q.Messages, Consumers = q.Consumers })],
        });
    }

    private static async Task<Results<Ok<DeadLetterList>, Problem>> Dead(int? limit, string? cursor, DeadLetters letters, CancellationToken cancellationToken)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } problem)
        {
            return problem;
        }

        var before = page.After is [var time, var last] && long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var micros) ? (micros, last) : ((long, string)?)null;
        if (page.After is not null && before is null)
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        var found = await letters.ListAsync(before, page.Limit + 1, cancellationToken);
        return TypedResults.Ok(new DeadLetterList
        {
            Items = [.. found.Take(page.Limit).Select(DeadLetterView.Of)],
            NextCursor = found.Count > page.Limit ? CursorOf(found[page.Limit - 1]) : null,
        });
    }

    private static string CursorOf(DeadLetter letter) => Paging.CursorOf(UnixTime.ToMicros(letter.CreatedAt).ToString(CultureInfo.InvariantCulture), letter.Id);

    private static async Task<Results<Accepted<RedrivenView>, Problem>> Redrive([Description("Id of the dead letter.")] string id, DeadLetters letters, HttpContext context)
    {
        var key = context.Idempotency();
        if (key?.Made is { } made)
        {
            return TypedResults.Accepted($"/api/v1/runs/{made}", new RedrivenView { Id = id, RunId = made });
        }

        var entry = context.Audit("queue.redrive");
        var redriven = await letters.RedriveAsync(id, letter => context.AuditRow(Fill(entry, letter.Id, letter)), key?.Making("run"), context.RequestAborted);
        return redriven switch
        {
            null => NotFound(),
            { Code: null } => TypedResults.Accepted($"/api/v1/runs/{redriven.RunId}", new RedrivenView { Id = id, RunId = redriven.RunId! }),
            { Code: OpenRuns.Limit } => RunProblems.TooManyRuns(redriven.Detail ?? ""),
            _ => Problems.Conflict(redriven.Code, redriven.Detail ?? "Not possible in the current state."),
        };
    }

    private static async Task<Results<NoContent, Problem>> Purge([Description("Id of the dead letter.")] string id, DeadLetters letters, HttpContext context) =>
        await letters.PurgeAsync(id, context.AuditRow(Fill(context.Audit("queue.purge"), id, null)), context.RequestAborted) ? TypedResults.NoContent() : NotFound();

    private static AuditEntry Fill(AuditEntry entry, string id, DeadLetter? letter) => entry with
    {
        TargetKind = "dead_letter",
        TargetId = id,
        After = letter is null ? null : new JsonObject { ["kind"] = letter.Kind, ["run_id"] = letter.RunId },
    };

    private static Problem NotFound() => Problems.NotFound("dead_letter_not_found", "There is no such dead letter.");
}
