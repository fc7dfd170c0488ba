using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Limits;

/// <summary>Made from the route table, so a new route is covered as soon as it is mapped: each is called until it says 429.</summary>
public sealed class LimitTableTests
{
    private const int Few = 3;

    [Fact]
    public async Task Every_route_refuses_what_is_over_its_limit_and_says_when_to_come_back()
    {
        await using var app = await TestApp.StartAsync(Low);
        var offences = new List<string>();
        foreach (var (method, path) in Calls(app))
        {
            for (var i = 0; i <= Few + 1; i++)
            {
                using var response = await app.SendAsync(method, path, method == HttpMethod.Get ? null : "{}");
                CheckHeaders($"{method} {path}", response, offences);
                if ((int)response.StatusCode == 429)
                {
                    await CheckRefusalAsync($"{method} {path}", response, offences);
                    break;
                }

                if (i > Few)
                {
                    offences.Add($"{method} {path}: still {(int)response.StatusCode} after {i} requests");
                }
            }
        }

        Assert.Empty(offences);
        var metrics = app.Get<RootMas.Server.Platform.Telemetry.PrometheusMetrics>().Describe().Select(static m => m.Name);
        Assert.Contains("rootmas_limits_rejected_total", metrics);
    }

    [Fact]
    public async Task Every_answer_says_where_its_limit_stands()
    {
        await using var app = await TestApp.StartAsync();
        var offences = new List<string>();
        foreach (var (method, path) in Calls(app))
        {
            using var response = await app.SendAsync(method, path, method == HttpMethod.Get ? null : "{}");
            CheckHeaders($"{method} {path}: {(int)response.StatusCode}", response, offences);
            if ((int)response.StatusCode == 429)
            {
                offences.Add($"{method} {path}: 429 below the limit");
            }
        }

        (HttpMethod Method, string Path, string? Body, (string, string)[] Headers)[] odd =
        [
            (HttpMethod.Get, "/nothing/here", null, []),
            (HttpMethod.Delete, "/api/v1/chat", null, []),
            (HttpMethod.Post, "/api/v1/chat", "not json", []),
            (HttpMethod.Post, "/api/v1/chat", "{}", [("Origin", "https://evil.example")]),
            (HttpMethod.Get, "/health", null, [("Host", "evil.example")]),
            (HttpMethod.Post, "/v1/chat/completions", new string('x', 2_000), []),
            (HttpMethod.Get, "/api/v1/runs", null, [("Authorization", "Bearer nonsense")]),
            (HttpMethod.Options, "/api/v1/chat", null, []),
            (HttpMethod.Options, "/api/v1/chat", null, [("Origin", app.Url.GetLeftPart(UriPartial.Authority)), ("Access-Control-Request-Method", "POST")]),
        ];
        foreach (var (method, path, body, headers) in odd)
        {
            using var response = await app.SendAsync(method, path, body, headers);
            CheckHeaders($"{method} {path}: {(int)response.StatusCode}", response, offences);
        }

        Assert.Empty(offences);
    }

    [Fact]
    public async Task What_is_refused_before_its_route_is_known_counts_against_its_address()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Limits:Address"] = "3/1h");
        for (var i = 0; i < 3; i++)
        {
            using var foreign = await app.SendAsync(HttpMethod.Get, "/api/v1/runs", null, ("Origin", "https://evil.example"));
            Assert.Equal(403, (int)foreign.StatusCode);
        }

