using System.Net;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Http;

/// <summary>
/// Where the server speaks https as well, plain http from elsewhere only leads there: readers are redirected, and a call that already carried credentials or wants a change is refused, because redirecting it would hide that its secrets were sent in the open.
/// On this machine plain http stays: nobody is between.
/// </summary>
internal sealed class HttpsPolicy(ServerOptions options)
{
    private readonly int? _port = PortOf(options);

    /// <summary>True: answered.</summary>
    public async ValueTask<bool> AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        if (_port is not { } port || request.IsHttps || context.Connection.LocalIpAddress is not { } local || IPAddress.IsLoopback(local))
        {
            return false;
        }

        if ((HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)) && request.Headers.Authorization.Count == 0 && request.Headers.Cookie.Count == 0)
        {
            context.Response.StatusCode = StatusCodes.Status308PermanentRedirect;
            var host = port == 443 ? new HostString(request.Host.Host) : new HostString(request.Host.Host, port);
            context.Response.Headers.Location = $"https://{host.ToUriComponent()}{request.Path.ToUriComponent()}{request.QueryString.ToUriComponent()}";
            return true;
        }

        await ProblemWriter.WriteAsync(context, Problems.Forbidden("https_required",
            "This server takes calls over https only. Nothing was done. If this call carried a token, a key or a password, others may have read it: replace it."));
        return true;
    }

    /// <summary>Null: only one of the two is spoken.</summary>
    private static int? PortOf(ServerOptions options)
    {
        var urls = ListenAddress.Split(options.Urls).Select(static u => Uri.TryCreate(u, UriKind.Absolute, out var uri) ? uri : null).OfType<Uri>().ToList();
        return urls.Exists(static u => u.Scheme == "http") ? urls.Find(static u => u.Scheme == "https")?.Port : null;
    }
}
