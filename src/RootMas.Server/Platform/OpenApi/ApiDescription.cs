using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>The OpenAPI 3.1 document, made once when it is first asked for.</summary>
public sealed class ApiDescription([FromKeyedServices("v1")] IOpenApiDocumentProvider provider) : IDisposable
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly SemaphoreSlim _making = new(1, 1);
    private byte[]? _json;

    /// <summary>Indented UTF-8 with a line feed at the end: the text of <c>docs/openapi.json</c>.</summary>
    public async Task<byte[]> JsonAsync(CancellationToken cancellationToken)
    {
        if (_json is { } known)
        {
            return known;
        }

        await _making.WaitAsync(cancellationToken);
        try
        {
            return _json ??= await MakeAsync(cancellationToken);
        }
        finally
        {
            _making.Release();
        }
    }

    public void Dispose() => _making.Dispose();

    private async Task<byte[]> MakeAsync(CancellationToken cancellationToken)
    {
        var document = await provider.GetOpenApiDocumentAsync(cancellationToken);
        var json = JsonNode.Parse(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, cancellationToken))!.AsObject();
        ApiPolish.Apply(json);
        return [.. JsonSerializer.SerializeToUtf8Bytes(json, Indented), (byte)'\n'];
    }
}
