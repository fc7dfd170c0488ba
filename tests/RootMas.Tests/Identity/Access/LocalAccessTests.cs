using System.Net;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Identity.Access;

namespace RootMas.Tests.Identity.Access;

/// <summary>Who counts as a client on the server's own machine.</summary>
public sealed class LocalAccessTests
{
    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1", true)]
    [InlineData("::1", "::1", true)]
    [InlineData("::ffff:127.0.0.1", "::ffff:127.0.0.1", true)]
    [InlineData("10.0.0.5", "10.0.0.5", true)]
    [InlineData("::ffff:10.0.0.5", "::ffff:10.0.0.5", true)]
    [InlineData("10.0.0.6", "10.0.0.5", false)]
    [InlineData("::ffff:10.0.0.6", "::ffff:10.0.0.5", false)]
    [InlineData("10.0.0.6", null, false)]
    [InlineData(null, null, false)]
    public void A_client_here_comes_by_loopback_or_from_the_address_that_it_calls(string? remote, string? local, bool isHere) =>
        Assert.Equal(isHere, LocalAccess.IsOnThisMachine(Request(remote, local)));

    [Theory]
    [InlineData("Forwarded")]
    [InlineData("X-Forwarded-For")]
    [InlineData("X-Forwarded-Host")]
    [InlineData("X-Forwarded-Proto")]
    [InlineData("X-Original-For")]
    [InlineData("X-Real-IP")]
    [InlineData("Via")]
    public void A_proxy_here_speaks_for_others(string header)
    {
        foreach (var address in (string[])["127.0.0.1", "10.0.0.5"])
        {
            var context = Request(address, address);
            context.Request.Headers[header] = "127.0.0.1";
            Assert.False(LocalAccess.IsOnThisMachine(context));
        }
    }

    private static DefaultHttpContext Request(string? remote, string? local)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = remote is null ? null : IPAddress.Parse(remote);
        context.Connection.LocalIpAddress = local is null ? null : IPAddress.Parse(local);
        return context;
    }
}
