using System.Security.Cryptography;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>
/// What tells two requests with one key apart: their bodies and queries. Clients choose the boundary of a multipart body anew each time they send it, so only where it stands counts.
/// Without query and parts it is the plain hash of the body, as earlier versions stored it.
/// </summary>
internal sealed class RequestHash(byte[] key, HttpRequest request) : IDisposable
{
    /// <summary>A longer one is refused by whoever reads the parts.</summary>
    private const int LongestBoundary = 200;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
    private readonly byte[] _mark = MarkOf(request.ContentType);
    private readonly string? _query = request.QueryString.Value;

    /// <summary>Takes what has come of the body, but for an end that may be the beginning of a boundary: that is moved to the front, and is to come again before what follows it.</summary>
    /// <returns>How many bytes that is.</returns>
    public int Take(Span<byte> bytes)
    {
        if (_mark.Length == 0)
        {
            _hash.AppendData(bytes);
            return 0;
        }

        var rest = bytes;
        while (rest.IndexOf(_mark) is >= 0 and var at)
        {
            _hash.AppendData(rest[..at]);
            Fold();
            rest = rest[(at + _mark.Length)..];
        }

        var left = Math.Min(rest.Length, _mark.Length - 1);
        _hash.AppendData(rest[..^left]);
        rest[^left..].CopyTo(bytes);
        return left;
    }

    /// <summary>Lower-case hex.</summary>
    /// <param name="left">What <see cref="Take"/> left, when nothing follows it.</param>
    public string Finish(ReadOnlySpan<byte> left)
    {
        _hash.AppendData(left);
        if (_query is { Length: > 1 })
        {
            Fold();
            _hash.AppendData(Encoding.UTF8.GetBytes(_query));
        }

        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    public void Dispose() => _hash.Dispose();

    /// <summary>What was taken goes on as its hash: nothing that follows can be moved across this place.</summary>
    private void Fold() => _hash.AppendData(_hash.GetHashAndReset());

    /// <summary>Empty: the body has no parts.</summary>
    private static byte[] MarkOf(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type) && type.MediaType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase)
            && HeaderUtilities.RemoveQuotes(type.Boundary).ToString() is { Length: > 0 and <= LongestBoundary } boundary
                ? Encoding.UTF8.GetBytes("--" + boundary)
                : [];
}
