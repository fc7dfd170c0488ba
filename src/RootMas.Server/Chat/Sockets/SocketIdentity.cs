using System.Text.Json;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat.Sockets;

/// <summary>
/// Who is at the other end of a socket: known from the upgrade, or from the first frame, which must come soon. It may say again who it is (a fresh token), but not become somebody else;
/// when its rights end the socket is closed at once.
/// </summary>
internal sealed class SocketIdentity(SocketChannel channel, HttpContext context, ICallers callers, Subjects subjects, OpenStreams streams, TimeProvider clock) : IAsyncDisposable
{
    /// <summary>What a socket needs to be open at all; sending needs more.</summary>
    private const string Permission = "chat:read";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private Caller? _caller;
    private Caller? _counted;
    private CancellationTokenRegistration _ended;

    public Caller Caller => _caller ?? throw new InvalidOperationException("A socket is served after it was authenticated.");

    /// <summary>False: it is closing, because nobody said who they are.</summary>
    public async Task<bool> BeginAsync()
    {
        if (context.Features.Get<Caller>() is { } known)
        {
            return await AdoptAsync(known) is null;
        }

        await using var late = clock.CreateTimer(_ => channel.End("Authentication is required within 5 seconds."), null, Patience, Timeout.InfiniteTimeSpan);
        if (await channel.ReceiveAsync() is not { } bytes)
        {
            return false;
        }

        var isAuth = SocketFrames.Parse(bytes) is { } frame && SocketFrames.Text(frame, "type", out _) == "auth";
        var refusal = isAuth
            ? await AuthenticateAsync(SocketFrames.Parse(bytes)!.Value)
            : Problems.Unauthorized("authentication_required", "The first frame must be {\"type\":\"auth\",\"token\":\"…\"} with an access token or an API key.");
        if (refusal is null)
        {
            return true;
        }

        if (isAuth)
        {
            await ObserveAsync(refusal);
        }

        await channel.SendAsync(SocketFrames.Error(refusal, ProblemWriter.TraceId(context)));
        channel.Close(System.Net.WebSockets.WebSocketCloseStatus.PolicyViolation, "Not authenticated.");
        return false;
    }

    /// <summary>An <c>auth</c> frame. Null: it is good, and the client has been told.</summary>
    public async Task<Problem?> AuthenticateAsync(JsonElement frame)
    {
        if (SocketFrames.Text(frame, "token", out var wrongType) is not { Length: > 0 } token)
        {
            // Whoever came with the upgrade's credentials may ask who they are.
            return _caller is not null && !wrongType && !frame.TryGetProperty("token", out _) ? await GreetAsync() : Problems.Invalid("token", "must be an access token or an API key");
        }

        var (caller, refusal) = await callers.AuthenticateAsync(context, token);
        if (caller is null)
        {
            return await CountAsync(refusal ?? Problems.Unauthorized("invalid_token", "The token is not valid. Nothing was changed."));
        }

        if (_caller is { } known && known.UserId != caller.UserId)
        {
            return Problems.Forbidden("other_user", "This socket belongs to another user. Open a new one. Nothing was changed.");
        }

        return await AdoptAsync(caller) ?? await GreetAsync();
    }

    /// <summary>For whom a frame speaks: its <c>user_id</c>, or the caller.</summary>
    public async ValueTask<Subject> SubjectAsync(JsonElement frame, string permission)
    {
        if (!Caller.May(permission))
        {
            return new Subject(null, Problems.Forbidden("permission_missing", $"This needs the permission {permission}, which you do not have."));
        }

        var userId = SocketFrames.Text(frame, "user_id", out var wrongType);
        return wrongType ? new Subject(null, Problems.Invalid("user_id", "must be a string")) : await subjects.OfAsync(context, Caller, userId, permission, channel.Closed);
    }

    /// <summary>For whom a frame reads a run: as <see cref="SubjectAsync"/>, but what others said an administrator reads only with the grant for it, and each time is written down.</summary>
    public async ValueTask<Subject> ReaderAsync(JsonElement frame, string runId)
    {
        var subject = await SubjectAsync(frame, Permission);
        if (subject.Caller is not { } reader || !Caller.IsAdmin || reader.UserId == Caller.UserId)
        {
            return subject;
        }

        if (!Caller.May(Permissions.ReadContent))
        {
            return new Subject(null, Problems.Forbidden("permission_missing", "Reading what others said needs the permission content:read, which no role has by itself: an administrator can grant it to a user."));
        }

        await context.RequestServices.GetRequiredService<ContentReads>().RecordAsync(context, "run", [runId]);
        return subject;
    }

    /// <inheritdoc cref="ContentReads.ShowsRunAsync"/>
    public ValueTask<bool> ShowsRunAsync(Caller owner, string runId) => context.RequestServices.GetRequiredService<ContentReads>().ShowsRunAsync(context, Caller, owner, runId);

    /// <summary>A refused right is written down before the client hears of it, as by HTTP.</summary>
    public async ValueTask ObserveAsync(Problem problem)
    {
        if (problem.Status is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden && context.RequestServices.GetService<RefusalObserver>() is { } observer)
        {
            await observer(context, problem);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_counted is { } counted)
        {
            await streams.CloseAsync(counted, StreamKind.Socket, isCounted: true);
        }

        await _ended.DisposeAsync();
    }

    private async ValueTask<Problem?> AdoptAsync(Caller caller)
    {
        if (!caller.May(Permission))
        {
            return Problems.Forbidden("permission_missing", $"This needs the permission {Permission}, which you do not have.");
        }

        // Whoever came with credentials was counted at the upgrade.
        if (_caller is null && context.Features.Get<Caller>() is null)
        {
            if (await streams.TryOpenAsync(caller, StreamKind.Socket, isCounted: true) is { } full)
            {
                return full;
            }

            _counted = caller;
        }

        // The old registration goes last: there is no moment in which nobody listens for the end.
        var (old, fresh) = (_ended, caller.Ended.Register(() => channel.End("The session ended, or its rights changed.")));
        (_caller, _ended) = (caller, fresh);
        context.Features.Set(caller); // rows of the audit log name whoever a frame said it is
        await old.DisposeAsync();
        return null;
    }

    /// <summary>A wrong token costs its address as much as by HTTP, and too many of them are refused as such.</summary>
    private async ValueTask<Problem> CountAsync(Problem refusal)
    {
        if (refusal.Status != StatusCodes.Status401Unauthorized)
        {
            return refusal;
        }

        var limiter = context.RequestServices.GetRequiredService<RequestLimiter>();
        return await limiter.CountFailureAsync(context, limiter.RouteOf(context)) ?? refusal;
    }

    private async ValueTask<Problem?> GreetAsync()
    {
        await channel.SendAsync(SocketFrames.Write(json =>
        {
            json.WriteString("type"u8, "authenticated"u8);
            json.WriteString("user_id"u8, Caller.UserId);
        }));
        return null;
    }
}
