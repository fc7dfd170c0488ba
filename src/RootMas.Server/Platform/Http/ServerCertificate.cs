using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Http;

/// <summary>The certificate of https addresses: PEM or PFX, with its chain. Read again when the file changes, so that a renewed one serves without a restart; one that cannot be read changes nothing.</summary>
internal sealed partial class ServerCertificate : SupervisedService
{
    private readonly CertificateOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<ServerCertificate> _logger;
    private (DateTime Certificate, DateTime Key) _stamp;
    private volatile SslStreamCertificateContext _current;

    public ServerCertificate(CertificateOptions options, TimeProvider clock, ILogger<ServerCertificate> logger)
    {
        (_options, _clock, _logger) = (options, clock, logger);
        _stamp = Stamp();
        _current = Load(options);
    }

    /// <summary>Null: it can be read.</summary>
    public static string? Problem(CertificateOptions options)
    {
        try
        {
            Load(options);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            return $"Server:Certificate:Path: '{options.Path}' cannot be used as a certificate with its private key ({e.GetType().Name}); " +
                "legal: a PEM file (with KeyPath, if the key is in a file of its own) or a PFX file, with Password if it is encrypted";
        }
    }

    /// <summary>Each handshake takes what is current.</summary>
    public ValueTask<SslServerAuthenticationOptions> OnConnection(TlsHandshakeCallbackContext context) =>
        ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificateContext = _current });

    internal void Publish(ServerMeter meter) => meter.Observe(
        "rootmas.certificate.expires.timestamp", "s", "When the certificate of the https addresses ends, in seconds since 1970.",
        () => new DateTimeOffset(_current.TargetCertificate.NotAfter).ToUnixTimeSeconds());

    protected override (TimeProvider Clock, ILogger Logger) Means => (_clock, _logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_options.ReloadInterval, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Look();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogWatchEnded();
        }
    }

    private void Look()
    {
        var stamp = Stamp();
        if (stamp == _stamp)
        {
            return;
        }

        try
        {
            _current = Load(_options);
            _stamp = stamp;
            var until = _current.TargetCertificate.NotAfter;
            LogReloaded(until);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            // Certificate and key are two files: while one is new and the other old, the next look tries again.
            LogUnreadable(e);
        }
    }

    private (DateTime Certificate, DateTime Key) Stamp() =>
        (File.GetLastWriteTimeUtc(_options.Path!), _options.KeyPath is { Length: > 0 } key ? File.GetLastWriteTimeUtc(key) : default);

    private static SslStreamCertificateContext Load(CertificateOptions options)
    {
        var password = options.Password is { Length: > 0 } given ? given : null;
        var chain = new X509Certificate2Collection();
        X509Certificate2 own;
        if (IsPem(options.Path!))
        {
            chain.ImportFromPemFile(options.Path!);
            var key = options.KeyPath is { Length: > 0 } path ? path : options.Path;
            own = password is null ? X509Certificate2.CreateFromPemFile(options.Path!, key) : X509Certificate2.CreateFromEncryptedPemFile(options.Path!, password, key);
        }
        else
        {
            chain = X509CertificateLoader.LoadPkcs12CollectionFromFile(options.Path!, password);
            own = chain.FirstOrDefault(static c => c.HasPrivateKey) ?? throw new CryptographicException("The file holds no private key.");
        }

        return SslStreamCertificateContext.Create(own, chain, offline: true);
    }

    private static bool IsPem(string path)
    {
        Span<byte> start = stackalloc byte[4096];
        using var file = File.OpenRead(path);
        return start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)].IndexOf("-----BEGIN "u8) >= 0;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The certificate was read again; it is valid until {NotAfter:u}")]
    private partial void LogReloaded(DateTime notAfter);

    [LoggerMessage(Level = LogLevel.Error, Message = "The changed certificate cannot be used; the one before goes on serving")]
    private partial void LogUnreadable(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The certificate is no longer watched")]
    private partial void LogWatchEnded();
}
