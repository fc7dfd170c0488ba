namespace RootMas.Server.Platform.Http;

/// <summary>Makes the problem documents that leave this server. One method per kind of refusal.</summary>
public static class Problems
{
    /// <summary>400: the request cannot be understood.</summary>
    public static Problem BadRequest(string code, string detail) => Of(400, code, detail);

    /// <summary>400 because of one field, header or, as <c>$</c>, the body as a whole.</summary>
    public static Problem BadRequest(string code, string detail, string field, string message) => Of(400, code, detail) with { Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [message] } };

    /// <summary>400 <c>validation_failed</c> for one field.</summary>
    public static Problem Invalid(string field, string message) =>
        Validation(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [message] });

    /// <summary>400 <c>validation_failed</c>: field (snake_case) → messages.</summary>
    public static Problem Validation(IReadOnlyDictionary<string, string[]> errors) =>
        Of(400, "validation_failed", "One or more fields are not valid; `errors` names them. Nothing was done.") with { Errors = errors };

    /// <summary>401.</summary>
    public static Problem Unauthorized(string code, string detail) => Of(401, code, detail);

    /// <summary>403.</summary>
    public static Problem Forbidden(string code, string detail) => Of(403, code, detail);

    /// <summary>404, also for what belongs to somebody else.</summary>
    public static Problem NotFound(string code, string detail) => Of(404, code, detail);

    /// <summary>409: the state does not allow it now.</summary>
    public static Problem Conflict(string code, string detail, TimeSpan? retryAfter = null) => Of(409, code, detail) with { RetryAfter = retryAfter };

    /// <summary>412: <c>If-Match</c> names another version.</summary>
    public static Problem PreconditionFailed(string currentETag) =>
        Of(412, "etag_mismatch", $"The resource was changed meanwhile; its version is now {currentETag}. Nothing was done. Read it again, then repeat with that version in If-Match.");

    /// <summary>412: <c>If-Match</c> is sent, and nothing is there.</summary>
    public static Problem PreconditionFailed() =>
        Of(412, "etag_mismatch", "The resource is not there, or not any more. Nothing was done. To make it, leave If-Match away.");

    /// <summary>428: <c>If-Match</c> is missing.</summary>
    public static Problem PreconditionRequired() =>
        Of(428, "if_match_required", "This change needs an If-Match header with the ETag that was read, so that nobody's change is overwritten. Nothing was done.");

    /// <summary>413.</summary>
    public static Problem TooLarge(long limit) =>
        Of(413, "body_too_large", $"The body is larger than the {limit} bytes that this route accepts. Nothing was done.");

    /// <summary>415.</summary>
    public static Problem UnsupportedMediaType() =>
        Of(415, "unsupported_media_type", "The body must be JSON in UTF-8: send Content-Type: application/json.");

    /// <summary>415: the body is packed.</summary>
    public static Problem UnsupportedEncoding() =>
        Of(415, "unsupported_media_type", "The body has a Content-Encoding, which this server does not unpack. Nothing was done. Send it as it is, without Content-Encoding.");

    /// <summary>422: understood, but it cannot be done.</summary>
    public static Problem Unprocessable(string code, string detail) => Of(422, code, detail);

    /// <summary>422 because of one field or header.</summary>
    public static Problem Unprocessable(string code, string detail, string field, string message) => BadRequest(code, detail, field, message) with { Status = 422, Title = TitleOf(422) };

    /// <summary>429. <paramref name="limit"/> names the limit that was hit.</summary>
    public static Problem TooManyRequests(string limit, TimeSpan retryAfter) =>
        Of(429, "rate_limited", $"The limit `{limit}` is used up. Nothing was done. Try again in {Math.Ceiling(retryAfter.TotalSeconds)} s.") with
        {
            RetryAfter = retryAfter,
            Extra = new Dictionary<string, string>(StringComparer.Ordinal) { ["limit"] = limit },
        };

    /// <summary>500: a bug. The log has the rest under the trace id.</summary>
    public static Problem Internal() =>
        Of(500, "internal_error", "Something went wrong inside the server. It may or may not have been done: look before you repeat. Tell the administrator the trace_id.");

    /// <summary>503: an outage that is expected to end.</summary>
    public static Problem Unavailable(string code, string detail, TimeSpan? retryAfter = null) =>
        Of(503, code, detail) with { RetryAfter = retryAfter ?? TimeSpan.FromSeconds(5) };

    /// <summary>Any status; prefer the named ones.</summary>
    public static Problem Of(int status, string code, string detail) => new() { Status = status, Code = code, Title = TitleOf(status), Detail = detail };

    private static string TitleOf(int status) => status switch
    {
        400 => "The request is not valid",
        401 => "Authentication is required",
        403 => "Not allowed",
        404 => "Not found",
        405 => "The method is not allowed here",
        406 => "Not acceptable",
        408 => "The request took too long to arrive",
        409 => "Not possible in the current state",
        410 => "Gone",
        412 => "Changed meanwhile",
        413 => "The body is too large",
        414 => "The address is too long",
        415 => "The body is of the wrong type",
        421 => "Not a name of this server",
        422 => "Understood, but not possible",
        428 => "A precondition is required",
        429 => "Too many requests",
        431 => "The headers are too large",
        500 => "Internal error",
        503 => "Not available for now",
        _ => "The request failed",
    };
}
