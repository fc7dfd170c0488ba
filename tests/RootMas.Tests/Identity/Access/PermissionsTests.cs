using RootMas.Server.Identity.Access;

namespace RootMas.Tests.Identity.Access;

public sealed class PermissionsTests
{
    /// <summary>Word for word the contract (API.md, end of Authentication).</summary>
    [Theory]
    [InlineData("user", "agents:read approvals:decide chat:read chat:write knowledge:read knowledge:write memory:read memory:write metrics:read projects:read projects:write")]
    [InlineData("agent", "agents:communicate chat:read chat:write memory:read memory:write")]
    [InlineData("readonly", "agents:read chat:read metrics:read projects:read")]
    [InlineData("nobody", "")]
    public void A_role_may_do_exactly_what_the_contract_says(string role, string permissions) => Assert.Equal(permissions, string.Join(' ', Permissions.OfRole(role).Order(StringComparer.Ordinal)));

    [Fact]
    public void An_administrator_may_do_everything_but_read_what_others_said()
    {
        var admin = Permissions.Of("admin", scopes: null);
        Assert.All(Permissions.All.Where(p => p != Permissions.ReadContent), p => Assert.True(Permissions.Allows(admin, p)));
        Assert.False(Permissions.Allows(admin, Permissions.ReadContent));
        Assert.True(Permissions.Allows(Permissions.Of("admin", null, [Permissions.ReadContent]), Permissions.ReadContent));
    }

    [Fact]
    public void Scopes_only_ever_take_away()
    {
        Assert.Equal(["chat:read"], Permissions.Of("readonly", ["chat:read", "chat:write", "users:write", "*"]));
        Assert.Equal(["logs:read"], Permissions.Of("admin", ["logs:read", "*", "content:read"]));
        Assert.Same(Permissions.OfRole("user"), Permissions.Of("user", []));
        Assert.Empty(Permissions.Of("user", ["logs:read"]));
        Assert.Empty(Permissions.Of("user", null, ["users:write"]).Except(Permissions.OfRole("user")));
    }

    [Fact]
    public void An_intersection_holds_what_both_allow()
    {
        var both = Permissions.Intersect(Permissions.OfRole("admin"), Permissions.OfRole("agent"));
        Assert.True(both.SetEquals(Permissions.OfRole("agent")));
        Assert.True(Permissions.Intersect(Permissions.OfRole("agent"), Permissions.OfRole("readonly")).SetEquals(["chat:read"]));
    }

    [Fact]
    public void Whoever_is_signed_in_may_manage_what_is_theirs_alone() => Assert.True(Permissions.Allows(Permissions.Of("user", ["logs:read"]), Permissions.SignedIn));
}
