using System.Buffers;
using System.Text;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>
/// Honours <c>Idempotency-Key</c> on every POST: the first request's answer is kept, and its repeats get it. Routes with <see cref="OwnIdempotency"/> only get the key
/// (<see cref="IdempotencyConventions.Idempotency"/>). Stands behind routing and identity.
/// </summary>
public sealed partial class IdempotencyMiddleware(RequestDelegate next, IdempotencyKeeping keeping, RequestOwner owner, KeyRing keys, ILogger<IdempotencyMiddleware> logger)
{
    private const string Header = "Idempotency-Key";
    private const int LongestKey = 255;

    /// <summary>Bodies may hold passwords: without the key a stolen database is no place to try them out.</summary>
    internal const string HashKey = "idempotency";

    public async Task InvokeAsync(HttpContext context)
    {
        var sent = context.Request.Headers[Header];
        if (sent.Count == 0 || !HttpMethods.IsPost(context.Request.Method) || context.GetEndpoint() is not { } endpoint || owner(context) is not { } ownerId)
        {
            await next(context);
            return;
        }

        if (sent.Count != 1 || sent[0] is not { Length: > 0 and <= LongestKey } key || key.Any(static c => c is < '!' or > '~'))
        {
            await ProblemWriter.WriteAsync(context, Problems.BadRequest("invalid_idempotency_key", "Idempotency-Key must be given once: 1 to 255 printable ASCII characters without spaces. Nothing was done.", "Idempotency-Key", "must be given once, 1 to 255 printable ASCII characters without spaces"));
            return;
        }

        using var room = endpoint.Metadata.GetMetadata<BodyRooms>()?.Open(context);
        if (await HashAsync(context, room) is not { } hash)
        {
            await ProblemWriter.WriteAsync(context, room!.Refusal);
            return;
        }

        var request = new IdempotencyRequest(ownerId, $"{context.Request.Method} {context.Request.Path.Value}", key, hash);
        var idempotency = new RequestIdempotency(request, keeping.Store);
        context.Features.Set(idempotency);
        if (endpoint.Metadata.GetMetadata<OwnIdempotency>() is not null)
        {
            await next(context);
            return;
        }

        await OnceAsync(context, idempotency, endpoint);
    }

    private async Task OnceAsync(HttpContext context, RequestIdempotency idempotency, Endpoint endpoint)
    {
        var request = idempotency.Request;
        using var hold = keeping.AtWork.TryEnter(request);
        var reservation = hold is null ? await BesideTwinAsync(request, context.RequestAborted) : await ReserveAsync(request, context.RequestAborted);
        idempotency.Made = (reservation as Reservation.Replay)?.ResourceId;
        idempotency.FirstStatus = (reservation as Reservation.Replay)?.Status;
        idempotency.ShowsAgain = endpoint.Metadata.GetMetadata<ShownAgain>() is not null;
        var isShown = IsShown(idempotency, reservation, hold);
        await (reservation switch
        {
            Reservation.Replay { Answer: { } answer } when !isShown => RepeatAsync(context, StoredAnswer.FromJson(answer)),
            Reservation.New or Reservation.Replay { ResourceId: not null } when hold is not null || isShown => RunAsync(context, (idempotency, hold), endpoint.Metadata.GetMetadata<SecretMembers>()?.Names ?? []),
            Reservation.Mismatch => ProblemWriter.WriteAsync(context, IdempotencyProblems.Of(reservation)),
            _ => ProblemWriter.WriteAsync(context, IdempotencyProblems.Of(Reservation.Running.Instance)),
        });
    }

    /// <summary>Whoever shows what is there by now does nothing again, and so may do it beside a twin; unless that one still has to say how it ended.</summary>
    private static bool IsShown(RequestIdempotency idempotency, Reservation? reservation, KeysAtWork.Hold? hold) =>
        idempotency.ShowsAgain && reservation is Reservation.Replay { ResourceId: not null } known && (hold is not null || known.Status is not null);

    /// <summary>Another request with this key is at work here, or just repeats what is stored: this one can only hear what is there already.</summary>
    private async Task<Reservation?> BesideTwinAsync(IdempotencyRequest request, CancellationToken cancellationToken) =>
        await keeping.Database.ReadAsync(session => keeping.Store.FindAsync(session, request), cancellationToken);

