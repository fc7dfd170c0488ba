using System.Net;
using System.Text;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>Which upload an <c>Idempotency-Key</c> stands for.</summary>
public sealed class KeyedUploadTests
{
    /// <summary>Longer than what is read of a body at once, with lines that look like the end of a part for a while.</summary>
    private static readonly string Text = string.Concat(Enumerable.Range(0, 8_000).Select(static n => $"\r\n--bound{n}: open.\n"));

    [Fact]
    public async Task The_same_file_in_a_form_with_another_boundary_is_the_same_upload()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var sent = await SendFormAsync(ann, "boundary-1", Text);
        var first = await CreatedAsync(sent);
        foreach (var boundary in (string[])["boundary-2", "x", new string('-', 26) + "4a90c2e17b"])
        {
            using var again = await SendFormAsync(ann, boundary, Text);
            Assert.Equal(first, await CreatedAsync(again));
        }

        using var other = await SendFormAsync(ann, "boundary-1", Text[..^1] + "!");
        await ProblemAssert.IsProblemAsync(other, 422, "idempotency_mismatch");
        Assert.Equal(first, Assert.Single((await ann.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray()).Id());
    }

    [Fact]
    public async Task A_file_under_another_name_in_the_query_is_another_upload()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var one = await SendBytesAsync(ann, "one.txt");
        using var again = await SendBytesAsync(ann, "one.txt");
        using var two = await SendBytesAsync(ann, "two.txt");
        Assert.Equal(await CreatedAsync(one), await CreatedAsync(again));
        await ProblemAssert.IsProblemAsync(two, 422, "idempotency_mismatch");
        Assert.Equal("one.txt", Assert.Single((await ann.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray()).GetProperty("name").GetString());
    }

    private static async Task<HttpResponseMessage> SendFormAsync(TestUser user, string boundary, string text)
    {
        using var form = new MultipartFormDataContent(boundary) { { new ByteArrayContent(Encoding.UTF8.GetBytes(text)), "file", "canteen.txt" } };
        return await SendAsync(user, "/api/v1/documents", form);
    }

    private static async Task<HttpResponseMessage> SendBytesAsync(TestUser user, string name)
    {
        using var body = new ByteArrayContent("The canteen closes at three."u8.ToArray()) { Headers = { ContentType = new("application/octet-stream") } };
        return await SendAsync(user, $"/api/v1/documents?name={name}", body);
    }

    private static async Task<HttpResponseMessage> SendAsync(TestUser user, string path, HttpContent body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body };
        request.Headers.Add("Idempotency-Key", "k");
        return await user.Client.SendAsync(request);
    }

    /// <summary>The document's id. It may still be being read.</summary>
    private static async Task<string> CreatedAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.Accepted, $"{(int)answer.StatusCode}: {text}");
        return JsonElement.Parse(text).Id();
    }
}
