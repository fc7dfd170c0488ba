using System.Globalization;
using System.Net.Sockets;
using System.Text;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>HEAD is GET without the body, as a load balancer or a link checker asks.</summary>
public sealed class HeadTests(ConventionsApp fixture) : IClassFixture<ConventionsApp>
{
    private TestApp App => fixture.App;

    [Theory]
    [InlineData("/")]
    [InlineData("/health")]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/health/startup")]
    [InlineData("/metrics")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/openapi.json")]
    [InlineData("/docs")]
    [InlineData("/docs/swagger-ui.css")]
    [InlineData("/api/v1/agents")]
    [InlineData("/api/v1/agents/communicator")]
    [InlineData("/api/v1/agents/nobody")]
    [InlineData("/api/v1/runs?limit=0")]
    [InlineData("/v1/models")]
    [InlineData("/ws")]
    [InlineData("/api/v1/nothing")]
    [InlineData("/api/v1/probe")]
    [InlineData("/api/v1/crash")]
    public async Task Head_has_the_status_and_the_type_of_get_and_no_body(string path)
    {
        using var get = await App.Client.GetAsync(path);
        var head = await HeadAsync(path);
        Assert.Equal((int)get.StatusCode, head.Status);
        Assert.Equal(get.Content.Headers.ContentType?.ToString(), head.Headers.GetValueOrDefault("Content-Type"));
        Assert.Equal(get.Headers.ETag?.ToString(), head.Headers.GetValueOrDefault("ETag"));
        Assert.Equal("", head.Body);
    }

    [Theory]
    [InlineData("/openapi/v1.json")]
    [InlineData("/docs")]
    [InlineData("/api/v1/nothing")]
    public async Task Head_tells_how_long_the_body_would_be_where_that_is_known(string path)
    {
        using var get = await App.Client.GetAsync(path);
        var head = await HeadAsync(path);
        Assert.Equal((await get.Content.ReadAsByteArrayAsync()).Length.ToString(CultureInfo.InvariantCulture), head.Headers["Content-Length"]);
    }

    [Fact]
    public async Task Head_begins_no_stream_and_no_socket()
    {
        var run = (await App.PostJsonAsync("/api/v1/chat", new { message = "What is 17 * 23?", team = "solo" })).GetProperty("run_id").GetString();
        var stream = await HeadAsync($"/api/v1/runs/{run}/events", "Accept: text/event-stream");
        Assert.Equal((200, "text/event-stream", ""), (stream.Status, stream.Headers["Content-Type"], stream.Body));
        Assert.Equal(200, (await HeadAsync("/health/live", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")).Status);
        var socket = await HeadAsync("/ws", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==");
        Assert.True(socket.Status is >= 400 and < 500, $"{socket.Status}");
    }

    [Fact]
    public async Task Where_get_is_allowed_the_answer_to_another_method_names_head_too()
    {
        using var both = await App.Client.DeleteAsync("/api/v1/agents");
        await ProblemAssert.IsProblemAsync(both, 405, "method_not_allowed");
        Assert.Equal(["GET", "HEAD", "POST"], both.Content.Headers.Allow.Order(StringComparer.Ordinal));
        using var neither = await App.Client.DeleteAsync("/api/v1/probe");
        Assert.Equal(["POST"], neither.Content.Headers.Allow);
    }

    /// <summary>By hand: a client of HTTP would not look for a body.</summary>
    private async Task<(int Status, Dictionary<string, string> Headers, string Body)> HeadAsync(string path, params string[] headers)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(App.Url.Host, App.Url.Port);
        string[] lines = [$"HEAD {path} HTTP/1.1", $"Host: {App.Url.Authority}", $"Authorization: Bearer {App.LocalToken}", Array.Exists(headers, static h => h.StartsWith("Upgrade", StringComparison.Ordinal)) ? "Connection: Upgrade, close" : "Connection: close", .. headers];
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(string.Join("\r\n", lines) + "\r\n\r\n"));
        using var reader = new StreamReader(socket.GetStream(), Encoding.Latin1);
        var answer = await reader.ReadToEndAsync();
        var end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var head = answer[..end].Split("\r\n");
        return (int.Parse(head[0].Split(' ')[1], CultureInfo.InvariantCulture), head.Skip(1).Select(static l => l.Split(": ", 2)).DistinctBy(static l => l[0], StringComparer.OrdinalIgnoreCase).ToDictionary(static l => l[0], static l => l[1], StringComparer.OrdinalIgnoreCase), answer[(end + 4)..]);
    }
}
