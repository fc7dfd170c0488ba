using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>A server whose route counts how often it was really called.</summary>
public sealed class SmugglingApp : IAsyncLifetime
{
    private int _hits;

    public TestApp App { get; private set; } = null!;

    public int Hits => Volatile.Read(ref _hits);

    public async Task InitializeAsync() => App = await TestApp.StartAsync(o =>
    {
        o.Configure = app =>
        {
            var routes = app.MapRoutes();
            routes.MapPost("/api/v1/echo", (Probe probe) => TypedResults.Ok(probe)).AllowPublic();
            routes.MapGet("/api/v1/hit", () =>
            {
                Interlocked.Increment(ref _hits);
                return TypedResults.NoContent();
            }).AllowPublic();
        };
    });

    public async Task DisposeAsync() => await App.DisposeAsync();
}

/// <summary>
/// Requests that two programs could understand differently: what one takes for a body, the other takes for a second request. Each must get one refusal and a closed connection; the hidden request must never run.
/// </summary>
public sealed class SmugglingTests(SmugglingApp fixture) : IClassFixture<SmugglingApp>
{
    private const string Json = """{"message_text":"a"}""";
    private static readonly string Chunk = $"{Json.Length:x}\r\n{Json}\r\n0\r\n\r\n";

    public static TheoryData<string, string> Requests() => new()
    {
        { "length and chunked", Post($"Content-Length: {Json.Length}\r\nTransfer-Encoding: chunked", Chunk) },
        { "chunked and length", Post($"Transfer-Encoding: chunked\r\nContent-Length: {Chunk.Length}", Chunk) },
        { "chunked and length 0", Post("Transfer-Encoding: chunked\r\nContent-Length: 0", Chunk) },
        { "two lengths", Post($"Content-Length: {Json.Length}\r\nContent-Length: 0", Json) },
        { "two equal lengths", Post($"Content-Length: {Json.Length}\r\nContent-Length: {Json.Length}", Json) },
        { "a list of lengths", Post($"Content-Length: {Json.Length}, {Json.Length}", Json) },
        { "a negative length", Post("Content-Length: -1", Json) },
        { "a hexadecimal length", Post("Content-Length: 0x14", Json) },
        { "a length that overflows", Post("Content-Length: 18446744073709551636", Json) },
        { "an unknown coding", Post("Transfer-Encoding: xchunked", Chunk) },
        { "identity", Post("Transfer-Encoding: identity", Json) },
        { "chunked, then identity", Post("Transfer-Encoding: chunked, identity", Chunk) },
        { "identity, then chunked", Post("Transfer-Encoding: identity, chunked", Chunk) },
        { "gzip, then chunked", Post("Transfer-Encoding: gzip, chunked", Chunk) },
        { "chunked twice", Post("Transfer-Encoding: chunked, chunked", Chunk) },
        { "two coding headers", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", Chunk) },
        { "a quoted coding", Post("Transfer-Encoding: \"chunked\"", Chunk) },
        { "a coding with a vertical tab", Post("Transfer-Encoding: \u000bchunked", Chunk) },
        { "a space before the colon", Post("Transfer-Encoding : chunked", Chunk) },
        { "a space before the name", Post("X-A: b\r\n Transfer-Encoding: chunked", Chunk) },
        { "a folded header", Post($"X-A: b\r\n\tc\r\nContent-Length: {Json.Length}", Json) },
        { "a folded coding", Post("Transfer-Encoding:\r\n chunked", Chunk) },
        { "chunked in HTTP/1.0", Post("Transfer-Encoding: chunked", Chunk).Replace("HTTP/1.1", "HTTP/1.0", StringComparison.Ordinal) },
        { "bare line feeds", Post($"Content-Length: {Json.Length}", Json).Replace("\r\n", "\n", StringComparison.Ordinal) },
        { "one bare line feed", Post($"X-A: b\nContent-Length: {Json.Length}", Json) },
        { "a bare carriage return", Post($"X-A: b\rContent-Length: {Json.Length}", Json) },
        { "NUL in a header", Post($"X-A: b\0c\r\nContent-Length: {Json.Length}", Json) },
        { "NUL in a name", Post($"X\0A: b\r\nContent-Length: {Json.Length}", Json) },
        { "no name", Post($": b\r\nContent-Length: {Json.Length}", Json) },
        { "no colon", Post($"X-A\r\nContent-Length: {Json.Length}", Json) },
        { "a chunk size that overflows", Post("Transfer-Encoding: chunked", "FFFFFFFFFFFFFFFFF\r\n" + Json) },
        { "a negative chunk size", Post("Transfer-Encoding: chunked", "-1\r\n" + Json) },
        { "a chunk size with 0x", Post("Transfer-Encoding: chunked", $"0x{Json.Length:x}\r\n{Json}\r\n0\r\n\r\n") },
        { "no line end after a chunk", Post("Transfer-Encoding: chunked", $"{Json.Length:x}\r\n{Json}XX0\r\n\r\n") },
        { "a line feed in a chunk extension", Post("Transfer-Encoding: chunked", $"{Json.Length:x};a\nb\r\n{Json}\r\n0\r\n\r\n") },
        { "a line feed after a chunk size", Post("Transfer-Encoding: chunked", $"{Json.Length:x}\n{Json}\r\n0\r\n\r\n") },
        { "an endless chunk extension", Post("Transfer-Encoding: chunked", $"{Json.Length:x};{new string('a', 2_000_000)}\r\n{Json}\r\n0\r\n\r\n") },
        { "another host in the address", Get("http://evil.example.org/health") },
        { "two hosts", Get("/health", "Host: {host}\r\nHost: evil.example.org") },
        { "no host", Get("/health", "X-A: b") },
        { "a host with a path", Get("/health", "Host: {host}/x") },
        { "a host with a user", Get("/health", "Host: a@{host}") },
        { "two spaces in the request line", Get(" /health") },
        { "a tab in the request line", Get("\t/health") },
        { "no version", $"GET /health\r\nHost: {{host}}\r\n\r\n" },
        { "an unknown version", Get("/health").Replace("HTTP/1.1", "HTTP/1.2", StringComparison.Ordinal) },
        { "a method that is none", Get("/health").Replace("GET ", "G@T ", StringComparison.Ordinal) },
        { "NUL in the address", Get("/health\0") },
        { "a header that is too long", Get("/health", "Host: {host}\r\nX-A: " + new string('a', 70_000)) },
        { "too many headers", Get("/health", "Host: {host}\r\n" + string.Join("\r\n", Enumerable.Range(0, 500).Select(static i => $"X-{i}: a"))) },
        { "a line that is too long", Get("/health?" + new string('a', 70_000)) },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task An_ambiguous_request_gets_one_refusal_and_a_closed_connection(string what, string request)
    {
        var before = fixture.Hits;
        var host = fixture.App.Url.Authority;
        var answer = await ExchangeAsync(request.Replace("{host}", host, StringComparison.Ordinal) + $"GET /api/v1/hit HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Assert.Matches("^HTTP/1.1 (4\\d\\d|505) ", answer);
        Assert.True(CountOf(answer, "HTTP/1.1 ") == 1, $"{what}: {answer}");
        Assert.True(fixture.Hits == before, $"{what}: the hidden request ran");
        await fixture.App.GetJsonAsync("/health");
    }

    [Fact]
    public async Task The_same_requests_written_properly_are_answered_each()
    {
        var before = fixture.Hits;
        var host = fixture.App.Url.Authority;
        foreach (var request in (string[])[Post($"Content-Length: {Json.Length}", Json), Post("Transfer-Encoding: chunked", Chunk), Post("transfer-encoding: Chunked", Chunk), Get($"http://{host}/health")])
        {
            var answer = await ExchangeAsync(request.Replace("{host}", host, StringComparison.Ordinal) + $"GET /api/v1/hit HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
            Assert.Equal(2, CountOf(answer, "HTTP/1.1 "));
        }

        Assert.Equal(before + 4, fixture.Hits);
    }

    private static string Post(string headers, string body) => $"POST /api/v1/echo HTTP/1.1\r\nHost: {{host}}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{body}";

    private static string Get(string address, string headers = "Host: {host}") => $"GET {address} HTTP/1.1\r\n{headers}\r\n\r\n";

    private static int CountOf(string text, string part) => text.Split(part).Length - 1;

    /// <summary>Sends everything and reads until the server closes; a server that keeps the connection open fails by the time-out.</summary>
    private async Task<string> ExchangeAsync(string request)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, fixture.App.Url.Port, limit.Token);
        var stream = socket.GetStream();
        var sending = SendAsync(stream, Encoding.Latin1.GetBytes(request), limit.Token);
        using var received = new MemoryStream();
        try
        {
            await stream.CopyToAsync(received, limit.Token);
        }
        catch (IOException)
        {
            // Closed with our bytes still unread: the answer came first.
        }

        await sending;
        return Encoding.Latin1.GetString(received.ToArray());
    }

    private static async Task SendAsync(NetworkStream stream, byte[] bytes, CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(bytes, cancellationToken);
        }
        catch (IOException)
        {
            // The server closed before it had read everything, which it may.
        }
    }
}
