using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace RootMas.Server.Platform.Http;

/// <summary>
/// Where a request comes from. <see cref="Address"/> is what limits and the audit log use: the connection's peer, or, when that is a configured proxy, whom it speaks for.
/// </summary>
/// <param name="Peer">The other end of the connection, whatever the headers say.</param>
/// <param name="Address">The client, as far as trusted proxies vouch for it. IPv4 in IPv6 form is IPv4.</param>
/// <param name="IsForwarded">Some forwarding header was there, trusted or not: a proxy stands between, or somebody pretends it.</param>
public readonly record struct ClientOrigin(IPAddress Peer, IPAddress Address, bool IsForwarded)
{
    /// <summary>
    /// Who counts as one address: IPv6 is handed out in networks of 64 bits, so whoever has one address has 2⁶⁴, and the network is what is counted.
    /// </summary>
    public UInt128 Network
    {
        get
        {
            Span<byte> bytes = stackalloc byte[16];
            Address.TryWriteBytes(bytes, out var written);
            if (written == 4)
            {
                return BitConverter.ToUInt32(bytes);
            }

            // Above the range of IPv4, so that no network is taken for an address.
            return new UInt128(MemoryMarshal.Read<ulong>(bytes), ulong.MaxValue);
        }
    }
}

/// <summary>
/// Finds the client behind proxies. Only what a trusted proxy wrote is believed: the chain is walked from the right, and the first address that is not a trusted proxy is the client; whatever stands to the left
/// of it was sent by that client and proves nothing.
/// </summary>
public sealed class ClientOrigins(IReadOnlyList<IPNetwork> trusted)
{
    /// <summary>Longest chain that is looked at; a longer one ends at its 32nd address from the right.</summary>
    private const int MaxHops = 32;

    private static readonly IPAddress Unknown = IPAddress.None;

    /// <summary>What proxies add.</summary>
    private static readonly string[] Marks = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Original-For", "X-Real-IP", "Forwarded", "Via"];

    /// <summary>Finds the client, and takes over scheme and host that a trusted proxy names.</summary>
    public ClientOrigin Apply(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var request = context.Request;
        var peer = Plain(context.Connection.RemoteIpAddress ?? Unknown);
        var headers = request.Headers;
        var forwarded = IsForwarded(headers);
        if (!IsTrusted(peer))
        {
            return new ClientOrigin(peer, peer, forwarded);
        }

        var (address, hops) = Walk(peer, headers["X-Forwarded-For"]);
        if (EntryOf(headers["X-Forwarded-Proto"], hops) is { } scheme and ("http" or "https"))
        {
            request.Scheme = scheme;
        }

        if (EntryOf(headers["X-Forwarded-Host"], hops) is { Length: > 0 and <= 255 } host)
        {
            request.Host = new HostString(host);
        }

        return new ClientOrigin(peer, address, forwarded);
    }

    /// <summary>An address as proxies write it: <c>192.0.2.1</c>, <c>192.0.2.1:4711</c>, <c>2001:db8::1</c>, <c>[2001:db8::1]:4711</c>.</summary>
    internal static bool TryParse(ReadOnlySpan<char> text, out IPAddress address)
    {
        var bare = WithoutPort(text.Trim().Trim('"'));

        // 4 and 0x7f.1 are addresses to the parser, and so is one with a zone, but no proxy writes them so.
        if (bare.Length is < 2 or > 64 || bare.Contains('%') || !IPAddress.TryParse(bare, out var parsed) || (parsed.AddressFamily == AddressFamily.InterNetwork && bare.Count('.') != 3))
        {
            address = Unknown;
            return false;
        }

        address = Plain(parsed);
        return true;
    }

    /// <summary>Whether a proxy stands between, or somebody pretends it.</summary>
    internal static bool IsForwarded(IHeaderDictionary headers)
    {
        foreach (var name in Marks)
        {
            if (headers.ContainsKey(name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Empty: malformed.</summary>
    private static ReadOnlySpan<char> WithoutPort(ReadOnlySpan<char> text)
    {
        if (!text.StartsWith('['))
        {
            return text.Count(':') == 1 ? text[..text.IndexOf(':')] : text;
        }

        var end = text.IndexOf(']');
        return end > 0 && (end + 1 == text.Length || text[end + 1] == ':') ? text[1..end] : [];
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private bool IsTrusted(IPAddress address)
    {
        foreach (var network in trusted)
        {
            if (network.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Hops: how many proxies of ours stand between, at least one. A malformed entry ends the walk: the proxy that sent it answers for it.</summary>
    private (IPAddress Address, int Hops) Walk(IPAddress peer, Microsoft.Extensions.Primitives.StringValues header)
    {
        var (current, hops) = (peer, 0);
        for (var line = header.Count - 1; line >= 0; line--)
        {
            var rest = header[line].AsSpan();
            while (true)
            {
                var comma = rest.LastIndexOf(',');
                if (hops == MaxHops || !IsTrusted(current) || !TryParse(rest[(comma + 1)..], out var before))
                {
                    return (current, Math.Max(1, hops));
                }

                (current, hops) = (before, hops + 1);
                if (comma < 0)
                {
                    break;
                }

                rest = rest[..comma];
            }
        }

        return (current, Math.Max(1, hops));
    }

    /// <summary>The entry that the outermost of our own proxies wrote; most proxies write one value and replace what was there.</summary>
    private static string? EntryOf(Microsoft.Extensions.Primitives.StringValues header, int hops)
    {
        if (header.Count == 0)
        {
            return null;
        }

        var entries = header.ToString().Split(',', StringSplitOptions.TrimEntries);
        return entries[Math.Max(0, entries.Length - hops)];
    }
}
