using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>A record as slices write them.</summary>
public sealed record Probe
{
    [StringLength(10, MinimumLength = 1)]
    public required string MessageText { get; init; }

    public double Amount { get; init; }

    public JsonElement? Metadata { get; init; }

    public IReadOnlyList<Inner>? Items { get; init; }

    public sealed record Inner
    {
        [Range(1, 3)]
        public int HowMany { get; init; }
    }
}

/// <summary>A failure that cannot be told apart from others: asked what it is, it fails.</summary>
public sealed class Unsayable : JsonException
{
    private bool _asked;

    public override string Message
    {
        get
        {
            if (_asked)
            {
                return "For the log.";
            }

            _asked = true;
            throw new InvalidOperationException("Nobody knows.");
        }
    }
}

/// <summary>One server with routes that only these tests have.</summary>
public sealed class ConventionsApp : IAsyncLifetime
{
    public TestApp App { get; private set; } = null!;

    public async Task InitializeAsync() => App = await TestApp.StartAsync(o => o.Configure = app =>
    {
        var routes = app.MapRoutes();
        routes.MapPost("/api/v1/probe", (Probe probe) => TypedResults.Ok(probe)).RequirePermission("probe:write");
        routes.MapPost("/api/v1/listed", (Probe probe) => TypedResults.Ok(new Page<Probe>([probe], null))).AllowPublic();
        routes.MapGet("/api/v1/bottomless", () => TypedResults.Ok(new Probe { MessageText = "a", Metadata = JsonElement.Parse(Nested(200), new JsonDocumentOptions { MaxDepth = 200 }) })).AllowPublic();
        routes.MapPost("/api/v1/small", (Probe probe) => TypedResults.Ok(probe)).AllowPublic().WithBodyLimit(100);
        routes.MapPost("/api/v1/empty", () => TypedResults.NoContent()).AllowPublic();
        routes.MapGet("/api/v1/unsayable", IResult () => throw new BadHttpRequestException("The body.", 400, new Unsayable())).AllowPublic();
        routes.MapGet("/api/v1/crash", IResult () => throw new InvalidOperationException("SELECT secret FROM users")).AllowPublic();
        routes.MapGet("/api/v1/refuse", IResult () => throw new ProblemException(Problems.Conflict("busy", "Busy. Nothing was done.", TimeSpan.FromSeconds(1.2)))).AllowPublic();
        routes.MapGet("/v1/refuse", Problem () => Problems.Invalid("model", "is not known")).AllowPublic();
        routes.MapGet("/api/v1/me", (HttpContext context) => TypedResults.Ok(context.Caller().UserId)).AllowPublic();
        routes.MapGet("/api/v1/closed", () => "no").RequirePermission("x:y");
        routes.MapPut("/api/v1/versioned", (HttpRequest request) => Preconditions.IfMatch(request, "v2") ?? (IResult)TypedResults.NoContent()).AllowPublic();
        routes.MapGet("/api/v1/list", (int? limit, string? cursor) => Paging.Read(limit, cursor, 2, out var page) ?? (IResult)TypedResults.Ok(new Page<int>([page.Limit], Paging.CursorOf("a", "b")))).AllowPublic();
        routes.MapPost("/api/v1/keyed", (HttpRequest request) => IdempotencyHeader.Read(request, out var key) ?? (IResult)TypedResults.Ok(key)).AllowPublic();
    });

    public async Task DisposeAsync() => await App.DisposeAsync();

    /// <summary>So many arrays in each other.</summary>
    internal static string Nested(int levels) => new string('[', levels) + new string(']', levels);
}

public sealed class ConventionsTests(ConventionsApp fixture) : IClassFixture<ConventionsApp>
{
    private TestApp App => fixture.App;

    [Fact]
    public async Task An_unknown_address_and_a_wrong_method_are_problem_documents()
    {
        using var missing = await App.Client.GetAsync("/api/v1/nothing?x=<script>");
        await ProblemAssert.IsProblemAsync(missing, 404, "not_found");
        using var method = await App.Client.DeleteAsync("/api/v1/probe");
        await ProblemAssert.IsProblemAsync(method, 405, "method_not_allowed");
        Assert.Contains("POST", method.Content.Headers.Allow);
    }

