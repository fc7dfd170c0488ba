using System.Net;
using System.Net.Sockets;

namespace RootMas.Server.Tools.Outbound;

/// <summary>How a host name becomes addresses: the system's resolver, or another in tests.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancellationToken);

/// <summary>
/// Calls URLs that users, models and pages give (DESIGN §9). Every address that a name resolves to is checked where the connection is made, and exactly the checked
/// address is connected to, so a name that resolves differently a moment later gains nothing. No proxy, no cookies, no credentials of the machine, no trace headers, and no host names in metrics and traces;
/// redirects are followed by hand, each checked anew; size and time are bounded.
/// </summary>
internal sealed class GuardedHttpClient(OutboundOptions options, AddressPolicy policy, HostResolver resolve, OutboundMetrics metrics, TimeProvider clock)
{
    /// <exception cref="OutboundException">There is no answer; the message says why.</exception>
    public async Task<OutboundResponse> SendAsync(OutboundRequest request, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var call = new Call(request.Sending);
        using var limit = new CancellationTokenSource(options.Timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            // A handler per call: no connection, and so no check, is shared with another call.
            using var handler = Handler(call);
            using var http = new HttpMessageInvoker(handler);
            var response = await FollowAsync(http, request, both.Token);
            metrics.Record("guarded", $"{response.Status / 100}xx", clock.GetElapsedTime(started));
            return response;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or OutboundException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            var failure = Explain(exception, request.Url, call);
            metrics.Record("guarded", OutboundMetrics.Name(failure.Failure), clock.GetElapsedTime(started));
            throw failure;
        }
    }

    private async Task<OutboundResponse> FollowAsync(HttpMessageInvoker http, OutboundRequest request, CancellationToken cancellationToken)
    {
        var url = OutboundUrl.Parse(request.Url.AbsoluteUri);
        for (var redirects = 0; ; redirects++)
        {
            using var message = Message(request, url);
            using var answer = await http.SendAsync(message, cancellationToken);
            var location = answer.Headers.Location;
            if (!request.FollowRedirects || location is null || answer.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found
                or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            {
                return await ReadAsync(answer, url, cancellationToken) with { Redirects = redirects };
            }

            if (redirects == options.MaxRedirects)
            {
                throw new OutboundException(OutboundFailure.Refused, $"{request.Url.Host} redirects more than {options.MaxRedirects} times.");
            }

            url = OutboundUrl.Redirect(url, location.OriginalString);
        }
    }

    private HttpRequestMessage Message(OutboundRequest request, Uri url)
    {
        var message = new HttpRequestMessage(request.Method, url);
        message.Headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
        if (request.Body is not null)
        {
            message.Content = new ByteArrayContent(request.Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.ContentType ?? "application/octet-stream");
        }

        if (OutboundUrl.SameOrigin(request.Url, url))
        {
            foreach (var (name, value) in request.Headers)
            {
                message.Headers.TryAddWithoutValidation(name, value);
            }
        }
        else if (request.Headers.FirstOrDefault(static h => h.Key.Equals("Accept", StringComparison.OrdinalIgnoreCase)).Value is { } accept)
        {
            message.Headers.TryAddWithoutValidation("Accept", accept);
        }

        return message;
    }

    private async Task<OutboundResponse> ReadAsync(HttpResponseMessage answer, Uri url, CancellationToken cancellationToken)
    {
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var (body, truncated) = await BoundedBody.ReadAsync(stream, options.MaxBytes, cancellationToken);
        var headers = answer.Headers.Concat(answer.Content.Headers).SelectMany(static h => h.Value.Select(v => KeyValuePair.Create(h.Key, v))).ToList();
        return new OutboundResponse(url, (int)answer.StatusCode, answer.ReasonPhrase, headers, answer.Content.Headers.ContentType, body, truncated)
        {
            RetryAfter = RetryDelay.From(answer.Headers.RetryAfter, clock),
        };
    }

    private SocketsHttpHandler Handler(Call call) => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        Credentials = null,
        PreAuthenticate = false,
        AutomaticDecompression = DecompressionMethods.All,
        MaxResponseHeadersLength = 64,
        MaxResponseDrainSize = 0,
        ConnectTimeout = options.ConnectTimeout,
        ActivityHeadersPropagator = null, // neither trace headers nor a span, which would name the host
        MeterFactory = UnheardMeters.Instance,
        ConnectCallback = (context, cancellationToken) => ConnectAsync(context.DnsEndPoint, call, cancellationToken),
    };

    private async ValueTask<Stream> ConnectAsync(DnsEndPoint target, Call call, CancellationToken cancellationToken)
    {
        call.Host = target.Host;
        var addresses = await ResolveAsync(target.Host, cancellationToken);
        foreach (var address in addresses)
        {
            // One forbidden address spoils the name: who mixes public and private ones is probing.
            if (policy.WhyNot(target.Host, address, target.Port) is { } why)
            {
                throw new OutboundException(OutboundFailure.Refused,
                    $"{target.Host}:{target.Port} is not called: {why}. Only public web addresses are; the operator can allow others with the setting Outbound:Allow.");
            }
        }

        var socket = await AddressRace.ConnectAsync(addresses, target.Port, clock, cancellationToken);
        call.Connect();
        return new NetworkStream(socket, ownsSocket: true);
    }

    private async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        try
        {
            var addresses = await resolve(host, cancellationToken);
            return addresses.Length > 0 ? addresses : throw new OutboundException(OutboundFailure.Unresolved, $"The host name {host} has no address.");
        }
        catch (SocketException exception)
        {
            throw new OutboundException(OutboundFailure.Unresolved, $"The host name {host} is not known. Check its spelling.", inner: exception);
        }
    }

    private OutboundException Explain(Exception exception, Uri url, Call call)
    {
        var connected = call.Connected;
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            if (inner is OutboundException known)
            {
                return new OutboundException(known.Failure, known.Message, connected && known.Failure != OutboundFailure.Refused, exception);
            }
        }

        return exception switch
        {
            OperationCanceledException { InnerException: TimeoutException } when options.ConnectTimeout < options.Timeout => // the handler's, of the connection alone
                new(OutboundFailure.TimedOut, $"There was no connection to {call.Host ?? url.Host} within {options.ConnectTimeout.TotalSeconds:0.#} s.", connected, exception),
            OperationCanceledException => new(OutboundFailure.TimedOut, $"{url.Host} did not answer within {options.Timeout.TotalSeconds:0.#} s.", connected, exception),
            InvalidDataException => new(OutboundFailure.BadAnswer, $"{url.Host} sent an answer that cannot be decompressed.", connected, exception),
            HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded } =>
                new(OutboundFailure.BadAnswer, $"{url.Host} sent an answer that is no valid HTTP.", connected, exception),
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
                new(OutboundFailure.Unreachable, $"No secure connection to {url.Host}: its certificate or protocol is not accepted.", false, exception),
            _ when connected => new(OutboundFailure.Unreachable, $"The connection to {url.Host} broke before the answer was complete.", true, exception),
            _ => new(OutboundFailure.Unreachable, $"{url.Host}:{url.Port} cannot be reached.", false, exception),
        };
    }

    /// <summary>What one call has done so far.</summary>
    private sealed class Call(Action? sending)
    {
        public bool Connected { get; private set; }

        /// <summary>The host that a connection was last made to, or tried: after a redirect another than that of the URL.</summary>
        public string? Host { get; set; }

        public void Connect()
        {
            if (!Connected)
            {
                Connected = true;
                sending?.Invoke();
            }
        }
    }
}
