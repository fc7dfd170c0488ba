using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Backups;

/// <summary>AWS Signature Version 4 in headers, as every S3-compatible service checks it.</summary>
internal static class S3Signature
{
    private const string Algorithm = "AWS4-HMAC-SHA256";
    private const string SignedHeaders = "host;x-amz-content-sha256;x-amz-date";

    /// <summary>Adds date, hash of the body and signature. The address is already encoded.</summary>
    public static void Sign(HttpRequestMessage request, S3Options options, string bodySha256, DateTimeOffset now)
    {
        var url = request.RequestUri!;
        var time = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var scope = $"{time[..8]}/{options.Region}/s3/aws4_request";
        var canonical = $"{request.Method.Method}\n{url.AbsolutePath}\n{CanonicalQuery(url.Query)}\nhost:{url.Authority}\nx-amz-content-sha256:{bodySha256}\nx-amz-date:{time}\n\n{SignedHeaders}\n{bodySha256}";
        var text = $"{Algorithm}\n{time}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = Encoding.UTF8.GetBytes("AWS4" + options.Secret);
        foreach (var part in scope.Split('/'))
        {
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        }

        request.Headers.Host = url.Authority;
        request.Headers.TryAddWithoutValidation("x-amz-content-sha256", bodySha256);
        request.Headers.TryAddWithoutValidation("x-amz-date", time);
        request.Headers.TryAddWithoutValidation("Authorization", $"{Algorithm} Credential={options.KeyId}/{scope}, SignedHeaders={SignedHeaders}, Signature={Hex(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)))}");
    }

    public static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    /// <summary>Names without a value get an empty one; sorted by their encoded bytes.</summary>
    private static string CanonicalQuery(string query) => string.Join('&', query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(static pair => pair.Contains('=', StringComparison.Ordinal) ? pair : pair + "=").Order(StringComparer.Ordinal));
}
