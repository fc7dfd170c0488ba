using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>Finds out who calls.</summary>
public interface ICallers
{
    ValueTask<Authentication> ResolveAsync(HttpContext context);

    /// <summary>The same for a token that came otherwise than in a header: in a socket's first frame. <paramref name="context"/> is the upgrade's.</summary>
    ValueTask<Authentication> AuthenticateAsync(HttpContext context, string token);

    /// <summary>What somebody is told who brings nothing where something is needed.</summary>
    Problem Nobody { get; }
}

/// <summary>What a request's credentials are worth. Neither member is set: it brought none.</summary>
/// <param name="Refusal">It brought some, and they are not good (401), or must not be used like this (403).</param>
public readonly record struct Authentication(Caller? Caller, Problem? Refusal)
{
    public static implicit operator Authentication(Caller caller) => new(caller, null);

    public static implicit operator Authentication(Problem refusal) => new(null, refusal);
}
