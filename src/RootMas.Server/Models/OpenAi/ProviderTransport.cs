using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Models.OpenAi;

/// <summary>The one outbound client for models: pooled connections to the operator's own origins, no redirects, no cookies.</summary>
internal sealed class ProviderTransport : IDisposable
{
    private const int MaxErrorBody = 64 * 1024;
    private const int MaxBody = 8 * 1024 * 1024;

    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _clock;

    public ProviderTransport(TimeProvider clock, bool useProxy = false, TimeSpan? connectTimeout = null)
    {
        _clock = clock;
        _http = new HttpMessageInvoker(new ConnectTimeoutHandler(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = useProxy,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            ConnectTimeout = connectTimeout ?? TimeSpan.FromSeconds(10),
            MaxConnectionsPerServer = int.MaxValue,
            // Our trace ids are nobody else's business.
            ActivityHeadersPropagator = null,
        }));
    }

    /// <summary>Sends one request. The answer has a success status, and its body is still to be read.</summary>
    /// <exception cref="EndpointException">No connection, or an error answer.</exception>
    public async Task<HttpResponseMessage> SendAsync(ModelProvider provider, HttpMethod method, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, Address(provider, path)) { Version = HttpVersion.Version11 };
        if (provider.Key is { Length: > 0 } key)
        {
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        }

        if (body is { } bytes)
        {
            request.Content = new ReadOnlyMemoryContent(bytes);
            request.Content.Headers.ContentType = Json;
        }

        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new EndpointException(FailureKind.Unreachable, $"No connection ({e.HttpRequestError}).", inner: e);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await ErrorAsync(response, cancellationToken);
        }
    }

    /// <summary>The same for a small answer in JSON, which comes as a whole.</summary>
    /// <exception cref="EndpointException">As above.</exception>
    /// <exception cref="JsonException">The answer is no JSON, or far too long.</exception>
    public async ValueTask<JsonElement> ReadAsync(ModelProvider provider, HttpMethod method, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(provider, method, path, body, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new MemoryStream();
        var piece = new byte[16 * 1024];
        for (var read = await stream.ReadAsync(piece, cancellationToken); read > 0 && buffer.Length < MaxBody; read = await stream.ReadAsync(piece, cancellationToken))
        {
            buffer.Write(piece, 0, read);
        }

        using var document = JsonDocument.Parse(buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
        return document.RootElement.Clone();
    }

    public void Dispose() => _http.Dispose();

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private static Uri Address(ModelProvider provider, string path)
    {
        var root = (provider.BaseUrl ?? throw new InvalidOperationException($"Provider {provider.Name} has no base URL.")).OriginalString;
        return new Uri(root.TrimEnd('/') + path, UriKind.Absolute);
    }

    private async Task<EndpointException> ErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var retryAfter = ProviderErrors.RetryAfter(response.Headers, _clock);
        var body = new byte[MaxErrorBody];
        var length = 0;
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            length = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // The status is known; a body that breaks off changes nothing about it.
            length = 0;
        }

        return ProviderErrors.FromResponse((int)response.StatusCode, body.AsSpan(0, length), retryAfter);
    }
}
