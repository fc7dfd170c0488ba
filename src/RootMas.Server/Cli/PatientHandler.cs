using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Cli;

/// <summary>A server that is just being started again answers a moment later. Only what reads, or certainly never arrived, is sent again.</summary>
internal sealed class PatientHandler(OutboundPolicy policy, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var reads = request.Method == HttpMethod.Get || request.Method == HttpMethod.Head;
        try
        {
            return await policy.ExecuteAsync(async token => await base.SendAsync(request, token), (_, error) => Judge(error, reads), cancellationToken);
        }
        catch (OutboundUnavailableException e)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, e.Message, e);
        }
    }

    private static OutboundVerdict Judge(Exception? error, bool reads) => error switch
    {
        null => OutboundVerdict.Answered,
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } => OutboundVerdict.Again(),
        HttpRequestException or IOException => reads ? OutboundVerdict.Again() : OutboundVerdict.Failed,
        OutboundUnavailableException => OutboundVerdict.Failed,
        _ => OutboundVerdict.OfError(error) with { MayRepeat = false },
    };
}
