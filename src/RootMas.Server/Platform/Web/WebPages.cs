using Microsoft.Net.Http.Headers;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.OpenApi;

namespace RootMas.Server.Platform.Web;

/// <summary>The web app: one page for each of its addresses, and its files. Nothing under <c>/api</c>, <c>/v1</c> or <c>/ws</c> ever answers with the page; to browsers, what is nowhere else does, as 404.</summary>
internal static class WebPages
{
    // Styles may be set by script (positions of menus); scripts and everything else come from here only, and images can call nobody.
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    private const string Unchanging = "public, max-age=31536000, immutable";

    /// <summary>Below these nothing is ever a page.</summary>
    private static readonly PathString[] NeverPages = ["/api", "/v1", "/ws", "/assets", "/health", "/metrics", "/docs", "/openapi"];

    private static readonly string[] Read = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>The addresses of the web app's pages (web/src/app/routes.tsx).</summary>
    internal static readonly string[] Pages = ["/c/{id}", "/runs", "/runs/{id}", "/team", "/team/agents/{name}", "/team/teams/{name}", "/documents", "/documents/{id}", "/approvals", "/dashboard", "/admin", "/admin/{section}", "/profile", "/profile/memory"];

    /// <summary>Its files under names that others know: the manifest and the icons that it and the page name.</summary>
    internal static readonly string[] Files = ["icon.svg", "icon-192.png", "icon-512.png", "icon-maskable-512.png", "apple-touch-icon.png", "manifest.webmanifest"];

    public static void MapWeb(this IEndpointRouteBuilder routes)
    {
        var hidden = routes.MapGroup("").ExcludeFromDescription().AllowPublic();
        foreach (var page in Pages)
        {
            hidden.MapMethods(page, Read, PageAsync);
        }

        hidden.MapMethods("/assets/{file}", Read, (string file, WebFiles files, HttpContext context) => FileAsync(files.Find($"assets/{file}"), Unchanging, context));
        hidden.MapMethods("/sw.js", Read, WorkerAsync);
        foreach (var name in Files)
        {
            hidden.MapMethods($"/{name}", Read, (WebFiles files, HttpContext context) => FileAsync(files.Find(name), "no-cache", context));
        }
    }

    /// <summary>What stands at <c>/</c>: the page for browsers, name and links for everybody else.</summary>
    public static async Task RootAsync(WebFiles files, HttpContext context)
    {
        if (files.Page is not null && WantsHtml(context.Request))
        {
            await PageAsync(files, context);
            return;
        }

        context.Response.Headers.Vary = "Accept";
        await DocsApi.InfoAsync(context);
    }

    /// <summary>What browsers get at an address at which there is nothing: 404 like everybody, with the page as its body, which says so and leads on. Clients, and everything below the addresses of the API, get the problem.</summary>
    public static async Task NowhereAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        var response = context.Response;
        if (response.StatusCode == StatusCodes.Status404NotFound && !response.HasStarted && response.ContentType is null && context.GetEndpoint() is null && IsForPeople(context.Request)
            && context.RequestServices.GetService<WebFiles>() is { Page: not null } files)
        {
            await PageAsync(files, context);
        }
    }

    /// <summary>Whether what is asked for can be one of the pages: it is read, and nothing below the addresses of the API.</summary>
    internal static bool MayBePage(HttpRequest request) =>
        Read.Contains(request.Method, StringComparer.OrdinalIgnoreCase) && !NeverPages.Any(start => request.Path.StartsWithSegments(start, StringComparison.OrdinalIgnoreCase));

    private static bool IsForPeople(HttpRequest request) => MayBePage(request) && WantsHtml(request);

    private static bool WantsHtml(HttpRequest request) => request.Headers.Accept.Any(static accept => accept?.Contains("text/html", StringComparison.OrdinalIgnoreCase) == true);

    private static Task PageAsync(WebFiles files, HttpContext context)
    {
        context.Response.Headers.ContentSecurityPolicy = Policy;
        return FileAsync(files.Page, "no-cache", context);
    }

    /// <summary>A worker lives under the policy of its own file, not of the page.</summary>
    private static Task WorkerAsync(WebFiles files, HttpContext context)
    {
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; connect-src 'self'";
        return FileAsync(files.Find("sw.js"), "no-cache", context);
    }

    private static Task FileAsync(WebFile? file, string caching, HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        if (file is null)
        {
            return Problems.NotFound("not_found", "There is no such file. If there is no page at all: the web app was not built (it needs Node once), see the README.").ExecuteAsync(context);
        }

        var copy = file.Copies.First(c => c.Encoding is null || Accepts(request, c.Encoding));
        var etag = new EntityTagHeaderValue($"\"{file.Version}{(copy.Encoding is null ? "" : "-" + copy.Encoding)}\"");
        response.Headers.CacheControl = caching;
        response.Headers.ETag = etag.ToString();
        response.Headers.Vary = file.ContentType.StartsWith("text/html", StringComparison.Ordinal) ? "Accept, Accept-Encoding" : "Accept-Encoding";
        if (response.StatusCode == StatusCodes.Status200OK && Knows(request, etag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        response.ContentType = file.ContentType;
        response.ContentLength = copy.Length;
        if (copy.Encoding is not null)
        {
            response.Headers.ContentEncoding = copy.Encoding;
        }

        return HeadRequests.Is(context) ? Task.CompletedTask : response.SendFileAsync(copy.Path, context.RequestAborted);
    }

    /// <summary>Weakly compared: a proxy that compresses marks the tags that it passes on.</summary>
    private static bool Knows(HttpRequest request, EntityTagHeaderValue etag) =>
        EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known) && known.Any(k => k.Equals(EntityTagHeaderValue.Any) || k.Compare(etag, useStrongComparison: false));

    private static bool Accepts(HttpRequest request, string encoding) =>
        StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var accepted)
        && accepted.Any(value => value.Value.Equals(encoding, StringComparison.OrdinalIgnoreCase) && value.Quality is not 0);
}
