using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RootMas.Server;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Identity.Access;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>https by certificate files.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <summary>Its sockets share one connection, as those of a browser do.</summary>
    private readonly HttpMessageInvoker _sockets = new(Handler());

    public void Dispose()
    {
        _sockets.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("pem")]
    [InlineData("pem-encrypted")]
    [InlineData("pfx")]
    public async Task An_https_address_answers_with_the_certificate_and_promises_https(string form)
    {
        using var certificate = Make("first");
        await using var app = await StartAsync(form, certificate);
        Assert.Equal("https", app.Url.Scheme);
        using var client = Client(app);
        using var response = await client.GetAsync("/health");
        Assert.True(response.IsSuccessStatusCode);
        Assert.StartsWith("max-age=", Assert.Single(response.Headers.GetValues("Strict-Transport-Security")), StringComparison.Ordinal);
        Assert.Equal(certificate.Thumbprint, await ThumbprintAsync(app));
    }

    /// <summary>Over https browsers speak HTTP/2, and ask for a socket by CONNECT on the connection that they have.</summary>
    [Fact]
    public async Task A_socket_opens_over_http2_with_a_cookie_from_the_servers_own_pages_only()
    {
        using var certificate = Make("first");
        await using var app = await StartAsync("pem", certificate);
        using var client = Client(app);
        client.DefaultRequestHeaders.Add("X-RootMas-Csrf", "1");
        using (var add = new HttpRequestMessage(HttpMethod.Post, "/api/v1/users") { Content = JsonContent.Create(new { username = "ann", password = TestUsers.Password }) })
        {
            add.Headers.Authorization = new("Bearer", app.LocalToken);
            await TestUser.JsonAsync(await client.SendAsync(add), HttpStatusCode.Created);
        }

        using var login = await client.PostAsJsonAsync("/api/v1/auth/login", new { username = "ann", password = TestUsers.Password });
        var cookie = ("Cookie", Assert.Single(login.Headers.GetValues("Set-Cookie")).Split(';')[0]);
        using var own = await OpenAsync(app, "/ws", cookie, ("Origin", $"https://{app.Url.Authority}"));
        using var local = await OpenAsync(app, "/ws/visualization", ("Authorization", $"Bearer {app.LocalToken}"));
        foreach (var socket in (TestSocket[])[own, local])
        {
            await socket.SendAsync(new { type = "ping" });
            Assert.Equal("pong", (await socket.UntilAsync("pong")).GetProperty("type").GetString());
        }

        Assert.Equal(403, await SocketRefused.OfAsync(() => OpenAsync(app, "/ws", cookie)));
        Assert.Equal(403, await SocketRefused.OfAsync(() => OpenAsync(app, "/ws", cookie, ("Origin", "https://evil.example"))));
        Assert.Equal(401, await SocketRefused.OfAsync(() => OpenAsync(app, "/ws", ("Authorization", "Bearer nonsense"))));
    }

    [Fact]
    public async Task A_renewed_certificate_serves_without_a_restart_and_a_broken_one_changes_nothing()
    {
        using var first = Make("first");
        using var second = Make("second");
        await using var app = await StartAsync("pem", first);
        Assert.Equal(first.Thumbprint, await ThumbprintAsync(app));
        await File.WriteAllTextAsync(PathOf("cert.pem"), "-----BEGIN CERTIFICATE-----\nbroken");
        await Wait.UntilAsync(() => Logged(app, "cannot be used"));
        Assert.Equal(first.Thumbprint, await ThumbprintAsync(app));
        Write("pem", second);
        await Wait.UntilAsync(() => Logged(app, "was read again"));
        Assert.Equal(second.Thumbprint, await ThumbprintAsync(app));
    }

    [Fact]
    public async Task Old_versions_of_tls_are_refused()
    {
        using var certificate = Make("first");
        await using var app = await StartAsync("pem", certificate);
#pragma warning disable CA5397, SYSLIB0039 // that is what is tested
        await Assert.ThrowsAnyAsync<Exception>(() => ThumbprintAsync(app, SslProtocols.Tls | SslProtocols.Tls11));
#pragma warning restore CA5397, SYSLIB0039
    }

    [Theory]
    [InlineData("nothing.pem", "Server:Certificate:Path: ")]
    [InlineData("", "needs a certificate")]
    public void A_certificate_that_cannot_be_read_stops_the_start_and_is_named(string path, string expected)
    {
        var error = Assert.Throws<SettingsException>(() => ServerHost.Build(new ServerArguments
        {
            Urls = "https://127.0.0.1:0",
            WorkingDirectory = _folder.Path,
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["Server:Certificate:Path"] = path.Length == 0 ? "" : PathOf(path) },
        }));
        Assert.Contains(expected, Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    private Task<TestApp> StartAsync(string form, X509Certificate2 certificate)
    {
        Write(form, certificate);
        return TestApp.StartAsync(o =>
        {
            o.Settings["Server:Urls"] = "https://127.0.0.1:0";
            o.Settings["Server:Certificate:Path"] = PathOf(form == "pfx" ? "cert.pfx" : "cert.pem");
            o.Settings["Server:Certificate:ReloadInterval"] = "100ms";
            if (form != "pfx")
            {
                o.Settings["Server:Certificate:KeyPath"] = PathOf("key.pem");
            }

            if (form != "pem")
            {
                o.Settings["Server:Certificate:Password"] = "geheim";
            }
        });
    }

    private void Write(string form, X509Certificate2 certificate)
    {
        if (form == "pfx")
        {
            File.WriteAllBytes(PathOf("cert.pfx"), certificate.Export(X509ContentType.Pkcs12, "geheim"));
            return;
        }

        using var key = certificate.GetECDsaPrivateKey()!;
        File.WriteAllText(PathOf("key.pem"), form == "pem"
            ? key.ExportPkcs8PrivateKeyPem()
            : key.ExportEncryptedPkcs8PrivateKeyPem("geheim", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 10_000)));
        File.WriteAllText(PathOf("cert.pem"), certificate.ExportCertificatePem());
    }

    private static X509Certificate2 Make(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256) { CertificateExtensions = { names.Build() } };
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private static bool Logged(TestApp app, string text) =>
        app.Get<RootMas.Server.Platform.Telemetry.LogRing>().Read(Microsoft.Extensions.Logging.LogLevel.Information, "ServerCertificate", 100).Any(l => l.Message.Contains(text, StringComparison.Ordinal));

    private static async Task<string> ThumbprintAsync(TestApp app, SslProtocols protocols = SslProtocols.None)
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(app.Url.Host, app.Url.Port);
        var thumbprint = "";
        await using var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = app.Url.Host,
            EnabledSslProtocols = protocols,
