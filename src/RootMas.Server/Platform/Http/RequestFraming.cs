namespace RootMas.Server.Platform.Http;

/// <summary>
/// Where a body ends must be beyond doubt: a proxy in front and this server must not disagree about it, or the end of one request is the beginning of another that nobody checked.
/// Kestrel refuses most of that itself; these are what HTTP lets a server repair, and we refuse.
/// </summary>
internal static class RequestFraming
{
    /// <summary>Kestrel puts a Content-Length aside under this name when the body is chunked.</summary>
    private const string SetAside = "X-Content-Length";

    /// <summary>Null: the request is framed in one way only. Otherwise the connection must end with the answer.</summary>
    public static Problem? Refusal(HttpRequest request)
    {
        var coding = request.Headers.TransferEncoding;
        if (coding.Count == 0)
        {
            return null;
        }

        return coding.Count == 1 && string.Equals(coding[0], "chunked", StringComparison.OrdinalIgnoreCase) && request.Protocol == "HTTP/1.1"
            && request.ContentLength is null && !request.Headers.ContainsKey(SetAside)
            ? null
            : Problems.BadRequest("ambiguous_length", "The length of the body is said in more than one way, or in one that this server does not take: send Content-Length, or Transfer-Encoding: chunked. Nothing was done.", "Content-Length", "must be the only one to say the length, or Transfer-Encoding: chunked");
    }
}
