using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Redis;

/// <summary>A Redis that wants a password and speaks TLS, with a certificate of a company's own authority.</summary>
public sealed class RedisTlsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [RedisFact]
    public async Task Over_TLS_with_a_password_everything_works_and_without_the_right_ones_nothing_is_said()
    {
        Write("ours");
        Write("foreign");
        var port = ServerProcess.FreePort();
        await using var redis = await RedisServer.StartAsync(
            "--requirepass", "geheim", "--tls-port", $"{port}", "--tls-cert-file", PathOf("ours.crt"), "--tls-key-file", PathOf("ours.key"), "--tls-auth-clients", "no");
        var prefix = RedisServer.NewPrefix();
        await using (var app = await TestApp.StartAsync(o =>
        {
            redis.Use(o, prefix);
            o.Settings["Limits:Reads"] = "100/1h";
            o.Settings["Redis:ConnectionString"] = $"rediss://:geheim@localhost:{port}";
            o.Settings["Redis:CaFile"] = PathOf("ours-ca.crt");
        }))
        {
            Assert.Equal("healthy", (await app.GetJsonAsync("/health")).GetProperty("services").GetProperty("redis").GetString());
            using var ann = await app.AsAsync("ann");
            Assert.Equal(HttpStatusCode.OK, (await ann.Client.GetAsync("/api/v1/agents")).StatusCode);
            Assert.NotEmpty(await redis.KeysAsync(prefix)); // limits are counted there
            Assert.True(app.Get<RedisBus>().IsConnected);
        }

        Assert.True(await ConnectsAsync($"localhost:{port},password=geheim,ssl=true,sslHost=localhost", "ours"));
        Assert.False(await ConnectsAsync($"rediss://:geheim@localhost:{port}", "foreign")); // another authority
        Assert.False(await ConnectsAsync($"rediss://:geheim@localhost:{port}", null)); // none that this system trusts
        Assert.False(await ConnectsAsync($"localhost:{port},password=geheim,ssl=true,sslHost=elsewhere", "ours")); // another name
        Assert.False(await ConnectsAsync($"rediss://:falsch@localhost:{port}", "ours"));
        Assert.False(await ConnectsAsync($"rediss://localhost:{port}", "ours"));
        Assert.False(await ConnectsAsync($"redis://:geheim@localhost:{port}", "ours")); // without TLS
    }

    private async Task<bool> ConnectsAsync(string address, string? authority)
    {
        var options = new RedisOptions { ConnectionString = address, KeyPrefix = RedisServer.NewPrefix(), PoolSize = 3, CaFile = authority is null ? "" : PathOf($"{authority}-ca.crt"), ConnectTimeout = TimeSpan.FromSeconds(10) };
        await using var pool = new RedisPool(options, RedisServer.Circuit(), TimeProvider.System, NullLogger<RedisPool>.Instance);
        await pool.StartAsync();
        return (await pool.TryAsync("test", static s => s.Commands.StringSetAsync("key", "value"))).IsThere;
    }

    /// <summary>An authority, and a certificate for localhost that it vouches for.</summary>
    private void Write(string name)
    {
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest($"CN={name} authority", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = authorityRequest.CreateSelfSigned(from, to);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256) { CertificateExtensions = { names.Build() } };
        using var certificate = request.Create(authority, from, to, RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(PathOf($"{name}-ca.crt"), authority.ExportCertificatePem());
        File.WriteAllText(PathOf($"{name}.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(PathOf($"{name}.key"), key.ExportPkcs8PrivateKeyPem());
    }

    private string PathOf(string name) => Path.Combine(_folder.Path, name);
}
