using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace RootMas.Tests.Support;

/// <summary>An address at which others reach this machine.</summary>
public static class HostAddress
{
    /// <summary>IPv4; null: it has none.</summary>
    public static string? Found { get; } = NetworkInterface.GetAllNetworkInterfaces()
        .Where(static i => i.OperationalStatus == OperationalStatus.Up)
        .SelectMany(static i => i.GetIPProperties().UnicastAddresses)
        .Select(static a => a.Address)
        .FirstOrDefault(static a => a.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(a))?.ToString();

    public static string? Missing { get; } = Found is null ? "This machine has no IPv4 address but loopback" : null;
}

/// <summary>Skipped by name where the machine has no address at which others reach it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NetworkFactAttribute : FactAttribute
{
    public NetworkFactAttribute() => Skip = HostAddress.Missing;
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NetworkTheoryAttribute : TheoryAttribute
{
    public NetworkTheoryAttribute() => Skip = HostAddress.Missing;
}

/// <summary>Skipped by name where the tests do not run as root on Linux.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess ? null : "Only root can give a folder to another user";
}
