using Microsoft.Extensions.Primitives;

namespace RootMas.Server.Platform.Http;

/// <summary>What every answer tells the browser not to do. Answers of the API are data: nothing in them may run, load or be framed. Pages set a policy of their own first.</summary>
internal static class SecurityHeaders
{
    private static readonly StringValues DataPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    private static readonly StringValues NoSniff = "nosniff";
    private static readonly StringValues Deny = "DENY";
    private static readonly StringValues NoReferrer = "no-referrer";
    private static readonly StringValues SameOrigin = "same-origin";
    private static readonly StringValues NoFeatures = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
    private static readonly StringValues OneYear = "max-age=31536000";

    public static void Write(IHeaderDictionary headers, bool isHttps)
    {
        headers.XContentTypeOptions = NoSniff;
        headers.XFrameOptions = Deny;
        headers["Referrer-Policy"] = NoReferrer;
        headers["Permissions-Policy"] = NoFeatures;
        headers["Cross-Origin-Opener-Policy"] = SameOrigin;
        headers["Cross-Origin-Resource-Policy"] = SameOrigin;
        if (headers.ContentSecurityPolicy.Count == 0)
        {
            headers.ContentSecurityPolicy = DataPolicy;
        }

        if (isHttps)
        {
            headers.StrictTransportSecurity = OneYear;
        }
    }
}
