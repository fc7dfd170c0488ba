using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Platform.Telemetry;
using RootMas.Server.Tools.Outbound;
using RootMas.Tests.Support;

namespace RootMas.Tests.Tools;

public sealed class GuardedHttpClientTests
{
    private static OutboundRequest Get(string url) => new(HttpMethod.Get, new Uri(url)) { FollowRedirects = true };

    private static async Task<OutboundException> RefusedAsync(ToolBench bench, string url)
    {
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get(url), default));
        Assert.False(exception.Sent);
        return exception;
    }

    [Theory]
    [InlineData("http://127.0.0.1/")]
    [InlineData("http://127.1/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://0177.0.0.1/")]
    [InlineData("http://017700000001/")]
    [InlineData("http://0/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://[::ffff:7f00:1]/")]
    [InlineData("http://[0:0:0:0:0:0:0:1]/")]
    [InlineData("http://[64:ff9b::7f00:1]/")]
    [InlineData("http://[2002:7f00:1::]/")]
    [InlineData("http://[fe80::1%25lo]/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://10.0.0.1/")]
    [InlineData("http://１２７.０.０.１/")]
    [InlineData("http://127.0.0.1.:80/")]
    public async Task Private_addresses_are_refused_in_every_spelling(string url)
    {
        using var bench = new ToolBench(new OutboundOptions(), resolve: (host, token) => Dns.GetHostAddressesAsync(host, token));
        var exception = await Assert.ThrowsAsync<OutboundException>(async () => await bench.Http.SendAsync(Get(OutboundUrl.Parse(url).OriginalString), default));
        Assert.True(exception.Failure is OutboundFailure.Refused or OutboundFailure.Unresolved, exception.Message);
    }

    [Theory]
    [InlineData("localhost", "127.0.0.1")]
    [InlineData("rebind.example", "10.0.0.7")]
    [InlineData("rebind.example", "::ffff:192.168.0.1")]
    [InlineData("meta.example", "169.254.169.254")]
    public async Task Names_that_lead_to_private_addresses_are_refused(string host, string address)
    {
        using var bench = new ToolBench(new OutboundOptions(), resolve: ToolBench.Names((host, address)));
        Assert.Equal(OutboundFailure.Refused, (await RefusedAsync(bench, $"http://{host}/")).Failure);
    }

    [Fact]
    public async Task One_private_address_among_public_ones_spoils_the_name()
    {
        using var bench = new ToolBench(new OutboundOptions(), resolve: ToolBench.Names(("mixed.example", "93.184.216.34"), ("mixed.example", "127.0.0.1")));
        Assert.Contains("the local machine", (await RefusedAsync(bench, "http://mixed.example/")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_changes_its_address_between_two_connections_is_checked_each_time()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.Headers.Connection = "close";
            context.Response.Redirect("/second");
            return Task.CompletedTask;
        });
        var answers = new Queue<string>(["127.0.0.1", "10.0.0.1"]);
        using var bench = new ToolBench(resolve: (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse(answers.Dequeue())]));
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get($"http://rebind.example:{server.Url.Port}/first"), default));
        Assert.Contains("a private network", exception.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
        Assert.Empty(answers);
    }

    [Fact]
    public async Task Hosts_that_agents_visit_are_in_no_metric_and_no_span()
    {
        await using var server = await LoopbackServer.StartAsync(static context => context.Response.WriteAsync("hello"));
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "System.Net.Http",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var metrics = new PrometheusMetrics(new TelemetryOptions());
        using var bench = new ToolBench(resolve: (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]));
        using var seen = new HttpClient();
        using var answer = await seen.GetAsync(server.Url); // others are seen
        Assert.Equal(200, (await bench.Http.SendAsync(Get($"http://of-nobodys-business.example:{server.Url.Port}/"), default)).Status);
        var text = await metrics.WriteAsync(CancellationToken.None);
        Assert.Contains("http_client_request_duration_seconds_count{", text, StringComparison.Ordinal);
        Assert.DoesNotContain("of-nobodys-business", text, StringComparison.Ordinal);
        Assert.Contains(spans, s => s.TagObjects.Any(t => Equals(t.Value, server.Url.Port)));
        Assert.DoesNotContain(spans, static s => s.TagObjects.Any(static t => $"{t.Value}".Contains("of-nobodys-business", StringComparison.Ordinal)));
        Assert.False(server.Requests.Last().Headers.ContainsKey("traceparent"));
    }

    [Fact]
    public async Task The_checked_address_itself_is_connected_to()
    {
        await using var server = await LoopbackServer.StartAsync(context => context.Response.WriteAsync("hello"));
        var lookups = 0;
        using var bench = new ToolBench(resolve: (_, _) =>
        {
            lookups++;
            return Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        });
        var response = await bench.Http.SendAsync(Get($"http://site.example:{server.Url.Port}/"), default);
        Assert.Equal("hello", Encoding.UTF8.GetString(response.Body));
        Assert.Equal(1, lookups);
        Assert.Equal($"site.example:{server.Url.Port}", server.Requests.Single().Headers.Host);
    }

    [Theory]
    [InlineData("http://10.0.0.1/", "a private network")]
    [InlineData("http://[::1]:1/", "the local machine")]
    [InlineData("file:///etc/passwd", "Only http and https")]
    [InlineData("gopher://127.0.0.1/", "Only http and https")]
    [InlineData("http://user:pass@127.0.0.1/", "user name or password")]
    public async Task Redirects_are_checked_like_first_urls(string location, string expected)
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = location;
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get(server.Url.AbsoluteUri), default));
        Assert.Equal(OutboundFailure.Refused, exception.Failure);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_redirect_from_https_to_http_is_refused() =>
        Assert.Contains("https to http", Assert.Throws<OutboundException>(() => OutboundUrl.Redirect(new Uri("https://a.example/"), "http://a.example/")).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Endless_redirects_end()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.Redirect($"/{Guid.NewGuid()}");
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get(server.Url.AbsoluteUri), default));
        Assert.Contains("more than 5 times", exception.Message, StringComparison.Ordinal);
        Assert.Equal(6, server.Requests.Count);
    }

    [Fact]
    public async Task Headers_are_not_carried_to_another_origin_and_nothing_of_the_machine_is_sent()
    {
        await using var second = await LoopbackServer.StartAsync(context => context.Response.WriteAsync("end"));
        await using var first = await LoopbackServer.StartAsync(context =>
        {
            context.Response.Headers.SetCookie = "session=1";
            context.Response.Redirect(second.Url.AbsoluteUri);
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        using var activity = new System.Diagnostics.Activity("test").Start();
        var response = await bench.Http.SendAsync(Get(first.Url.AbsoluteUri) with { Headers = [new("X-Secret", "s"), new("Accept", "text/plain")] }, default);
        Assert.Equal(1, response.Redirects);
        Assert.Equal("s", first.Requests.Single().Headers["X-Secret"]);
        Assert.Equal(["Accept", "Accept-Encoding", "Host", "User-Agent"], second.Requests.Single().Headers.Keys.Order());
    }

    [Fact]
    public async Task A_body_is_read_up_to_the_limit_also_when_a_small_one_unpacks_to_a_huge_one()
    {
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            var zeros = new byte[1024 * 1024];
            for (var i = 0; i < 200; i++)
            {
                await gzip.WriteAsync(zeros);
            }
        }

        await using var server = await LoopbackServer.StartAsync(async context =>
        {
            context.Response.Headers.ContentEncoding = "gzip";
            await context.Response.Body.WriteAsync(packed.ToArray());
        });
        using var bench = new ToolBench(new OutboundOptions { Allow = ["127.0.0.1"], MaxBytes = 10_000 });
        var response = await bench.Http.SendAsync(Get(server.Url.AbsoluteUri), default);
        Assert.True(response.Truncated);
        Assert.Equal(10_000, response.Body.Length);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_body_that_is_not_compressed_as_it_says_is_a_clear_failure(string encoding)
    {
        await using var server = await LoopbackServer.StartAsync(async context =>
        {
            context.Response.Headers.ContentEncoding = encoding;
            await context.Response.Body.WriteAsync(Enumerable.Repeat((byte)0x11, 32).ToArray()); // no magic number of gzip's, and a window that brotli does not have
        });
        using var bench = new ToolBench();
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get(server.Url.AbsoluteUri), default));
        Assert.Equal(OutboundFailure.BadAnswer, exception.Failure);
        Assert.True(exception.Sent);
        var configured = await Assert.ThrowsAsync<OutboundException>(() => bench.Clients.For(server.Url).SendAsync(new HttpRequestMessage(HttpMethod.Get, server.Url), default));
        Assert.Equal(OutboundFailure.BadAnswer, configured.Failure);
    }

    [Fact]
    public async Task A_server_that_never_ends_is_cut_off()
    {
        var clock = new ManualTimeProvider();
        await using var server = await LoopbackServer.StartAsync(async context =>
        {
            await context.Response.WriteAsync("slow");
            await context.Response.Body.FlushAsync();
            clock.Advance(TimeSpan.FromSeconds(1)); // it has begun to answer, however long that took
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
        });
        using var bench = new ToolBench(new OutboundOptions { Allow = ["127.0.0.1"], Timeout = TimeSpan.FromMilliseconds(500) }, clock: clock);
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get(server.Url.AbsoluteUri), default));
        Assert.Equal(OutboundFailure.TimedOut, exception.Failure);
        Assert.True(exception.Sent);
    }

    [Fact]
    public async Task The_callers_own_cancellation_stays_one()
    {
        await using var server = await LoopbackServer.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default));
        using var bench = new ToolBench();
        using var cancel = new CancellationTokenSource();
        var call = bench.Http.SendAsync(Get(server.Url.AbsoluteUri) with { Sending = cancel.Cancel }, cancel.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task A_closed_port_is_unreachable_and_nothing_was_sent()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // nobody listens there, and nobody else gets it
        var port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        using var bench = new ToolBench();
        Assert.Equal(OutboundFailure.Unreachable, (await RefusedAsync(bench, $"http://127.0.0.1:{port}/")).Failure);
    }

    [Fact]
    public async Task One_dead_address_of_a_name_does_not_make_it_unreachable()
    {
        await using var server = await LoopbackServer.StartAsync(static context => context.Response.WriteAsync("hello"));
        using var dead = await DeafAddress.StartAsync(IPAddress.Parse("127.0.0.2"), server.Url.Port);
        using var bench = new ToolBench(new OutboundOptions { Allow = ["127.0.0.0/8"] }, resolve: ToolBench.Names(("site.example", "127.0.0.2"), ("site.example", "127.0.0.1")));
        var response = await bench.Http.SendAsync(Get($"http://site.example:{server.Url.Port}/"), default);
        Assert.Equal("hello", Encoding.UTF8.GetString(response.Body));
    }

    [Fact]
    public async Task A_connection_that_takes_too_long_is_told_with_its_own_time_and_nothing_was_sent()
    {
        using var dead = await DeafAddress.StartAsync(IPAddress.Parse("127.0.0.2"), 0);
        using var bench = new ToolBench(new OutboundOptions { Allow = ["127.0.0.0/8"], ConnectTimeout = TimeSpan.FromMilliseconds(100) }, resolve: ToolBench.Names(("dead.example", "127.0.0.2")));
        var exception = await RefusedAsync(bench, $"http://dead.example:{dead.Port}/");
        Assert.Equal((OutboundFailure.TimedOut, "There was no connection to dead.example within 0.1 s."), (exception.Failure, exception.Message));
    }

    [Fact]
    public async Task A_configured_clients_connection_that_takes_too_long_is_told_with_its_own_time()
    {
        using var dead = await DeafAddress.StartAsync(IPAddress.Loopback, 0);
        using var bench = new ToolBench(new OutboundOptions { ConnectTimeout = TimeSpan.FromMilliseconds(100) });
        var url = new Uri($"http://127.0.0.1:{dead.Port}/");
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Clients.For(url).SendAsync(new HttpRequestMessage(HttpMethod.Get, url), default));
        Assert.Equal((OutboundFailure.TimedOut, "There was no connection to 127.0.0.1 within 0.1 s."), (exception.Failure, exception.Message));
    }

    [Fact]
    public async Task A_server_that_speaks_no_http_is_told()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = Task.Run(async () =>
        {
            using var socket = await listener.AcceptSocketAsync();
            await socket.ReceiveAsync(new byte[1024]);
            await socket.SendAsync("220 mail.example ESMTP\r\n"u8.ToArray());
        });
        using var bench = new ToolBench();
        var exception = await Assert.ThrowsAsync<OutboundException>(() => bench.Http.SendAsync(Get($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/"), default));
        Assert.Equal(OutboundFailure.BadAnswer, exception.Failure);
        await answering;
    }

    [Theory]
    [InlineData("not a url")]
    [InlineData("ftp://example.org/")]
    [InlineData("http://user@example.org/")]
    [InlineData("http://")]
    [InlineData("http://example.org/a\r\nHost: x")]
    [InlineData("javascript:alert(1)")]
    [InlineData("//example.org/")]
    public void What_is_no_callable_url_is_refused(string url) => Assert.Equal(OutboundFailure.Refused, Assert.Throws<OutboundException>(() => OutboundUrl.Parse(url)).Failure);

    [Fact]
    public async Task A_configured_client_calls_its_own_origin_only_and_follows_no_redirect()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.Redirect("http://10.0.0.1/");
            return Task.CompletedTask;
        });
        using var bench = new ToolBench(new OutboundOptions());
        var client = bench.Clients.For(server.Url);
        Assert.Equal(302, (await client.SendAsync(new HttpRequestMessage(HttpMethod.Get, server.Url), default)).Status);
        var exception = await Assert.ThrowsAsync<OutboundException>(() => client.SendAsync(new HttpRequestMessage(HttpMethod.Get, "http://127.0.0.1:1/"), default));
        Assert.Equal(OutboundFailure.Refused, exception.Failure);
    }
}
