using System.Net;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>
/// The exporters' way to the collector, under the policy <c>otlp</c>. Exporters of logs are made before the policies are; until <see cref="Use"/> they send once.
/// </summary>
internal sealed class OtlpTransport(TimeSpan? connectTimeout = null)
{
    private readonly TimeSpan _connectTimeout = connectTimeout ?? TimeSpan.FromSeconds(5);
    private OutboundPolicy? _policy;

    public void Use(OutboundPolicies policies) => _policy = policies.Get("otlp");

    public HttpClient Client() => new(new Handler(this)) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>What a collector may answer and still take the same batch later (OTLP specification, "Failures").</summary>
    private static OutboundVerdict Judge(HttpResponseMessage? answer, Exception? error) => error switch
    {
        HttpRequestException or IOException or OutboundUnavailableException => OutboundVerdict.Again(),
        null when answer?.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => OutboundVerdict.Again(answer.Headers.RetryAfter?.Delta),
        _ => OutboundVerdict.Answered,
    };

    private sealed class Handler(OtlpTransport transport) : DelegatingHandler(new ConnectTimeoutHandler(new SocketsHttpHandler { ConnectTimeout = transport._connectTimeout, UseCookies = false }))
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (transport._policy is not { } policy)
            {
                return await base.SendAsync(request, cancellationToken);
            }

            try
            {
                return await policy.ExecuteAsync(async token => await base.SendAsync(request, token), Judge, cancellationToken);
            }
            catch (OutboundUnavailableException e)
            {
                throw new HttpRequestException(HttpRequestError.ConnectionError, e.Message, e);
            }
        }

        /// <summary>Exporters send from threads of their own and know no other way than to hold them.</summary>
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
#pragma warning disable RS0030, CA2025, VSTHRD002 // see above
            return Task.Run(() => SendAsync(request, cancellationToken), cancellationToken).GetAwaiter().GetResult();
#pragma warning restore RS0030, CA2025, VSTHRD002
        }
    }
}
