using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary>A frame needs the rights of the route that gives the same, and a refusal is written down as there.</summary>
public sealed class SocketRightsTests
{
    private const string Path = "/ws/visualization";

    [Theory]
    [InlineData("bot", false)]
    [InlineData("bot", true)]
    [InlineData("ann", false)]
    [InlineData("ann", true)]
    public async Task Who_may_not_read_agents_is_not_told_of_them_by_a_frame_either(string name, bool byFrame)
    {
        await using var app = await TestApp.StartAsync(static o => o.Clock = new ManualTimeProvider()); // a socket that says nothing yet is closed after five seconds
        using var bot = await app.AsAsync("bot", "agent");
        using var ann = await app.AsAsync("ann");
        var token = name == "bot"
            ? bot.AccessToken
            : (await ann.PostAsync("/api/v1/api-keys", new { name = "reader", scopes = new[] { "chat:read" } }, HttpStatusCode.Created)).GetProperty("secret").GetString()!;
        using var socket = byFrame ? await TestSocket.ConnectAsync(app, Path) : await TestSocket.ConnectAsync(app, Path, ("Authorization", $"Bearer {token}"));
        if (byFrame)
        {
            await socket.SendAsync(new { type = "auth", token });
            await socket.UntilAsync("authenticated");
        }

        await socket.SendAsync(new { type = "get_agent_profiles" });
        var refused = await socket.ReceiveAsync();
        Assert.Equal("error", refused.GetProperty("type").GetString());
        Assert.Equal("permission_missing", refused.GetProperty("problem").GetProperty("code").GetString());
        var row = Assert.Single(await app.AuditAsync(), static r => r.Action == "access.denied");
        Assert.Equal(("denied", name, $"GET {Path}"), (row.Outcome, row.Actor, row.Target));
        await socket.SendAsync(new { type = "ping" });
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());

        using var person = await TestSocket.ConnectAsync(app, ann, Path);
        await person.SendAsync(new { type = "get_agent_profiles" });
        Assert.Equal("agent_profiles", (await person.ReceiveAsync()).GetProperty("type").GetString());
    }
}
