using System.Net;

namespace RootMas.Server.Tools.Outbound;

/// <summary>
/// Clients for origins that the operator wrote into the settings: exactly that origin, private addresses included, no redirects, no cookies; the system's proxy is used.
/// Their credentials can therefore never reach another host.
/// </summary>
internal sealed class ConfiguredHttpClients(OutboundOptions options, OutboundMetrics metrics, TimeProvider clock) : IDisposable
{
    private readonly SocketsHttpHandler _handler = new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.All,
        ConnectTimeout = options.ConnectTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5), // names may move
        MaxResponseHeadersLength = 64,
    };

    public ConfiguredHttpClient For(Uri baseUrl) => new(new HttpMessageInvoker(_handler, disposeHandler: false), baseUrl, options, metrics, clock);

    public void Dispose() => _handler.Dispose();
}

/// <summary>Calls one origin.</summary>
internal sealed class ConfiguredHttpClient(HttpMessageInvoker http, Uri baseUrl, OutboundOptions options, OutboundMetrics metrics, TimeProvider clock)
{
    public Uri BaseUrl => baseUrl;

    /// <summary>Takes the message and disposes it. A redirect is an answer like any other.</summary>
    /// <exception cref="OutboundException">There is no answer; the message says why.</exception>
    public async Task<OutboundResponse> SendAsync(HttpRequestMessage message, CancellationToken cancellationToken)
    {
        using var sent = message;
        if (message.RequestUri is not { } url || !OutboundUrl.SameOrigin(baseUrl, url))
        {
            throw new OutboundException(OutboundFailure.Refused, $"Only {OutboundUrl.Origin(baseUrl)} is called here.");
        }

        message.Headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
        var started = clock.GetTimestamp();
        using var limit = new CancellationTokenSource(options.Timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            using var answer = await http.SendAsync(message, both.Token);
            await using var stream = await answer.Content.ReadAsStreamAsync(both.Token);
            var (body, truncated) = await BoundedBody.ReadAsync(stream, options.MaxBytes, both.Token);
            metrics.Record("configured", $"{(int)answer.StatusCode / 100}xx", clock.GetElapsedTime(started));
            return new OutboundResponse(url, (int)answer.StatusCode, answer.ReasonPhrase, [], answer.Content.Headers.ContentType, body, truncated)
            {
                RetryAfter = RetryDelay.From(answer.Headers.RetryAfter, clock),
            };
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            var failure = Explain(exception, url);
            metrics.Record("configured", OutboundMetrics.Name(failure.Failure), clock.GetElapsedTime(started));
            throw failure;
        }
    }

    private OutboundException Explain(Exception exception, Uri url) => exception switch
    {
        OperationCanceledException { InnerException: TimeoutException } when options.ConnectTimeout < options.Timeout => // the handler's, of the connection alone
            new(OutboundFailure.TimedOut, $"There was no connection to {url.Host} within {options.ConnectTimeout.TotalSeconds:0.#} s.", inner: exception),
        OperationCanceledException => new(OutboundFailure.TimedOut, $"{url.Host} did not answer within {options.Timeout.TotalSeconds:0.#} s.", inner: exception),
        InvalidDataException => new(OutboundFailure.BadAnswer, $"{url.Host} sent an answer that cannot be decompressed.", inner: exception),
        _ => new(OutboundFailure.Unreachable, $"{url.Host}:{url.Port} cannot be reached.", inner: exception),
    };
}
