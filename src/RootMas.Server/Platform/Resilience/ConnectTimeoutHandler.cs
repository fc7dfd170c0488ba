namespace RootMas.Server.Platform.Resilience;

/// <summary>
/// Tells a connection that was not made in time as what it is: a failure of the connection, as a refused one. <see cref="SocketsHttpHandler.ConnectTimeout"/> throws an <see cref="OperationCanceledException"/> that looks as if the caller had
/// stopped the call, so nobody would try again or turn to somebody else.
/// </summary>
internal sealed class ConnectTimeoutHandler(SocketsHttpHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (OperationCanceledException e) when (e.InnerException is TimeoutException && !cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, $"There was no connection within {inner.ConnectTimeout.TotalSeconds:0.#} s.", e);
        }
    }
}