        using var refused = await app.SendAsync(HttpMethod.Get, "/api/v1/runs", null, ("Origin", "https://evil.example"));
        var problem = await ProblemAssert.IsProblemAsync(refused, 429, "rate_limited");
        Assert.Equal(LimitNames.Address, problem.GetProperty("limit").GetString());
        using var own = await app.Client.GetAsync("/api/v1/runs");
        Assert.Equal(200, (int)own.StatusCode);
    }

    [Fact]
    public async Task Clients_behind_a_trusted_proxy_have_a_count_each_and_cannot_choose_it()
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Limits:Health"] = "2/1h";
            o.Settings["Server:TrustedProxies"] = "127.0.0.1;10.0.0.0/8";
        });
        async Task<int> StatusAsync(string forwarded)
        {
            using var response = await app.SendAsync(HttpMethod.Get, "/health/live", null, ("X-Forwarded-For", forwarded));
            return (int)response.StatusCode;
        }

        int[] statuses = [await StatusAsync("198.51.100.1"), await StatusAsync("203.0.113.1, 198.51.100.1"), await StatusAsync("203.0.113.2, 198.51.100.1, 10.0.0.9"), await StatusAsync("198.51.100.2")];
        Assert.Equal([200, 200, 429, 200], statuses);
    }

    [Fact]
    public async Task Sockets_over_the_number_that_a_user_may_have_are_refused_at_the_upgrade()
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Limits:SocketsPerUser"] = "2";
            o.Settings["Server:MaxUpgradedConnections"] = "3";
        });
        using var first = await OpenAsync(app, "/ws");
        using var second = await OpenAsync(app, "/ws/visualization");
        using var third = new ClientWebSocket();
        third.Options.CollectHttpResponseDetails = true;
        Authorize(third, app);
        await Assert.ThrowsAsync<WebSocketException>(() => third.ConnectAsync(new Uri($"ws://{app.Url.Authority}/ws"), default));
        Assert.Equal(429, (int)third.HttpStatusCode);
        Assert.Equal("5", Assert.Single(third.HttpResponseHeaders!["Retry-After"]));
        Assert.Equal(("2", "0"), (Assert.Single(third.HttpResponseHeaders["RateLimit-Limit"]), Assert.Single(third.HttpResponseHeaders["RateLimit-Remaining"])));

        // A closed one makes room.
        await first.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        await EventuallyAsync(async () =>
        {
            using var again = new ClientWebSocket();
            Authorize(again, app);
            await again.ConnectAsync(new Uri($"ws://{app.Url.Authority}/ws"), default);
        });
    }

    [Fact]
    public async Task Sockets_that_have_not_said_whose_they_are_are_limited_by_address_and_take_nothing_from_users()
    {
        await using var app = await TestApp.StartAsync(o => (o.Clock, o.Settings["Limits:SocketsPerUser"]) = (new ManualTimeProvider(), "2")); // whoever says nothing stays
        var url = new Uri($"ws://{app.Url.Authority}/ws");
        using var first = new ClientWebSocket();
        using var second = new ClientWebSocket();
        using var third = new ClientWebSocket();
        await first.ConnectAsync(url, default);
        await second.ConnectAsync(url, default);
        third.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => third.ConnectAsync(url, default));
        Assert.Equal(429, (int)third.HttpStatusCode);
        using var own = await OpenAsync(app, "/ws");
        await own.SendAsync("""{"type":"ping"}"""u8.ToArray(), WebSocketMessageType.Text, true, default);
        Assert.Equal("pong", (await ReceiveAsync(own)).GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("/ws")]
    [InlineData("/ws/visualization")]
    public async Task Frames_over_the_limit_are_errors_with_retry_after_and_who_goes_on_is_closed_with_1008(string path)
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Limits:Frames"] = "3/1h";
            o.Settings["Limits:FrameStrikes"] = "2";
        });
        using var socket = await OpenAsync(app, path);
        var types = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            await socket.SendAsync("""{"type":"ping"}"""u8.ToArray(), WebSocketMessageType.Text, true, default);
            var frame = await ReceiveAsync(socket);
            types.Add(frame.GetProperty("type").GetString()!);
            if (types[^1] == "error")
            {
                Assert.InRange(frame.GetProperty("retry_after").GetInt64(), 1, 1_200);
                Assert.Equal((429, LimitNames.Frames), (frame.GetProperty("problem").GetProperty("status").GetInt32(), frame.GetProperty("problem").GetProperty("limit").GetString()));
            }
        }

        Assert.Equal(["pong", "pong", "pong", "error", "error", "error"], types);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        Assert.Equal(WebSocketMessageType.Close, (await socket.ReceiveAsync(new byte[100].AsMemory(), limit.Token)).MessageType);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, socket.CloseStatus);
    }

    [Fact]
    public async Task Messages_by_socket_and_by_http_are_counted_together()
    {
        await using var world = await ChatWorld.StartAsync(configure: o => o.Settings["Limits:Requests"] = "3/1h");
        using var socket = await OpenAsync(world.App, "/ws");
        await world.AskAsync(new { message = "Hi", team = "solo" });
        await world.AskAsync(new { message = "Hi", team = "solo" });
        var statuses = new List<int>();
        for (var i = 0; i < 2; i++)
        {
            await socket.SendAsync("""{"message":"Hi","team":"solo"}"""u8.ToArray(), WebSocketMessageType.Text, true, default);
            JsonElement frame;
            do
            {
                frame = await ReceiveAsync(socket);
            }
            while (frame.GetProperty("type").GetString() is not ("response" or "error"));
            statuses.Add(frame.TryGetProperty("problem", out var problem) ? problem.GetProperty("status").GetInt32() : 200);
        }

        Assert.Equal([200, 429], statuses);
        Assert.Equal(429, (int)(await world.TryAskAsync(new { message = "Hi", team = "solo" })).Status);
    }

    private static void Low(TestAppOptions options)
    {
        foreach (var key in LimitSettings.OutOfTheWay.Keys.Where(static k => k.StartsWith("Limits:", StringComparison.Ordinal)))
        {
            options.Settings[key] = $"{Few}/1h";
        }
    }

    /// <summary>Every route with each of its methods. Sockets as plain requests, too.</summary>
    private static List<(HttpMethod Method, string Path)> Calls(TestApp app) =>
    [
        .. from endpoint in ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()
           from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]
           where method != "CONNECT" // the same sockets over HTTP/2
           let path = "/" + string.Join('/', endpoint.RoutePattern.RawText!.Trim('/').Split('/').Select(static p => p.StartsWith('{') ? "00000000-0000-7000-8000-000000000001" : p))
           select (HttpMethod.Parse(method), path),
    ];

    private static void CheckHeaders(string what, HttpResponseMessage response, List<string> offences)
    {
        foreach (var name in (string[])["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"])
        {
            if (!response.Headers.TryGetValues(name, out var values) || !long.TryParse(values.Single(), NumberStyles.None, CultureInfo.InvariantCulture, out _))
            {
                offences.Add($"{what}: no {name}");
            }
        }
    }

    private static async Task CheckRefusalAsync(string what, HttpResponseMessage response, List<string> offences)
    {
        var text = await response.Content.ReadAsStringAsync();
        if (response.Headers.RetryAfter?.Delta is not { TotalSeconds: >= 1 and <= 3_600 })
        {
            offences.Add($"{what}: no Retry-After");
        }

        if (what.StartsWith("HEAD ", StringComparison.Ordinal))
        {
            return; // has no body
        }

        var body = JsonElement.Parse(text);
        var complete = what.Contains(" /v1/", StringComparison.Ordinal)
            ? body.GetProperty("error").GetProperty("type").GetString() == "rate_limit_error" && body.GetProperty("error").GetProperty("message").GetString()!.Contains("per_", StringComparison.Ordinal)
            : response.Content.Headers.ContentType?.MediaType == "application/problem+json" && body.TryGetProperty("limit", out _) && body.TryGetProperty("allowed", out _);
        if (!complete)
        {
            offences.Add($"{what}: the refusal does not name its limit: {text}");
        }
    }

    private static async Task<ClientWebSocket> OpenAsync(TestApp app, string path)
    {
        var socket = new ClientWebSocket();
        Authorize(socket, app);
        await socket.ConnectAsync(new Uri($"ws://{app.Url.Authority}{path}"), default);
        return socket;
    }

    /// <summary>As whoever the test's own client is.</summary>
    private static void Authorize(ClientWebSocket socket, TestApp app)
    {
        if (app.Client.DefaultRequestHeaders.Authorization is { } authorization)
        {
            socket.Options.SetRequestHeader("Authorization", authorization.ToString());
        }
    }

    private static async Task<JsonElement> ReceiveAsync(ClientWebSocket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        var text = new MemoryStream();
        var buffer = new byte[16 * 1024];
        ValueWebSocketReceiveResult got;
        do
        {
            got = await socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
            Assert.NotEqual(WebSocketMessageType.Close, got.MessageType);
            text.Write(buffer, 0, got.Count);
        }
        while (!got.EndOfMessage);
        return JsonElement.Parse(Encoding.UTF8.GetString(text.ToArray()));
    }

    /// <summary>The server sees a client's good-bye a moment after the client said it.</summary>
    private static async Task EventuallyAsync(Func<Task> attempt)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        while (true)
        {
            try
            {
                await attempt();
                return;
            }
            catch (WebSocketException) when (!limit.IsCancellationRequested)
            {
                // not yet
            }
        }
    }
}
