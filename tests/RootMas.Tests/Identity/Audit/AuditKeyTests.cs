using RootMas.Server.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Audit;

/// <summary>The key of the chain as one machine keeps it: in a file beside its embedded database.</summary>
public sealed class AuditKeyTests
{
    [Fact]
    public async Task A_start_with_another_key_is_refused_and_the_key_is_named()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        string id;
        await using (var app = await TestApp.StartAsync(o => o.Data = data))
        {
            id = app.Get<AuditKey>().Id;
        }

        File.Delete(Path.Combine(data, "keys", "audit.key"));
        var refused = await Assert.ThrowsAsync<RootMas.Server.Platform.StartupRefusedException>(() => TestApp.StartAsync(o => o.Data = data));
        Assert.Contains(id, refused.Message, StringComparison.Ordinal);
        await using var accepted = await TestApp.StartAsync(o => { o.Data = data; o.Settings["Audit:AcceptNewKey"] = "true"; });
        Assert.Single(await accepted.AuditAsync("&action=audit.key_replaced"));
    }
}
