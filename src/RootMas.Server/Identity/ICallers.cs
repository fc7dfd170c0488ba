namespace RootMas.Server.Identity;

/// <summary>Finds out who calls. A seam: authentication replaces the local user.</summary>
public interface ICallers
{
    ValueTask<Caller> ResolveAsync(HttpContext context);
}
