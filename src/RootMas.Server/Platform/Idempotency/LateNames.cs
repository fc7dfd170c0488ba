using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>For effects that are several transactions, and that change nothing if they come twice.</summary>
internal static class LateNames
{
    /// <summary>Keeps what the request with this key was about, so that a repeat tells how that is by then. Without a key nothing is done.</summary>
    public static async Task NameAfterwardsAsync(this HttpContext context, string kind, string id)
    {
        if (context.Idempotency()?.Making(kind) is { } making)
        {
            await context.RequestServices.GetRequiredService<IDatabase>().WriteAsync(session => making(session, id), CancellationToken.None);
        }
    }
}
