using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Commands on the machine of a server that listens on the network, by either configuration of docs/configuration.md, and by those that one makes of them.</summary>
public sealed class NetworkAddressTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("https://0.0.0.0:0;http://127.0.0.1:0", "http://127.0.0.1:")]
    [InlineData("https://0.0.0.0:0", "https://127.0.0.1:")]
    public Task With_a_certificate_for_another_name(string urls, string asked) => WithCertificateAsync(urls, asked);

    [NetworkFact]
    public Task With_a_certificate_for_another_name_at_the_address_of_the_machine() => WithCertificateAsync($"https://{HostAddress.Found}:0", $"https://{HostAddress.Found}:");

    [NetworkTheory]
    [InlineData("http://HERE:0")]
    [InlineData("http://HERE:0;http://127.0.0.1:0")]
    public async Task Behind_a_proxy(string urls)
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Server:Urls"] = urls.Replace("HERE", HostAddress.Found, StringComparison.Ordinal);
            o.Settings["Server:AllowedHosts"] = "mas.example.org";
            o.Settings["Server:TrustedProxies"] = "10.0.0.1";
        });
        using var cli = new CliSession(app.Data);
        Assert.Equal("ok\n", await cli.DoAsync("health"));
        await cli.DoAsync("runs", "list");

        // A proxy on this machine speaks for others, whichever address it comes from.
        foreach (var header in (string[])["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
        {
            using var refused = await app.SendAsync(HttpMethod.Get, "/api/v1/runs", null, (header, "198.51.100.7"));
            await ProblemAssert.IsProblemAsync(refused, 403, "local_token_not_local");
        }
    }

    private async Task WithCertificateAsync(string urls, string asked)
    {
        WriteCertificate();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Server:Urls"] = urls;
            o.Settings["Server:AllowedHosts"] = "mas.example.org";
            o.Settings["Server:Certificate:Path"] = PathOf("fullchain.pem");
            o.Settings["Server:Certificate:KeyPath"] = PathOf("privkey.pem");
        });
        using var cli = new CliSession(app.Data);
        Assert.Contains(asked, await File.ReadAllTextAsync(Path.Combine(app.Data, "owner.json")), StringComparison.Ordinal);
        Assert.Equal("ok\n", await cli.DoAsync("health"));
        await cli.DoAsync("runs", "list");

        // One that is named may be another machine's, and gets a key: there the certificate counts.
        cli.Environment["ROOTMAS_API_KEY"] = "rmk_nobody";
        Assert.Equal(7, await cli.RunAsync("runs", "list", "--server", $"https://127.0.0.1:{app.Url.Port}"));
    }

    private string PathOf(string name) => Path.Combine(_folder.Path, name);

    private void WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("mas.example.org");
        var request = new CertificateRequest("CN=mas.example.org", key, HashAlgorithmName.SHA256) { CertificateExtensions = { names.Build() } };
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(PathOf("fullchain.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(PathOf("privkey.pem"), key.ExportPkcs8PrivateKeyPem());
    }
}
