namespace RootMas.Server.Platform.Http;

/// <summary>The optional <c>Idempotency-Key</c> of a request that has an effect: 1–255 printable ASCII characters.</summary>
public static class IdempotencyHeader
{
    public const string Name = "Idempotency-Key";

    /// <summary>Null: fine; <paramref name="key"/> is the key, or null if none was sent.</summary>
    public static Problem? Read(HttpRequest request, out string? key)
    {
        ArgumentNullException.ThrowIfNull(request);
        key = null;
        var header = request.Headers[Name];
        if (header.Count == 0)
        {
            return null;
        }

        if (header is not [{ Length: > 0 and <= 255 } sent] || sent.AsSpan().ContainsAnyExceptInRange('\u0021', '\u007E'))
        {
            return Problems.Invalid(Name, "must be given once, 1 to 255 printable ASCII characters without spaces");
        }

        key = sent;
        return null;
    }
}
