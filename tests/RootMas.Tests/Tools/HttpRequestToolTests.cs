using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using RootMas.Runtime.Tools;
using RootMas.Server.Tools;
using RootMas.Server.Tools.Outbound;
using RootMas.Tests.Support;

namespace RootMas.Tests.Tools;

public sealed class HttpRequestToolTests
{
    private static Task<LoopbackServer> EchoAsync() => LoopbackServer.StartAsync(context =>
    {
        context.Response.StatusCode = 201;
        context.Response.ContentType = "application/json";
        context.Response.Headers.ETag = "\"7\"";
        context.Response.Headers["Set-Cookie"] = "secret=1";
        return context.Response.WriteAsync("{\"id\":7}");
    });

    [Fact]
    public async Task What_was_called_and_what_came_back_is_reported_exactly()
    {
        await using var server = await EchoAsync();
        using var bench = new ToolBench();
        var result = await ToolBench.RunAsync(bench.Request, new { method = "POST", url = $"{server.Url}orders", headers = new Dictionary<string, string> { ["X-Tenant"] = "a" }, json = new { n = 1 } });
        Assert.Equal($"POST {server.Url}orders\n201 Created\nETag: \"7\"\nContent-Type: application/json\n\n{{\"id\":7}}", result.Text);
        Assert.True(result.Tainted);
        var request = server.Requests.Single();
        Assert.Equal(("POST", "/orders", "{\"n\":1}"), (request.Method, request.Path, request.Body));
        Assert.Equal("run-3", request.Headers["Idempotency-Key"]);
        Assert.Equal("a", request.Headers["X-Tenant"]);
        Assert.Equal("application/json", request.Headers.ContentType);
    }

