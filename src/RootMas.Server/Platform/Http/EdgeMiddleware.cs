using Microsoft.AspNetCore.Http.Features;

namespace RootMas.Server.Platform.Http;

/// <summary>Counts a request that is answered before its route is known (Identity knows how). A problem replaces the refusal: there were too many of them.</summary>
public delegate ValueTask<Problem?> EarlyRefusal(HttpContext context);

/// <summary>
/// First in the pipeline. Gives every answer its headers, refuses foreign hosts and origins, and turns whatever comes back without a body, or as an exception, into a problem document.
/// </summary>
internal sealed partial class EdgeMiddleware(RequestDelegate next, ClientOrigins clients, OriginPolicy origins, HttpsPolicy https, ILogger<EdgeMiddleware> logger, EarlyRefusal? early = null)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var edge = RequestEdge.Begin(context, clients.Apply(context));
        if (RequestFraming.Refusal(context.Request) is { } ambiguous)
        {
            context.Response.Headers.Connection = "close";
            await RefuseAsync(context, ambiguous);
            return;
        }

        if (origins.Refusal(context.Request) is { } refused)
        {
            await RefuseAsync(context, refused);
            return;
        }

        edge.AllowedOrigin = origins.ForeignOrigin(context.Request);
        if (CrossOrigin.IsPreflight(context.Request) || https.Concerns(context))
        {
            await AnswerEarlyAsync(context);
            return;
        }

        try
        {
            await next(context);
        }
        catch (Exception e)
        {
            await AnswerAsync(context, e);
            return;
        }

        var response = context.Response;
        if (response.StatusCode >= 400 && !response.HasStarted && response.ContentLength is null && response.ContentType is null)
        {
            HeadRequests.Allow(response.Headers);
            await ProblemWriter.WriteAsync(context, OfStatus(response.StatusCode, context));
        }
    }

    private async Task RefuseAsync(HttpContext context, Problem refusal) =>
        await ProblemWriter.WriteAsync(context, early is null ? refusal : await early(context) ?? refusal);

    private async Task AnswerEarlyAsync(HttpContext context)
    {
        if (early is not null && await early(context) is { } tooMany)
        {
            await ProblemWriter.WriteAsync(context, tooMany);
        }
        else if (CrossOrigin.IsPreflight(context.Request))
        {
            CrossOrigin.AnswerPreflight(context.Request, context.Response);
        }
        else
        {
            await https.AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpContext context, Exception exception)
    {
        if (context.RequestAborted.IsCancellationRequested && exception is OperationCanceledException or IOException)
        {
            // The client is gone: there is nobody to answer, and nothing went wrong here.
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return;
        }

        var problem = ProblemOf(exception, context);
        if (problem.Status >= 500)
        {
            LogFailed(exception, context.Request.Method, context.GetEndpoint()?.DisplayName ?? "(no route)");
        }

        if (context.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            context.Abort();
            return;
        }

        var allow = context.Response.Headers.Allow;
        context.Response.Clear();
        context.Response.Headers.Allow = allow;
        await ProblemWriter.WriteAsync(context, problem);
    }

    /// <summary>Never without an answer: what cannot be told apart is a failure of ours.</summary>
    private Problem ProblemOf(Exception exception, HttpContext context)
    {
        try
        {
            return ExceptionProblems.Of(exception, context);
        }
        catch (Exception e)
        {
            LogUntold(e, exception.GetType().Name);
            return Problems.Internal();
        }
    }

    private static Problem OfStatus(int status, HttpContext context) => status switch
    {
        404 => Problems.NotFound("not_found", "There is nothing at this address. GET /openapi/v1.json lists what there is."),
        405 => Problems.Of(405, "method_not_allowed", $"This address does not take {SafeMethod(context)}; the Allow header says what it takes."),
        413 => Problems.TooLarge(context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? 0),
        415 => Problems.UnsupportedMediaType(),
        _ => Problems.Of(status, $"http_{status}", "The request was refused. Nothing was done."),
    };

    private static string SafeMethod(HttpContext context) =>
        context.Request.Method is { Length: <= 20 } method && method.All(char.IsAsciiLetterUpper) ? method : "this method";

    [LoggerMessage(Level = LogLevel.Error, Message = "What a {Failure} is to the client could not be said")]
    private partial void LogUntold(Exception exception, string failure);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Route} failed")]
    private partial void LogFailed(Exception exception, string method, string route);
}
