namespace RootMas.Server.Identity.Access;

/// <summary>The caller of a request.</summary>
public static class CallerContext
{
    /// <summary>Who calls. Set for every route before its handler runs.</summary>
    /// <exception cref="InvalidOperationException">Asked before the caller was resolved: a bug in the order of the middleware.</exception>
    public static Caller Caller(this HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException("The caller is resolved by UseIdentity, which comes after UseRouting.");
}
