using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using RootMas.Server.Platform.Resilience;
using StackExchange.Redis;

namespace RootMas.Server.Platform.Redis;

/// <summary>What we make of the operator's connection string: both forms that people have, and everything that must be so whatever it says.</summary>
internal static class RedisAddress
{
    private const string Legal = "legal: redis://:password@host:6379/0, rediss://… for TLS, or host:6379,password=…,ssl=true,defaultDatabase=0";
    private static readonly string[] OfMessages = ["SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "PUBLISH"];

    /// <summary>Null: it can be used. The text is a secret and is never part of the answer.</summary>
    public static string? Problem(string text)
    {
        try
        {
            var parts = Parse(text, out var user);
            return parts.EndPoints.Count != 1 ? $"names {parts.EndPoints.Count} servers, not one; {Legal}"
                : user is not ("" or "default") ? "names a user of an ACL, and only the default user can log in; leave the name out, and give the default user's password"
                : parts.EndPoints[0] is DnsEndPoint { Host: "" } ? $"names no host; {Legal}"
                : null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            return $"is not understood; {Legal}";
        }
    }

    /// <summary>Whoever reaches the server may use it, and others than this machine reach it.</summary>
    public static bool IsOpenToOthers(string text) =>
        Problem(text) is null && Parse(text, out _) is { Password: null or "" } parts && parts.EndPoints[0] switch
        {
            IPEndPoint address => !IPAddress.IsLoopback(address.Address),
            DnsEndPoint name => !name.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase),
            _ => false,
        };

    /// <param name="withMessages">Two connections, one of which hears messages; else one, for commands only.</param>
    public static ConfigurationOptions Of(RedisOptions options, OutboundSettings policy, bool withMessages)
    {
        var parts = Parse(options.ConnectionString, out _);
        parts.ClientName = "rootmas";
        parts.AbortOnConnectFail = true; // whether to try again, and when, is decided in one place: RedisLink
        parts.ConnectRetry = 1;
        parts.ConnectTimeout = (int)options.ConnectTimeout.TotalMilliseconds;
        parts.SyncTimeout = (int)policy.Timeout.TotalMilliseconds;
        parts.KeepAlive = 10;
        parts.AllowAdmin = false;
        parts.TieBreaker = "";
        parts.ConfigurationChannel = "";
        parts.DefaultVersion = new Version(6, 2);
        if (!withMessages)
        {
            parts.CommandMap = CommandMap.Create([.. OfMessages], available: false);
        }

        if (options.CaFile.Length > 0)
        {
            parts.CertificateValidation += (_, certificate, chain, errors) => IsVouchedFor(certificate, chain, errors, options.CaFile);
        }

        return parts;
    }

    private static ConfigurationOptions Parse(string text, out string user)
    {
        user = "";
        return text.Contains("://", StringComparison.Ordinal) ? OfUrl(new Uri(text), out user) : ConfigurationOptions.Parse(text);
    }

    private static ConfigurationOptions OfUrl(Uri url, out string user)
    {
        if (url.Scheme is not ("redis" or "rediss") || url.Query.Length > 0)
        {
            throw new FormatException();
        }

        var who = url.UserInfo.Split(':', 2);
        user = who.Length == 2 ? Uri.UnescapeDataString(who[0]) : "";
        var database = url.AbsolutePath.TrimStart('/');
        var parts = new ConfigurationOptions
        {
            Password = who[^1].Length > 0 ? Uri.UnescapeDataString(who[^1]) : null,
            DefaultDatabase = database.Length > 0 ? int.Parse(database, NumberStyles.None, CultureInfo.InvariantCulture) : 0,
            Ssl = url.Scheme == "rediss",
            SslHost = url.Scheme == "rediss" ? url.DnsSafeHost : null,
        };
        parts.EndPoints.Add(url.DnsSafeHost, url.Port > 0 ? url.Port : 6379);
        return parts;
    }

    private static bool IsVouchedFor(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, string file)
    {
        if (certificate is null || chain is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }

        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(file);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck; // a company's own authority seldom says where to ask
        using var own = new X509Certificate2(certificate);
        return chain.Build(own);
    }
}