#pragma warning disable CA5359 // self-signed: the test looks at which one it is
            RemoteCertificateValidationCallback = (_, shown, _, _) =>
            {
                thumbprint = ((X509Certificate2)shown!).Thumbprint;
                return true;
            },
#pragma warning restore CA5359
        });
        return thumbprint;
    }

    private static HttpClient Client(TestApp app) => new(Handler()) { BaseAddress = app.Url };

    private static SocketsHttpHandler Handler() => new()
    {
        UseProxy = false,
        UseCookies = false,
#pragma warning disable CA5359
        SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
    };

    private async Task<TestSocket> OpenAsync(TestApp app, string path, params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        (socket.Options.HttpVersion, socket.Options.HttpVersionPolicy, socket.Options.CollectHttpResponseDetails) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact, true);
        foreach (var (name, value) in headers)
        {
            socket.Options.SetRequestHeader(name, value);
        }

        try
        {
            await socket.ConnectAsync(new Uri($"wss://{app.Url.Authority}{path}"), _sockets, default);
            return new TestSocket(socket);
        }
        catch (WebSocketException e)
        {
            var status = (int)socket.HttpStatusCode;
            socket.Dispose();
            throw new SocketRefusedException(status, e);
        }
    }

    private string PathOf(string name) => Path.Combine(_folder.Path, name);
}
