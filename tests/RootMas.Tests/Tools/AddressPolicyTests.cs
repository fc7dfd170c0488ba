using System.Net;
using RootMas.Server.Tools.Outbound;

namespace RootMas.Tests.Tools;

public sealed class AddressPolicyTests
{
    [Theory]
    [InlineData("0.0.0.0"), InlineData("0.1.2.3"), InlineData("127.0.0.1"), InlineData("127.255.255.254"), InlineData("10.0.0.1"), InlineData("172.16.0.1"), InlineData("172.31.255.255")]
    [InlineData("192.168.1.1"), InlineData("169.254.169.254"), InlineData("169.254.0.1"), InlineData("100.64.0.1"), InlineData("100.127.255.255"), InlineData("100.100.100.200")]
    [InlineData("168.63.129.16"), InlineData("192.0.0.192"), InlineData("192.0.2.1"), InlineData("198.18.0.1"), InlineData("198.51.100.7"), InlineData("203.0.113.9")]
    [InlineData("224.0.0.1"), InlineData("239.255.255.255"), InlineData("240.0.0.1"), InlineData("255.255.255.255"), InlineData("192.88.99.1")]
    [InlineData("::"), InlineData("::1"), InlineData("::127.0.0.1"), InlineData("::ffff:127.0.0.1"), InlineData("::ffff:10.0.0.1"), InlineData("::ffff:169.254.169.254"), InlineData("::ffff:0:127.0.0.1")]
    [InlineData("fe80::1"), InlineData("fe80::1%1"), InlineData("fec0::1"), InlineData("fc00::1"), InlineData("fd00:ec2::254"), InlineData("ff02::1"), InlineData("2001:db8::1"), InlineData("3fff::1")]
    [InlineData("2002:7f00:1::"), InlineData("2002:0a00:1::1"), InlineData("2001:0:4136:e378:8000:63bf:3fff:fdd2"), InlineData("64:ff9b::7f00:1"), InlineData("64:ff9b::10.0.0.1"), InlineData("64:ff9b:1::1")]
    [InlineData("100::1"), InlineData("5f00::1"), InlineData("4000::1")]
    public void Addresses_that_are_not_public_are_refused(string address) =>
        Assert.NotNull(new AddressPolicy(new OutboundOptions()).WhyNot("host", IPAddress.Parse(address), 443));

    [Theory]
    [InlineData("1.1.1.1"), InlineData("172.15.255.255"), InlineData("172.32.0.1"), InlineData("100.63.255.255"), InlineData("100.128.0.1"), InlineData("11.0.0.1"), InlineData("::ffff:8.8.8.8")]
    [InlineData("2606:4700::1111"), InlineData("2a00:1450:4001::1"), InlineData("64:ff9b::8.8.8.8")]
    public void Public_addresses_may_be_called(string address) =>
        Assert.Null(new AddressPolicy(new OutboundOptions()).WhyNot("host", IPAddress.Parse(address), 443));

    [Theory]
    [InlineData(22), InlineData(25), InlineData(110), InlineData(445), InlineData(3306), InlineData(6379), InlineData(11211)]
    public void Ports_of_other_protocols_are_refused(int port) =>
        Assert.Contains($"port {port}", new AddressPolicy(new OutboundOptions()).WhyNot("host", IPAddress.Parse("1.1.1.1"), port), StringComparison.Ordinal);

    [Theory]
    [InlineData("127.0.0.1", "x", "127.0.0.1", 1, true)]
    [InlineData("127.0.0.1:8080", "x", "127.0.0.1", 8080, true)]
    [InlineData("127.0.0.1:8080", "x", "127.0.0.1", 8081, false)]
    [InlineData("10.1.0.0/16", "x", "10.1.2.3", 80, true)]
    [InlineData("10.1.0.0/16", "x", "10.2.2.3", 80, false)]
    [InlineData("10.1.0.0/16", "x", "::ffff:10.1.2.3", 80, true)]
    [InlineData("10.1.0.0/16:443", "x", "10.1.2.3", 80, false)]
    [InlineData("wiki.internal", "wiki.internal", "10.9.9.9", 22, true)]
    [InlineData("wiki.internal", "WIKI.internal.", "10.9.9.9", 80, true)]
    [InlineData("wiki.internal", "evil.wiki.internal", "10.9.9.9", 80, false)]
    [InlineData("localhost:8080", "localhost", "::1", 8080, true)]
    [InlineData("::1", "x", "::1", 80, true)]
    [InlineData("[::1]:80", "x", "::1", 80, true)]
    [InlineData("[fd00::/8]:443", "x", "fd00::5", 443, true)]
    [InlineData("[fd00::/8]:443", "x", "fd00::5", 80, false)]
    public void The_operators_list_opens_exactly_what_it_names(string allow, string host, string address, int port, bool expected) =>
        Assert.Equal(expected, new AddressPolicy(new OutboundOptions { Allow = [allow] }).WhyNot(host, IPAddress.Parse(address), port) is null);

    [Theory]
    [InlineData(""), InlineData("http://x"), InlineData("10.0.0.0/99"), InlineData("host:0"), InlineData("host:99999"), InlineData("host:x"), InlineData("[::1"), InlineData("a b"), InlineData("*")]
    public void An_unreadable_entry_is_a_problem_of_the_settings(string allow)
    {
        var options = new OutboundOptions { Allow = [allow] };
        Assert.Single(options.Validate(new(options)));
    }
}