    [Theory]
    [InlineData("{\"message_text\":\"a\",\"role\":\"admin\"}", "role")]
    [InlineData("{\"message_text\":\"a\",\"message_text\":\"b\"}", "message_text")]
    [InlineData("{\"message_text\":1}", "message_text")]
    [InlineData("{\"message_text\":null}", "message_text")]
    [InlineData("{\"Message_Text\":\"a\"}", "Message_Text")]
    [InlineData("{\"amount\":1}", "message_text")]
    [InlineData("{\"message_text\":\"a\",\"amount\":\"1\"}", "amount")]
    [InlineData("{\"message_text\":\"a\",\"amount\":NaN}", "amount")]
    [InlineData("{\"message_text\":\"a\",\"amount\":1e999}", "amount")]
    [InlineData("{\"message_text\":\"a\\u0000\"}", "message_text")]
    [InlineData("{\"message_text\":\"\\ud800\"}", "message_text")]
    [InlineData("{\"message_text\":\"a\",\"metadata\":{\"x\":\"\\u0000\"}}", "metadata")]
    [InlineData("{\"message_text\":\"a\",\"metadata\":{\"x\":1,\"x\":2}}", "metadata")]
    [InlineData("{\"message_text\":\"a\",\"metadata\":{\"x\":\"\\udc00\"}}", "metadata")]
    [InlineData("{\"message_text\":\"\"}", "message_text")]
    [InlineData("{\"message_text\":\"12345678901\"}", "message_text")]
    [InlineData("{\"message_text\":\"a\",\"items\":[{\"how_many\":1},{\"how_many\":9}]}", "items[1].how_many")]
    [InlineData("{\"message_text\":\"a\",\"items\":[{\"how\":1}]}", "items[0].how")]
    [InlineData("{\"message_text\":\"a\",\"items\":[{\"how_many\":1},null]}", "items[1]")]
    [InlineData("", "$")]
    [InlineData("null", "$")]
    [InlineData("[]", "$")]
    [InlineData("{\"message_text\":\"a\"", "$")]
    [InlineData("{\"message_text\":\"a\"}x", "$")]
    public async Task A_bad_body_is_400_and_names_the_field(string body, string field)
    {
        using var response = await App.PostAsync("/api/v1/probe", body);
        ProblemAssert.Names(await ProblemAssert.IsProblemAsync(response, 400), field);
    }

    /// <summary>The reader's words, and others that it was once known by. Who names a member so must not be told what is not true, nor get a failure of ours.</summary>
    [Theory]
    [InlineData("missing required properties")]
    [InlineData("missing required properties including: ")]
    [InlineData("JSON deserialization for type 'x' was missing required properties including: 'y'.")]
    [InlineData("could not be mapped to any")]
    [InlineData("' could not be mapped to any .NET member contained in type '")]
    [InlineData("could not be converted")]
    [InlineData("duplicate")]
    [InlineData("depth")]
    [InlineData("Expected depth to be zero")]
    [InlineData("including:")]
    public async Task What_a_member_is_called_says_nothing_about_what_is_wrong(string name)
    {
        foreach (var (body, said) in ((string, string)[])
        [
            ($"{{\"message_text\":\"a\",\"{name}\":1}}", "is not a member of this object"),
            ($"{{\"message_text\":\"a\",\"items\":[{{\"{name}\":tru}}]}}", "is not a member of this object"),
            ($"{{\"message_text\":\"a\",\"metadata\":{{\"{name}\":tru}}}}", "is not valid JSON"),
            ($"{{\"message_text\":\"a\",\"metadata\":{{\"{name}\":\"b\"", "ends too early"),
            ($"{{\"{name}\"}}", "is not valid JSON"),
        ])
        {
            Assert.Equal((body, said), (body, await SaidAsync(body)));
        }
    }

