using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace RootMas.Server.Tools.Outbound;

/// <summary>One entry of <see cref="OutboundOptions.Allow"/>: a host name or a network, and a port or none.</summary>
internal sealed record AllowedTarget(string? Host, IPNetwork? Network, int? Port)
{
    public static bool TryParse(string text, [NotNullWhen(true)] out AllowedTarget? target)
    {
        target = null;
        if (!TrySplit(text.Trim(), out var name, out var port))
        {
            return false;
        }

        if (IPNetwork.TryParse(name, out var network))
        {
            target = new AllowedTarget(null, network, port);
        }
        else if (IPAddress.TryParse(name, out var address))
        {
            target = new AllowedTarget(null, new IPNetwork(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128), port);
        }
        else if (Uri.CheckHostName(name) == UriHostNameType.Dns)
        {
            target = new AllowedTarget(name.TrimEnd('.').ToLowerInvariant(), null, port);
        }

        return target is not null;
    }

    // host, host:port, 10.0.0.0/8:80, ::1, fd00::/8, [::1]:80, [fd00::/8]:80
    private static bool TrySplit(string text, out string name, out int? port)
    {
        (name, port) = (text, null);
        var end = text.StartsWith('[') ? text.IndexOf(']', StringComparison.Ordinal) : text.Count(static c => c == ':') == 1 ? text.IndexOf(':', StringComparison.Ordinal) - 1 : text.Length - 1;
        if (end < 0)
        {
            return false;
        }

        name = text[..(end + 1)].Trim('[', ']');
        var rest = text[(end + 1)..];
        if (rest.Length == 0)
        {
            return name.Length > 0;
        }

        var isPort = ushort.TryParse(rest.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && rest[0] == ':' && number > 0;
        port = number;
        return isPort && name.Length > 0;
    }
}

/// <summary>Decides which addresses may be connected to. Everything that is not plainly public is refused unless the operator allowed it.</summary>
internal sealed class AddressPolicy
{
    private static readonly (IPNetwork Network, string What)[] Refused =
    [
        .. Networks("this host or network", "0.0.0.0/8", "::/128"),
        .. Networks("the local machine", "127.0.0.0/8", "::1/128"),
        .. Networks("a cloud metadata service", "169.254.169.254/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128"),
        .. Networks("a private network", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        .. Networks("a link-local address", "169.254.0.0/16", "fe80::/10"),
        .. Networks("a carrier's private network", "100.64.0.0/10"),
        .. Networks("a multicast address", "224.0.0.0/4", "ff00::/8"),
        .. Networks("a reserved or test network", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "3fff::/20"),
        .. Networks("a tunnel that can lead to a private network", "2002::/16"), // 6to4; Teredo lies in 2001::/23
    ];

    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    // Ports ≥ 1024 that speak something else than HTTP and could be tricked by a request (after the WHATWG fetch standard's list).
    private static readonly HashSet<int> OtherProtocols =
        [1719, 1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9092, 10080, 11211, 27017];

    private readonly AllowedTarget[] _allowed;

    public AddressPolicy(OutboundOptions options) =>
        _allowed = [.. options.Allow.Select(static entry => AllowedTarget.TryParse(entry, out var target) ? target : throw new InvalidOperationException($"Outbound:Allow: '{entry}' is no host, address or network."))];

    /// <summary>Why this address must not be connected to for this host name; null: it may.</summary>
    public string? WhyNot(string host, IPAddress address, int port)
    {
        if (IsAllowed(host, address, port))
        {
            return null;
        }

        return WhatIs(address) is { } what ? $"{host} is {what}"
            : port is 80 or 443 || (port >= 1024 && !OtherProtocols.Contains(port)) ? null
            : $"port {port} is not for web servers";
    }

    /// <summary>What kind of not public address this is; null: a public one.</summary>
    public static string? WhatIs(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return WhatIs(address.MapToIPv4());
        }

        if (address.AddressFamily == AddressFamily.InterNetworkV6 && Nat64.Contains(address))
        {
            return WhatIs(new IPAddress(address.GetAddressBytes().AsSpan(12)));
        }

        foreach (var (network, what) in Refused)
        {
            if (network.Contains(address))
            {
                return what;
            }
        }

        return address.AddressFamily == AddressFamily.InterNetworkV6 && !GlobalUnicast.Contains(address) ? "not a public address" : null;
    }

    private bool IsAllowed(string host, IPAddress address, int port)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        foreach (var target in _allowed)
        {
            if ((target.Port is null || target.Port == port)
                && (target.Network is { } network ? network.Contains(plain) : string.Equals(target.Host, host.TrimEnd('.'), StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }

    private static IEnumerable<(IPNetwork, string)> Networks(string what, params string[] networks) => networks.Select(network => (IPNetwork.Parse(network), what));
}
