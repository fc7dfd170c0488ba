using System.IO.Compression;
using System.Reflection;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Web;
using Swashbuckle.AspNetCore.SwaggerUI;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>What this server is.</summary>
/// <param name="Name">The program.</param>
/// <param name="Version">Its version.</param>
/// <param name="Links">Where to go from here, by name.</param>
public sealed record ServerInfo(string Name, string Version, IReadOnlyDictionary<string, string> Links);

/// <summary>The API description, and a page that shows it. The page's scripts are part of the program: nothing is loaded from elsewhere.</summary>
internal static class DocsApi
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private const string Page = """
        <!DOCTYPE html>
        <html lang="en">
        <head><meta charset="utf-8"><title>Root-MAS API</title><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
        <body><main id="swagger-ui"></main><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
        </html>
        """;

    private const string Start = """
        window.ui = SwaggerUIBundle({ url: "/openapi/v1.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
        """;

    private static readonly Dictionary<string, string> Assets = new(StringComparer.Ordinal)
    {
        ["swagger-ui.css"] = "text/css; charset=utf-8",
        ["swagger-ui-bundle.js"] = "text/javascript; charset=utf-8",
        ["favicon-32x32.png"] = "image/png",
    };

    private static readonly ServerInfo Info = new(ProgramVersion.Name, ProgramVersion.Text, new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["api"] = "/openapi/v1.json", ["docs"] = "/docs", ["health"] = "/health", ["metrics"] = "/metrics",
    });

    public static void MapDocs(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", WebPages.RootAsync).WithTags("Operations").AllowPublic().WithName("GetServerInfo").Produces<ServerInfo>()
            .WithSummary("Name, version and links")
            .WithDescription("Says what answers here, and where to go on. A browser, which asks for text/html, gets the web app.");
        var hidden = routes.MapGroup("").ExcludeFromDescription();
        hidden.MapGet("/openapi/v1.json", async (ApiDescription description, CancellationToken cancellationToken) =>
            TypedResults.Bytes(await description.JsonAsync(cancellationToken), "application/json")).AllowPublic();
        hidden.MapGet("/openapi.json", () => TypedResults.Redirect("/openapi/v1.json")).AllowPublic();
        hidden.MapGet("/redoc", () => TypedResults.Redirect("/docs")).AllowPublic();
        var page = hidden.MapGroup("/docs");
        if (routes.ServiceProvider.GetRequiredService<ServerOptions>().IsDevelopment)
        {
            page.AllowPublic();
        }
        else
        {
            page.RequirePermission("signed-in");
        }

        page.MapGet("", (HttpContext context) => Guarded(context, TypedResults.Content(Page, "text/html; charset=utf-8")));
        page.MapGet("/start.js", (HttpContext context) => Guarded(context, TypedResults.Content(Start, "text/javascript; charset=utf-8")));
        page.MapGet("/{file}", Asset);
    }

    /// <summary>Name, version and links, as JSON.</summary>
    public static Task InfoAsync(HttpContext context) => TypedResults.Ok(Info).ExecuteAsync(context);

    private static ContentHttpResult Guarded(HttpContext context, ContentHttpResult result)
    {
        context.Response.Headers.ContentSecurityPolicy = Policy;
        return result;
    }

    private static IResult Asset(string file, HttpContext context)
    {
        if (!Assets.TryGetValue(file, out var type) || Open(file) is not { } stream)
        {
            return Problems.NotFound("not_found", "There is no such file.");
        }

        context.Response.Headers.CacheControl = "private, max-age=86400";
        return TypedResults.Stream(stream, type);
    }

    private static Stream? Open(string file)
    {
        var stream = typeof(SwaggerUIOptions).Assembly.GetManifestResourceStream($"Swashbuckle.AspNetCore.SwaggerUI.node_modules.swagger_ui_dist.{file}");
        if (stream is null)
        {
            return null;
        }

        var isGzip = stream.ReadByte() == 0x1F && stream.ReadByte() == 0x8B;
        stream.Position = 0;
        return isGzip ? new GZipStream(stream, CompressionMode.Decompress) : stream;
    }
}
