using System.Net;
using System.Text;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>What people do with documents over HTTP.</summary>
internal static class DocumentsClient
{
    public static Task<JsonElement> UploadAsync(this TestUser user, string name, string text, string query = "", HttpStatusCode status = HttpStatusCode.Created) =>
        user.UploadAsync(name, Encoding.UTF8.GetBytes(text), query, status);

    public static async Task<JsonElement> UploadAsync(this TestUser user, string name, byte[] content, string query = "", HttpStatusCode status = HttpStatusCode.Created)
    {
        using var body = new ByteArrayContent(content) { Headers = { ContentType = new("application/octet-stream") } };
        return await TestUser.JsonAsync(await user.Client.PostAsync($"/api/v1/documents?name={Uri.EscapeDataString(name)}{query}", body), status);
    }

    /// <summary>Passages, the best first.</summary>
    public static async Task<List<JsonElement>> SearchAsync(this TestUser user, string query, object? filter = null)
    {
        var body = JsonSerializer.SerializeToNode(filter ?? new { })!.AsObject();
        body["query"] = query;
        return [.. (await user.PostAsync("/api/v1/knowledge/search", body)).GetProperty("items").EnumerateArray()];
    }

    public static async Task<HttpStatusCode> DeleteAsync(this TestUser user, string path, string? etag = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", etag);
        }

        using var answer = await user.Client.SendAsync(request);
        return answer.StatusCode;
    }

    public static string Id(this JsonElement document) => document.GetProperty("id").GetString()!;
}