    [Theory]
    [InlineData("  ", "ends too early")]
    [InlineData("{", "ends too early")]
    [InlineData("{\"mess", "ends too early")]
    [InlineData("{\"message_text\"", "ends too early")]
    [InlineData("{\"message_text\":", "ends too early")]
    [InlineData("{\"message_text\":\"a", "ends too early")]
    [InlineData("{\"message_text\":\"a\"", "ends too early")]
    [InlineData("{\"message_text\":\"a\",", "ends too early")]
    [InlineData("{\"message_text\":\"a\",\"items\":[{\"how_many\":1}", "ends too early")]
    [InlineData("{\"message_text\":\"a\",\"metadata\":{\"x\":[", "ends too early")]
    [InlineData("{\"message_text\":\"a\" \"b\"}", "is not valid JSON")]
    [InlineData("{\"message_text\":null}", "must not be null")]
    [InlineData("{\"message_text\":\"a\",\"amount\":true}", "must be a number")]
    [InlineData("{\"message_text\":true}", "is of the wrong type, or not a legal value")]
    [InlineData("{\"message_text\":\"a\",\"message_text\":\"b\"}", "is given twice")]
    [InlineData("{\"amount\":1}", "is required")]
    public async Task A_bad_body_is_told_what_is_wrong_with_it(string body, string said) => Assert.Equal(said, await SaidAsync(body));

    private async Task<string?> SaidAsync(string body)
    {
        using var response = await App.PostAsync("/api/v1/probe", body);
        var problem = await ProblemAssert.IsProblemAsync(response, 400, "invalid_json");
        return Assert.Single(problem.GetProperty("errors").EnumerateObject()).Value[0].GetString();
    }

    [Fact]
    public async Task A_failure_that_nobody_can_tell_apart_is_answered_all_the_same()
    {
        using var response = await App.Client.GetAsync("/api/v1/unsayable");
        await ProblemAssert.IsProblemAsync(response, 500, "internal_error");
    }

    [Fact]
    public async Task A_body_a_thousand_levels_deep_is_400()
    {
        var deep = "{\"message_text\":\"a\",\"metadata\":" + string.Concat(Enumerable.Repeat("[", 1000)) + string.Concat(Enumerable.Repeat("]", 1000)) + "}";
        using var response = await App.PostAsync("/api/v1/probe", deep);
        ProblemAssert.Names(await ProblemAssert.IsProblemAsync(response, 400, "invalid_json"), "metadata");
    }

    [Fact]
    public async Task The_deepest_body_that_is_taken_can_be_given_back_in_a_list_and_one_level_more_is_400()
    {
        var deepest = ConventionsApp.Nested(31); // and the body itself
        using var listed = await App.PostAsync("/api/v1/listed", $$"""{"message_text":"a","metadata":{{deepest}}}""");
        Assert.Equal(HttpStatusCode.OK, listed.StatusCode);
        using var page = JsonDocument.Parse(await listed.Content.ReadAsStringAsync());
        Assert.Equal(deepest, page.RootElement.GetProperty("items")[0].GetProperty("metadata").GetRawText());

        using var deeper = await App.PostAsync("/api/v1/listed", $$"""{"message_text":"a","metadata":{{ConventionsApp.Nested(32)}}}""");
        var problem = await ProblemAssert.IsProblemAsync(deeper, 400, "invalid_json");
        Assert.Equal("is nested too deeply: 32 levels are allowed", problem.GetProperty("errors").GetProperty("metadata")[0].GetString());
    }

    [Fact]
    public async Task An_answer_that_cannot_be_written_is_no_mistake_of_the_client()
    {
        using var response = await App.Client.GetAsync("/api/v1/bottomless");
        await ProblemAssert.IsProblemAsync(response, 500, "internal_error");
    }

