using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli.Doctor;

/// <summary>The machine: program, memory, open files, time zones, addresses, certificate.</summary>
internal static class SystemChecks
{
    private const long LittleMemory = 512L << 20;
    private const long FewFiles = 4_096;
    private static readonly TimeSpan CertificateSoon = TimeSpan.FromDays(14);

    public static IEnumerable<Finding> Machine()
    {
        yield return Finding.Ok("program", $"{ProgramVersion.Text} on .NET {Environment.Version}, {RuntimeInformation.OSDescription.Trim()} {RuntimeInformation.OSArchitecture}, {Environment.ProcessorCount} cores");
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        yield return memory >= LittleMemory
            ? Finding.Ok("memory", $"{memory >> 20} MiB")
            : Finding.Note("memory", $"{memory >> 20} MiB", "Give it 512 MiB or more: many open streams need room.");
        if (OpenFiles() is { } files)
        {
            yield return files >= FewFiles
                ? Finding.Ok("open files", $"up to {files}")
                : Finding.Note("open files", $"only {files} at once", "Each connection is one: raise the limit (ulimit -n 65536, LimitNOFILE= of systemd).");
        }

        if (!TimeZoneInfo.TryFindSystemTimeZoneById("Europe/Berlin", out _))
        {
            yield return Finding.Note("time zones", "the system knows none", "Install tzdata: the clock tool cannot tell the time of other places.");
        }
    }

    /// <summary>Every address to listen on, while no server of ours does.</summary>
    public static IEnumerable<Finding> Ports(SettingsTree tree) =>
        tree.Take<ServerOptions>("Server").Urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(static u => Port(new Uri(u)));

    public static IEnumerable<Finding> Certificate(SettingsTree tree, TimeProvider clock)
    {
        var path = tree.Take<ServerOptions>("Server").Certificate.Path;
        if (string.IsNullOrEmpty(path))
        {
            yield break;
        }

        DateTimeOffset until;
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(path);
            until = new DateTimeOffset(certificate.NotAfter);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            // A PFX file with a password: the settings have said already whether it can be used.
            yield break;
        }

        var left = until - clock.GetUtcNow();
        var text = $"valid until {until.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}";
        yield return left < TimeSpan.Zero ? Finding.Bad("certificate", text, "It is over: put a renewed file in its place; it is taken over without a restart.")
            : left < CertificateSoon ? Finding.Note("certificate", text, "Renew it; the new file is taken over without a restart.")
            : Finding.Ok("certificate", text);
    }

    private static Finding Port(Uri url)
    {
        if (url.Port == 0)
        {
            return Finding.Ok("port", "a free one is chosen");
        }

        var address = IPAddress.TryParse(url.Host.Trim('[', ']'), out var given) ? given : IPAddress.Loopback;
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, url.Port));
            return Finding.Ok("port", $"{url.Port} is free");
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode switch
            {
                SocketError.AccessDenied => Finding.Bad("port", $"{url.Port} may not be used by this user", "Take one above 1023, or give the right (AmbientCapabilities=CAP_NET_BIND_SERVICE of systemd)."),
                SocketError.AddressNotAvailable => Finding.Bad("port", $"{address} is no address of this machine", "Choose another address with --urls."),
                _ => Finding.Bad("port", $"{url.Port} is in use by another program", "Stop it, or choose another address with --urls."),
            };
        }
    }

    /// <summary>Linux only; null: not known.</summary>
    private static long? OpenFiles()
    {
        const string Limits = "/proc/self/limits";
        var line = File.Exists(Limits) ? File.ReadLines(Limits).FirstOrDefault(static l => l.StartsWith("Max open files", StringComparison.Ordinal)) : null;
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _, var soft, ..] && long.TryParse(soft, CultureInfo.InvariantCulture, out var count) ? count : null;
    }
}
