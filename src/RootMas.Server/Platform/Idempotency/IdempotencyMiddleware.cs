using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>
/// Honours <c>Idempotency-Key</c> on every POST: the first request's answer is kept, and its repeats get it. Routes with <see cref="OwnIdempotency"/> only get the key
/// (<see cref="IdempotencyConventions.Idempotency"/>). Stands behind routing and identity.
/// </summary>
public sealed class IdempotencyMiddleware(RequestDelegate next, IDatabase database, IdempotencyStore store, RequestOwner owner, KeyRing keys)
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
            await ProblemWriter.WriteAsync(context, Problems.BadRequest("invalid_idempotency_key", "Idempotency-Key must be given once: 1 to 255 printable ASCII characters without spaces. Nothing was done."));
            return;
        }

        var request = new IdempotencyRequest(ownerId, $"{context.Request.Method} {context.Request.Path.Value}", key, await HashBodyAsync(context));
        var idempotency = new RequestIdempotency(request, store);
        context.Features.Set(idempotency);
        if (endpoint.Metadata.GetMetadata<OwnIdempotency>() is not null)
        {
            await next(context);
            return;
        }

        var reservation = await database.WriteAsync(session => store.ReserveAsync(session, request), context.RequestAborted);
        idempotency.Made = (reservation as Reservation.Replay)?.ResourceId;
        await (reservation switch
        {
            Reservation.New or Reservation.Replay { Answer: null, ResourceId: not null } => RunAsync(context, idempotency, endpoint.Metadata.GetMetadata<SecretMembers>()?.Names ?? []),
            Reservation.Replay { Answer: { } answer } => RepeatAsync(context, StoredAnswer.FromJson(answer)),
            _ => ProblemWriter.WriteAsync(context, IdempotencyProblems.Of(reservation)),
        });
    }

    /// <summary>Runs the route with its answer held back until it is stored.</summary>
    private async Task RunAsync(HttpContext context, RequestIdempotency idempotency, IReadOnlyList<string> secrets)
    {
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
            var json = answer.Without(secrets).ToJson();

            // The effect is there: a client that has gone away does not change that.
            await database.WriteAsync(session => store.CompleteAsync(session, idempotency.Request, answer.Status, json), CancellationToken.None);
        }

        held.Position = 0;
        await held.CopyToAsync(wire, context.RequestAborted);
    }

    private async Task ReleaseAsync(RequestIdempotency idempotency)
    {
        if (!idempotency.Completed)
        {
            await database.WriteAsync(session => store.ReleaseAsync(session, idempotency.Request), CancellationToken.None);
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

    /// <summary>The bytes as sent; the handler reads them from memory then. The server's body limit holds.</summary>
    private async Task<string> HashBodyAsync(HttpContext context)
    {
        var copy = new MemoryStream();
        context.Response.RegisterForDispose(copy);
        await context.Request.Body.CopyToAsync(copy, context.RequestAborted);
        copy.Position = 0;
        context.Request.Body = copy;
        return Convert.ToHexStringLower(HMACSHA256.HashData(keys.Get(HashKey), copy.GetBuffer().AsSpan(0, (int)copy.Length)));
    }

    private static bool IsKept(int status) => status is not (401 or 403 or 413 or 429) and < 500;
}

/// <summary>The refusals of idempotency, also for routes that look after their keys themselves.</summary>
public static class IdempotencyProblems
{
    public static Problem Of(Reservation reservation) => reservation is Reservation.Mismatch
        ? Problems.Unprocessable("idempotency_mismatch", "This Idempotency-Key was used with another body within the last 24 hours. Nothing was done. Send the first body again, or a new key.")
        : Problems.Conflict("idempotency_running", "A request with this Idempotency-Key is still being worked on. Repeat this one in a moment to get its answer.", TimeSpan.FromSeconds(1));
}
