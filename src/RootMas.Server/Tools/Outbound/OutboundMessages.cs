using System.Net.Http.Headers;

namespace RootMas.Server.Tools.Outbound;

/// <summary>A request to a URL that a user, a model or a page gave.</summary>
internal sealed record OutboundRequest(HttpMethod Method, Uri Url)
{
    /// <summary>Not sent on to another origin by a redirect.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    public byte[]? Body { get; init; }

    public string? ContentType { get; init; }

    /// <summary>Only ever for GET and HEAD.</summary>
    public bool FollowRedirects { get; init; }

    /// <summary>Called once, just before the first byte may leave.</summary>
    public Action? Sending { get; init; }
}

/// <param name="Url">Where the answer came from, after redirects.</param>
/// <param name="Body">Decompressed, at most <see cref="OutboundOptions.MaxBytes"/>.</param>
/// <param name="Truncated">There was more.</param>
internal sealed record OutboundResponse(Uri Url, int Status, string? Reason, IReadOnlyList<KeyValuePair<string, string>> Headers, MediaTypeHeaderValue? ContentType, byte[] Body, bool Truncated)
{
    public TimeSpan? RetryAfter { get; init; }

    public int Redirects { get; init; }

    public string? Location => Headers.FirstOrDefault(static h => h.Key.Equals("Location", StringComparison.OrdinalIgnoreCase)).Value;
}

internal enum OutboundFailure
{
    /// <summary>Our rules forbid it.</summary>
    Refused,

    /// <summary>The name is unknown.</summary>
    Unresolved,

    /// <summary>No connection, or it broke.</summary>
    Unreachable,

    TimedOut,

    /// <summary>The answer is no HTTP, or cannot be decompressed.</summary>
    BadAnswer,
}

/// <summary>Why there is no answer, in words for the model and the user.</summary>
internal sealed class OutboundException(OutboundFailure failure, string message, bool sent = false, Exception? inner = null) : Exception(message, inner)
{
    public OutboundFailure Failure { get; } = failure;

    /// <summary>A connection stood: bytes may have left, the other side may have acted.</summary>
    public bool Sent { get; } = sent;
}
