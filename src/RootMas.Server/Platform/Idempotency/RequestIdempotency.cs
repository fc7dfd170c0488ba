using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>The owner of the request, for those that stand left of Identity; which registers it. Null: nobody is signed in.</summary>
public delegate string? RequestOwner(HttpContext context);

/// <summary>The route looks after its key itself (it makes a run and repeats attach to that run), or keys mean nothing to it (<c>/auth/*</c>, and what only reads: an answer that was kept would tell what its reader may not read any more).</summary>
public sealed record OwnIdempotency;

/// <summary>Members of the answer that are secrets; the repeat has null in their place.</summary>
public sealed record SecretMembers(IReadOnlyList<string> Names);

/// <summary>
/// A repeat is answered by the handler, from what the first request made, as that is by now, or is not any more: people's words, which somebody deletes, are not kept beside what they delete.
/// The first answer is for those whose effect had no name.
/// </summary>
public sealed record ShownAgain;

/// <summary>Called in the transaction of an effect, with the id of what it made or changed.</summary>
public delegate ValueTask Made(DbSession session, string id);

/// <summary>The <c>Idempotency-Key</c> of a request, for its handler.</summary>
public sealed class RequestIdempotency(IdempotencyRequest request, IdempotencyStore store)
{
    private bool _isNamed;

    public IdempotencyRequest Request { get; } = request;

    /// <summary>What an earlier request with this key made. The handler answers from it and does nothing again. Null: nothing yet.</summary>
    public string? Made { get; internal set; }

    /// <summary>How that request was answered; null: its process died before.</summary>
    internal int? FirstStatus { get; set; }

    /// <summary>Whether the handler stored its answer itself.</summary>
    internal bool Completed { get; private set; }

    /// <inheritdoc cref="ShownAgain"/>
    internal bool ShowsAgain { get; set; }

    /// <summary>Repeats are answered from what has a name now, so the answer itself is not kept.</summary>
    internal bool IsReadAgain => ShowsAgain && (_isNamed || Made is not null);

    /// <summary>For the transaction of the effect: keeps there what was made, so that a crash before the answer was stored does not make it twice.</summary>
    public Made Making(string kind) => async (session, id) =>
    {
        await store.NameAsync(session, Request, kind, id);
        session.AfterCommit(() => _isNamed = true);
    };

    /// <summary>
    /// Stores the answer in the transaction that makes the effect, so that a crash before the answer was sent does not make it twice. Handlers that create something call this;
    /// for all others the answer is stored after they returned.
    /// </summary>
    public async ValueTask CompleteAsync(DbSession session, StoredAnswer answer)
    {
        await store.CompleteAsync(session, Request, answer.Status, answer.ToJson());
        session.AfterCommit(() => Completed = true);
    }
}

/// <summary>How handlers and routes meet idempotency.</summary>
public static class IdempotencyConventions
{
    /// <summary>The request's key; null: it has none.</summary>
    public static RequestIdempotency? Idempotency(this HttpContext context) => context.Features.Get<RequestIdempotency>();

    /// <inheritdoc cref="OwnIdempotency"/>
    public static TBuilder HandlesIdempotency<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new OwnIdempotency());

    /// <inheritdoc cref="ShownAgain"/>
    public static TBuilder ShowsAgain<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new ShownAgain());

    /// <inheritdoc cref="SecretMembers"/>
    public static TBuilder WithSecretMembers<TBuilder>(this TBuilder route, params string[] names)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new SecretMembers(names));
}
