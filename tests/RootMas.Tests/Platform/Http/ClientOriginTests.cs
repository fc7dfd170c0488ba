using System.Net;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

public sealed class ClientOriginTests
{
    private static readonly ClientOrigins Origins = new([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8"), IPNetwork.Parse("::1/128")]);

    [Theory]
    [InlineData("203.0.113.9", "198.51.100.1", "203.0.113.9")] // the peer is no proxy of ours: what it says proves nothing
    [InlineData("10.0.0.1", "198.51.100.1", "198.51.100.1")]
    [InlineData("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1")] // the client wrote the left one
    [InlineData("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1")]
    [InlineData("10.0.0.1", "1.1.1.1, 198.51.100.1,10.9.9.9 , fd00::7", "198.51.100.1")]
    [InlineData("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3")]
    [InlineData("10.0.0.1", null, "10.0.0.1")]
    [InlineData("10.0.0.1", "", "10.0.0.1")]
    [InlineData("10.0.0.1", "unknown", "10.0.0.1")]
    [InlineData("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2")]
    [InlineData("10.0.0.1", "198.51.100.1, 999.1.1.1", "10.0.0.1")]
    [InlineData("10.0.0.1", "7", "10.0.0.1")]
    [InlineData("10.0.0.1", "0x7f.1", "10.0.0.1")]
    [InlineData("10.0.0.1", ",,,", "10.0.0.1")]
    [InlineData("10.0.0.1", "198.51.100.1:4711", "198.51.100.1")]
    [InlineData("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1")]
    [InlineData("10.0.0.1", "\"[2001:db8::1]\"", "2001:db8::1")]
    [InlineData("10.0.0.1", "2001:db8::1%eth0", "10.0.0.1")]
    [InlineData("10.0.0.1", "[2001:db8::1", "10.0.0.1")]
    [InlineData("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1")]
    [InlineData("::1", "2001:db8::1", "2001:db8::1")]
    public void The_first_address_from_the_right_that_is_no_proxy_of_ours_is_the_client(string peer, string? forwarded, string expected)
    {
        var context = Request(peer, forwarded);
        Assert.Equal(expected, Origins.Apply(context).Address.ToString());
        Assert.Equal(peer, context.Connection.RemoteIpAddress!.ToString());
    }

    [Fact]
    public void Several_header_lines_are_one_chain_and_a_long_one_ends_somewhere()
    {
        var context = Request("10.0.0.1", null);
        context.Request.Headers["X-Forwarded-For"] = new(["127.0.0.1", "198.51.100.1, 10.0.0.3", "10.0.0.2"]);
        Assert.Equal("198.51.100.1", Origins.Apply(context).Address.ToString());
        context.Request.Headers["X-Forwarded-For"] = string.Join(',', Enumerable.Range(0, 5_000).Select(i => $"10.1.{i / 250}.{(i % 250) + 1}"));
        Assert.StartsWith("10.1.19.", Origins.Apply(context).Address.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.0.0.1", "https", "app.example.org", "https", "app.example.org")]
    [InlineData("203.0.113.9", "https", "app.example.org", "http", "here")]
    [InlineData("10.0.0.1", "https, http", "evil.example, app.example.org", "http", "app.example.org")]
    [InlineData("10.0.0.1", "javascript", "", "http", "here")]
    public void Scheme_and_host_are_taken_from_our_own_proxies_only(string peer, string proto, string host, string scheme, string name)
    {
        var context = Request(peer, "198.51.100.1");
        context.Request.Headers["X-Forwarded-Proto"] = proto;
        context.Request.Headers["X-Forwarded-Host"] = host;
        Origins.Apply(context);
        Assert.Equal((scheme, name), (context.Request.Scheme, context.Request.Host.Value));
    }

    [Fact]
    public void Who_has_an_ipv6_network_is_one_client_and_ipv4_addresses_are_each_their_own()
    {
        Assert.Equal(NetworkOf("2001:db8::1"), NetworkOf("2001:db8::ffff:1:2"));
        Assert.NotEqual(NetworkOf("2001:db8:0:1::1"), NetworkOf("2001:db8:0:2::1"));
        Assert.NotEqual(NetworkOf("198.51.100.1"), NetworkOf("198.51.100.2"));
        Assert.NotEqual(NetworkOf("198.51.100.1"), NetworkOf("c633:6401::"));
        Assert.NotEqual(NetworkOf("1.0.0.0"), NetworkOf("::1"));
    }

    [Fact]
    public async Task A_proxy_that_is_no_address_stops_the_start_by_name()
    {
        var error = await Assert.ThrowsAsync<RootMas.Server.Platform.Settings.SettingsException>(() => TestApp.StartAsync(o => o.Settings["Server:TrustedProxies"] = "10.0.0.0/8;nginx"));
        Assert.Contains("Server:TrustedProxies: 'nginx'", error.Message, StringComparison.Ordinal);
    }

    private static UInt128 NetworkOf(string address) => new ClientOrigin(IPAddress.Parse(address), IPAddress.Parse(address), false).Network;

    private static DefaultHttpContext Request(string peer, string? forwarded)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(peer);
        context.Request.Scheme = "http";
        context.Request.Host = new HostString("here");
        if (forwarded is not null)
        {
            context.Request.Headers["X-Forwarded-For"] = forwarded;
        }

        return context;
    }
}
