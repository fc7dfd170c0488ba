using Microsoft.Net.Http.Headers;

namespace RootMas.Server.Platform.Http;

/// <summary>ETags: a version goes out with what was read and comes back with a change (RFC 9110 §13).</summary>
public static class Preconditions
{
    /// <summary>Sets <c>ETag</c>. <paramref name="version"/> is plain text without quotes.</summary>
    public static void SetETag(this HttpResponse response, string version)
    {
        ArgumentNullException.ThrowIfNull(response);
        response.Headers.ETag = $"\"{version}\"";
    }

    /// <summary>Whether <c>If-Match: *</c> stands there: whatever is there is meant, also what came while the request was under way.</summary>
    public static bool MatchesAny(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return EntityTagHeaderValue.TryParseStrictList(request.Headers.IfMatch.ToArray()!, out var tags) && tags.Contains(EntityTagHeaderValue.Any);
    }

    /// <summary>Null: the change may go on. 428 without <c>If-Match</c>, 412 if it names another version, 400 if it cannot be read.</summary>
    public static Problem? IfMatch(HttpRequest request, string currentVersion)
    {
        ArgumentNullException.ThrowIfNull(request);
        var header = request.Headers.IfMatch;
        if (header.Count == 0)
        {
            return Problems.PreconditionRequired();
        }

        if (!EntityTagHeaderValue.TryParseStrictList(header.ToArray()!, out var tags))
        {
            return Problems.Invalid("If-Match", "must be the ETag that was read, in double quotes");
        }

        foreach (var tag in tags)
        {
            if (tag.Equals(EntityTagHeaderValue.Any) || (!tag.IsWeak && tag.Tag.Equals($"\"{currentVersion}\"", StringComparison.Ordinal)))
            {
                return null;
            }
        }

        return Problems.PreconditionFailed($"\"{currentVersion}\"");
    }

    /// <summary>Where a request may also make what is not there: null without <c>If-Match</c>; 412 with it, for whoever sends it read something that is gone.</summary>
    public static Problem? NothingThere(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Headers.IfMatch.Count == 0 ? null : Problems.PreconditionFailed();
    }
}