    [Theory]
    [InlineData(new byte[] { 0xEF, 0xBB, 0xBF, (byte)'{', (byte)'}' })]
    [InlineData(new byte[] { 0xFF, 0xFE, (byte)'{', 0, (byte)'}', 0 })]
    [InlineData(new byte[] { 0xFE, 0xFF, 0, (byte)'{', 0, (byte)'}' })]
    [InlineData(new byte[] { (byte)'{', 0, (byte)'}', 0 })]
    [InlineData(new byte[] { (byte)'{', (byte)'"', 0xC3, 0x28, (byte)'"', (byte)':', (byte)'1', (byte)'}' })]
    public async Task Bytes_that_are_not_plain_utf8_are_400(byte[] body)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
        using var response = await App.Client.PostAsync("/api/v1/probe", content);
        await ProblemAssert.IsProblemAsync(response, 400, "invalid_json");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("multipart/form-data; boundary=x")]
    public async Task A_body_of_another_type_is_415(string type)
    {
        foreach (var path in (string[])["/api/v1/probe", "/api/v1/empty"])
        {
            using var content = new ByteArrayContent("{\"message_text\":\"a\"}"u8.ToArray());
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            using var response = await App.Client.PostAsync(path, content);
            await ProblemAssert.IsProblemAsync(response, 415, "unsupported_media_type");
        }
    }

    [Fact]
    public async Task A_body_over_the_limit_is_413_with_and_without_a_length()
    {
        var big = "{\"message_text\":\"" + new string('a', 1_048_576) + "\"}";
        using var announced = new HttpRequestMessage(HttpMethod.Post, "/api/v1/probe") { Content = new StringContent(big, Encoding.UTF8, "application/json") };

        // The client asks before it sends the body: else it may see a closed connection before it sees the refusal.
        announced.Headers.ExpectContinue = true;
        using var known = await App.Client.SendAsync(announced);
        await ProblemAssert.IsProblemAsync(known, 413, "body_too_large");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/small") { Content = new StreamContent(new MemoryStream(Encoding.UTF8.GetBytes(big[..200]))) };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.TransferEncodingChunked = true;
        using var chunked = await App.Client.SendAsync(request);
        await ProblemAssert.IsProblemAsync(chunked, 413, "body_too_large");
    }

    [Fact]
    public async Task A_bug_is_a_500_that_tells_nothing()
    {
        using var response = await App.Client.GetAsync("/api/v1/crash");
        var problem = await ProblemAssert.IsProblemAsync(response, 500, "internal_error");
        Assert.DoesNotContain("SELECT", problem.ToString(), StringComparison.Ordinal);
        Assert.Matches("^[0-9a-f]{32}$", problem.GetProperty("trace_id").GetString());
        var logs = await App.GetJsonAsync("/api/v1/logs?level=error&component=EdgeMiddleware");
        Assert.Equal(problem.GetProperty("trace_id").GetString(), logs.GetProperty("logs")[0].GetProperty("trace_id").GetString());
    }

    [Fact]
    public async Task A_thrown_refusal_keeps_its_code_and_tells_when_to_come_back()
    {
        using var response = await App.Client.GetAsync("/api/v1/refuse");
        await ProblemAssert.IsProblemAsync(response, 409, "busy");
        Assert.Equal(TimeSpan.FromSeconds(2), response.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task Under_v1_refusals_have_the_shape_of_openai()
    {
        using var response = await App.Client.GetAsync("/v1/refuse");
        var error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal("model", error.GetProperty("param").GetString());
        Assert.Equal("'model' is not known. Nothing was done.", error.GetProperty("message").GetString());
        Assert.Equal("validation_failed", error.GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("abc-1.2", "abc-1.2")]
    [InlineData("a b", null)]
    [InlineData("<x>", null)]
    public async Task A_request_id_is_accepted_or_made(string sent, string? expected)
    {
        using var response = await App.SendAsync(HttpMethod.Get, "/health/live", null, ("X-Request-Id", sent));
        var id = Assert.Single(response.Headers.GetValues("X-Request-Id"));
        Assert.True(expected is null ? id.Length == 32 : id == expected, id);
        Assert.True(response.Headers.Contains("X-Process-Time") && response.Headers.Contains("RateLimit-Limit") && response.Headers.Contains("RateLimit-Remaining") && response.Headers.Contains("RateLimit-Reset"));
        Assert.False(response.Headers.Contains("Server"));
    }

    [Fact]
    public async Task Foreign_hosts_origins_and_sites_are_refused()
    {
        using var host = await App.SendAsync(HttpMethod.Get, "/health/live", null, ("Host", "evil.example"));
        await ProblemAssert.IsProblemAsync(host, 421, "host_not_allowed");
        foreach (var origin in (string[])["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"])
        {
            using var foreign = await App.SendAsync(HttpMethod.Get, "/health/live", null, ("Origin", origin));
            await ProblemAssert.IsProblemAsync(foreign, 403, "foreign_origin");
        }

        using var cross = await App.SendAsync(HttpMethod.Get, "/health/live", null, ("Sec-Fetch-Site", "cross-site"));
        await ProblemAssert.IsProblemAsync(cross, 403, "foreign_origin");
        using var own = await App.SendAsync(HttpMethod.Get, "/health/live", null, ("Origin", App.Url.GetLeftPart(UriPartial.Authority)), ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
    }

    [Fact]
    public async Task Changes_need_the_version_that_was_read()
    {
        using var without = await App.SendAsync(HttpMethod.Put, "/api/v1/versioned");
        await ProblemAssert.IsProblemAsync(without, 428, "if_match_required");
        using var old = await App.SendAsync(HttpMethod.Put, "/api/v1/versioned", null, ("If-Match", "\"v1\""));
        await ProblemAssert.IsProblemAsync(old, 412, "etag_mismatch");
        using var weak = await App.SendAsync(HttpMethod.Put, "/api/v1/versioned", null, ("If-Match", "W/\"v2\""));
        await ProblemAssert.IsProblemAsync(weak, 412, "etag_mismatch");
        using var garbage = await App.SendAsync(HttpMethod.Put, "/api/v1/versioned", null, ("If-Match", "v2"));
        await ProblemAssert.IsProblemAsync(garbage, 400);
        using var right = await App.SendAsync(HttpMethod.Put, "/api/v1/versioned", null, ("If-Match", "\"v1\", \"v2\""));
        Assert.Equal(HttpStatusCode.NoContent, right.StatusCode);
    }

    [Fact]
    public async Task Lists_take_a_limit_and_a_cursor_and_refuse_others()
    {
        var page = await App.GetJsonAsync("/api/v1/list");
        Assert.Equal(50, page.GetProperty("items")[0].GetInt32());
        await App.GetJsonAsync("/api/v1/list?cursor=");
        await App.GetJsonAsync($"/api/v1/list?limit=200&cursor={page.GetProperty("next_cursor").GetString()}");
        foreach (var bad in (string[])["limit=0", "limit=201", "limit=a", "limit=body", "limit=Required", "limit=9999999999", "cursor=%21", "cursor=AAAA", $"cursor={Paging.CursorOf("only")}"])
        {
            using var response = await App.Client.GetAsync($"/api/v1/list?{bad}");
            ProblemAssert.Names(await ProblemAssert.IsProblemAsync(response, 400), bad.Split('=')[0]);
        }
    }

    [Theory]
    [InlineData("k-1", true)]
    [InlineData("a b", false)]
    public async Task Idempotency_keys_are_checked(string key, bool good)
    {
        using var response = await App.SendAsync(HttpMethod.Post, "/api/v1/keyed", null, ("Idempotency-Key", key));
        Assert.Equal(good ? 200 : 400, (int)response.StatusCode);
    }

    [Fact]
    public async Task The_local_caller_may_do_everything_and_keeps_its_id()
    {
        var first = await App.GetJsonAsync("/api/v1/me");
        Assert.True(Guid.TryParse(first.GetString(), out var id) && id.Version == 7);
        using var closed = await App.Client.GetAsync("/api/v1/closed");
        Assert.Equal(HttpStatusCode.OK, closed.StatusCode);
    }

    [Fact]
    public async Task Smuggled_and_broken_requests_on_a_raw_socket_are_refused()
    {
        string[] requests =
        [
            $"POST /api/v1/probe HTTP/1.1\r\nHost: {App.Url.Authority}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
            "GET /health HTTP/1.1\r\n\r\n",
            $"GET /health HTTP/1.1\r\nHost: {App.Url.Authority}\r\nHost: evil\r\n\r\n",
            $"GET /health HTTP/1.1\r\nHost: {App.Url.Authority}\r\nX: a\0b\r\n\r\n",
            $"GET /health HTTP/9.9\r\nHost: {App.Url.Authority}\r\n\r\n",
        ];
        foreach (var request in requests)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(IPAddress.Loopback, App.Url.Port);
            await socket.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request));
            using var reader = new StreamReader(socket.GetStream());
            var status = await reader.ReadLineAsync();
            Assert.Matches("^HTTP/1.1 (4\\d\\d|505) ", status);
        }

        await App.GetJsonAsync("/health");
    }
}