    [Fact]
    public async Task A_reading_call_carries_no_key_and_shows_errors_as_they_are()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = 404;
            context.Response.ContentType = "text/plain";
            return context.Response.WriteAsync("nothing here");
        });
        using var bench = new ToolBench();
        var result = await ToolBench.RunAsync(bench.Request, new { method = "GET", url = server.Url.AbsoluteUri });
        Assert.Contains("404 Not Found", result.Text, StringComparison.Ordinal);
        Assert.Contains("nothing here", result.Text, StringComparison.Ordinal);
        Assert.False(server.Requests.Single().Headers.ContainsKey("Idempotency-Key"));
    }

    [Theory]
    [InlineData("GET", ToolEffect.Read, ApprovalRule.WhenTainted)]
    [InlineData("HEAD", ToolEffect.Read, ApprovalRule.WhenTainted)]
    [InlineData("POST", ToolEffect.Unsafe, ApprovalRule.Always)]
    [InlineData("PUT", ToolEffect.Unsafe, ApprovalRule.Always)]
    [InlineData("DELETE", ToolEffect.Unsafe, ApprovalRule.Always)]
    public void The_method_decides_effect_and_approval(string method, ToolEffect effect, ApprovalRule approval)
    {
        using var bench = new ToolBench();
        var arguments = ToolBench.Json(new { method, url = "https://api.example.org/x" });
        Assert.Equal(effect, bench.Request.EffectOf(arguments));
        Assert.Equal(approval, bench.Request.ApprovalOf(arguments));
    }

    [Theory]
    [InlineData("https://api.example.org/v1/orders", ToolEffect.Idempotent)]
    [InlineData("https://api.example.org/v1", ToolEffect.Idempotent)]
    [InlineData("https://api.example.org/v10", ToolEffect.Unsafe)]
    [InlineData("https://api.example.org/V1/x", ToolEffect.Unsafe)]
    [InlineData("https://api.example.org:444/v1/x", ToolEffect.Unsafe)]
    [InlineData("http://api.example.org/v1/x", ToolEffect.Unsafe)]
    [InlineData("https://api.example.org/v1/../admin", ToolEffect.Unsafe)]
    public void Only_below_a_declared_prefix_is_a_writing_call_idempotent(string url, ToolEffect effect)
    {
        using var bench = new ToolBench(tools: new ToolsOptions { Http = new HttpToolOptions { Idempotent = ["https://api.example.org/v1"] } });
        Assert.Equal(effect, bench.Request.EffectOf(ToolBench.Json(new { method = "POST", url })));
    }

    [Fact]
    public async Task An_unsafe_call_whose_connection_breaks_is_in_doubt_and_never_repeated()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        var exception = await ToolBench.FailAsync(bench.Request, new { method = "POST", url = server.Url.AbsoluteUri, body = "x" });
        Assert.True(exception.InDoubt);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task An_unsafe_call_that_times_out_is_in_doubt()
    {
        var clock = new ManualTimeProvider();
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            clock.Advance(TimeSpan.FromSeconds(1)); // it has arrived, however long that took, and is not answered in time
            return Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
        });
        using var bench = new ToolBench(new OutboundOptions { Allow = ["127.0.0.1"], Timeout = TimeSpan.FromMilliseconds(500) }, clock: clock);
        Assert.True((await ToolBench.FailAsync(bench.Request, new { method = "DELETE", url = server.Url.AbsoluteUri })).InDoubt);
    }

    [Fact]
    public async Task An_unsafe_call_that_never_left_is_not_in_doubt()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // nobody listens there, and nobody else gets it
        var port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        using var bench = new ToolBench();
        var exception = await ToolBench.FailAsync(bench.Request, new { method = "POST", url = $"http://127.0.0.1:{port}/" });
        Assert.False(exception.InDoubt);
        Assert.Contains("Nothing was changed", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_idempotent_call_is_repeated_with_the_same_key()
    {
        var calls = 0;
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            if (++calls == 1)
            {
                context.Abort();
            }

            return Task.CompletedTask;
        });
        using var bench = new ToolBench(tools: new ToolsOptions { Http = new HttpToolOptions { Idempotent = [server.Url.AbsoluteUri] } });
        await ToolBench.RunAsync(bench.Request, new { method = "POST", url = $"{server.Url}pay", json = new { amount = 1 } });
        Assert.Equal(["run-3", "run-3"], server.Requests.Select(r => r.Headers["Idempotency-Key"].ToString()));
    }

    [Fact]
    public async Task An_idempotent_call_is_in_doubt_when_an_earlier_try_was_received_though_the_last_one_never_left()
    {
        await using var server = await LoopbackServer.StartAsync(static context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        var lookups = 0;
        using var bench = new ToolBench(
            new OutboundOptions { Allow = ["127.0.0.0/8"] },
            new ToolsOptions { Http = new HttpToolOptions { Idempotent = [$"http://pay.example:{server.Url.Port}/"] } },
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse(lookups++ == 0 ? "127.0.0.1" : "127.0.0.2")])); // at the second one nobody listens
        var exception = await ToolBench.FailAsync(bench.Request, new { method = "POST", url = $"http://pay.example:{server.Url.Port}/", json = new { amount = 1 } });
        Assert.Single(server.Requests);
        Assert.True(lookups > 1);
        Assert.True(exception.InDoubt);
        Assert.Contains("may have had its effect", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing was changed", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_that_looks_like_markup_is_shown_as_it_came()
    {
        await using var server = await LoopbackServer.StartAsync(static context =>
        {
            context.Response.Headers.Link = "<https://api.example.org/orders?page=2>; rel=\"next\"";
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        var result = await ToolBench.RunAsync(bench.Request, new { method = "GET", url = server.Url.AbsoluteUri });
        Assert.Contains("Link: <https://api.example.org/orders?page=2>; rel=\"next\"", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unsafe_call_follows_no_redirect()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = 307;
            context.Response.Headers.Location = "/elsewhere";
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        var result = await ToolBench.RunAsync(bench.Request, new { method = "POST", url = server.Url.AbsoluteUri, body = "x" });
        Assert.Contains("307", result.Text, StringComparison.Ordinal);
        Assert.Contains("Location: /elsewhere", result.Text, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("Authorization", "Bearer x")]
    [InlineData("Cookie", "a=b")]
    [InlineData("Host", "internal")]
    [InlineData("Content-Length", "1")]
    [InlineData("Transfer-Encoding", "chunked")]
    [InlineData("X-Forwarded-For", "127.0.0.1")]
    [InlineData("X-Real-IP", "127.0.0.1")]
    [InlineData("X-HTTP-Method-Override", "DELETE")]
    [InlineData("Idempotency-Key", "mine")]
    [InlineData("X-A\r\nHost", "x")]
    [InlineData("X-A", "x\r\nHost: y")]
    public async Task Headers_that_route_authenticate_or_frame_are_refused(string name, string value)
    {
        await using var server = await EchoAsync();
        using var bench = new ToolBench();
        var exception = await ToolBench.FailAsync(bench.Request, new { method = "GET", url = server.Url.AbsoluteUri, headers = new Dictionary<string, string> { [name] = value } });
        Assert.Contains("is not allowed", exception.Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_credential_goes_to_its_prefix_only_and_is_always_approved()
    {
        await using var server = await EchoAsync();
        var credentials = new Dictionary<string, string> { ["crm"] = $"{server.Url}v1 Authorization: Bearer s3cret" };
        using var bench = new ToolBench(tools: new ToolsOptions { Http = new HttpToolOptions { Credentials = credentials } });
        var arguments = new { method = "GET", url = $"{server.Url}v1/contacts", credential = "crm" };
        var result = await ToolBench.RunAsync(bench.Request, arguments);
        Assert.Equal("Bearer s3cret", server.Requests.Single().Headers.Authorization);
        Assert.DoesNotContain("s3cret", result.Text + bench.Request.Definition.Description + bench.Request.Definition.Schema, StringComparison.Ordinal);
        Assert.Equal("crm", bench.Request.CredentialReference(ToolBench.Json(arguments)));
        Assert.Equal(ApprovalRule.Always, bench.Request.ApprovalOf(ToolBench.Json(arguments)));
        Assert.Contains("is only for", (await ToolBench.FailAsync(bench.Request, new { method = "GET", url = $"{server.Url}v2/contacts", credential = "crm" })).Message, StringComparison.Ordinal);
        Assert.Contains("There are crm", (await ToolBench.FailAsync(bench.Request, new { method = "GET", url = $"{server.Url}v1/x", credential = "erp" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Binary_answers_are_named_not_shown()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.ContentType = "image/png";
            return context.Response.Body.WriteAsync(new byte[] { 1, 2, 3 }).AsTask();
        });
        using var bench = new ToolBench();
        Assert.Contains("(3 bytes of image/png, not shown)", (await ToolBench.RunAsync(bench.Request, new { method = "GET", url = server.Url.AbsoluteUri })).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_known_url_is_exempt_only_while_the_model_adds_nothing()
    {
        using var bench = new ToolBench();
        var known = KnownUrls.FromText("https://api.example.org/x");
        Assert.True(bench.Request.IsExempt(ToolBench.Json(new { method = "GET", url = "https://api.example.org/x" }), known));
        Assert.False(bench.Request.IsExempt(ToolBench.Json(new { method = "POST", url = "https://api.example.org/x" }), known));
        Assert.False(bench.Request.IsExempt(ToolBench.Json(new { method = "GET", url = "https://api.example.org/x", headers = new { Accept = "secret" } }), known));
        Assert.False(bench.Request.IsExempt(ToolBench.Json(new { method = "GET", url = "https://api.example.org/x?leak=1" }), known));
    }
}