    private async Task<Reservation> ReserveAsync(IdempotencyRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var reservation = await keeping.Database.WriteAsync(session => keeping.Store.ReserveAsync(session, request, alone: true), cancellationToken);
            if (reservation is not Reservation.Running)
            {
                keeping.AtWork.Settled(request); // it is this request's now
            }

            return reservation;
        }
        catch
        {
            keeping.AtWork.LeaveBehind(request); // it may have been taken: the answer of the commit can have been lost
            throw;
        }
    }

    /// <summary>Runs the route with its answer held back until it is stored.</summary>
    private async Task RunAsync(HttpContext context, (RequestIdempotency Key, KeysAtWork.Hold? Hold) request, IReadOnlyList<string> secrets)
    {
        var idempotency = request.Key;
        var response = context.Response;
        var wire = response.Body;
        using var held = new MemoryStream();
        response.Body = held;
        try
        {
            await next(context);
        }
        catch
        {
            await ReleaseAsync(idempotency);
            throw;
        }
        finally
        {
            response.Body = wire;
        }

        if (!IsKept(response.StatusCode))
        {
            await ReleaseAsync(idempotency);
        }
        else if (!idempotency.Completed)
        {
            var answer = new StoredAnswer(response.StatusCode, response.ContentType, response.Headers.Location, response.Headers.ETag, held.Length == 0 ? null : Encoding.UTF8.GetString(held.GetBuffer(), 0, (int)held.Length));
            await CompleteAsync(idempotency.Request, answer.Status, idempotency.IsReadAgain ? null : answer.Without(secrets).ToJson());
        }

        request.Hold?.Dispose(); // whoever has the answer may come again at once
        held.Position = 0;
        await held.CopyToAsync(wire, context.RequestAborted);
    }

    /// <summary>The effect is there: a client that has gone away does not change that. Without the answer the key is as after the death of a process: a repeat is answered from what was named, or does what it can do twice.</summary>
    private async Task CompleteAsync(IdempotencyRequest request, int status, string? answer)
    {
        try
        {
            await keeping.Database.WriteAsync(session => keeping.Store.CompleteAsync(session, request, status, answer), CancellationToken.None);
        }
        catch
        {
            keeping.AtWork.LeaveBehind(request);
            throw;
        }
    }

    /// <summary>What the request is answered with does not depend on whether its key could be given back at once.</summary>
    private async Task ReleaseAsync(RequestIdempotency idempotency)
    {
        if (idempotency.Completed)
        {
            return;
        }

        try
        {
            await keeping.Database.WriteAsync(session => keeping.Store.ReleaseAsync(session, idempotency.Request), CancellationToken.None);
        }
        catch (StorageUnavailableException exception)
        {
            keeping.AtWork.LeaveBehind(idempotency.Request);
            LogLeftBehind(logger, idempotency.Request.Scope, exception.Message);
        }
    }

    private static async Task RepeatAsync(HttpContext context, StoredAnswer answer)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        response.Headers.Location = answer.Location;
        response.Headers.ETag = answer.ETag;
        response.ContentType = answer.ContentType;
        if (answer.Body is { } body)
        {
            await response.WriteAsync(body, context.RequestAborted);
        }
    }

    /// <summary>Of the bytes as sent, and of the query; the handler reads them from memory then. The server's body limit holds. Null: there is no room for them.</summary>
    private async Task<string?> HashAsync(HttpContext context, IBodyRoom? room)
    {
        var copy = new PassedBody(); // holds nothing that would have to be given back
        using var hash = new RequestHash(keys.Get(HashKey), context.Request);
        var buffer = ArrayPool<byte>.Shared.Rent(65_536);
        var left = 0;
        try
        {
            while (await context.Request.Body.ReadAsync(buffer.AsMemory(left), context.RequestAborted) is > 0 and var read)
            {
                if (room?.Holds(copy.Length + read) == false)
                {
                    return null;
                }

                copy.Write(buffer, left, read);
                left = hash.Take(buffer.AsSpan(0, left + read));
            }

            context.Request.Body = copy;
            context.Features.Set(room);
            return hash.Finish(buffer.AsSpan(0, left));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true); // bodies may hold passwords
        }
    }

    private static bool IsKept(int status) => status is not (401 or 403 or 413 or 429) and < 500;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The Idempotency-Key of a request to {Scope} could not be given back now, and is given back later: {Reason}")]
    private static partial void LogLeftBehind(ILogger logger, string scope, string reason);
}

/// <summary>Where keys are kept.</summary>
public sealed record IdempotencyKeeping(IDatabase Database, IdempotencyStore Store, KeysAtWork AtWork);

/// <summary>The refusals of idempotency, also for routes that look after their keys themselves.</summary>
public static class IdempotencyProblems
{
    public static Problem Of(Reservation reservation) => reservation is Reservation.Mismatch
        ? Problems.Unprocessable("idempotency_mismatch", "This Idempotency-Key was used with another body or query within the last 24 hours. Nothing was done. Send the first request again, or a new key.", "Idempotency-Key", "was used with another body or query")
        : Problems.Conflict("idempotency_running", "A request with this Idempotency-Key is still being worked on. Repeat this one in a moment to get its answer.", TimeSpan.FromSeconds(1));
}
