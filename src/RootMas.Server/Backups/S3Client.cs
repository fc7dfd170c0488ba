using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Backups;

/// <summary>
/// The few calls of S3 that archives need, to the operator's own endpoint: exactly that origin, no redirects, no cookies. Every request may be repeated, and is, as the policy <c>s3</c> says;
/// large objects go and come in parts, so that a lost connection costs one part.
/// </summary>
internal sealed class S3Client(S3Options options, OutboundPolicy policy, TimeProvider time, TimeSpan? connectTimeout = null) : IDisposable
{
    private const int MostParts = 10_000;
    private const int LargestAnswer = 16 * 1024 * 1024;

    private readonly HttpMessageInvoker _http = new(new ConnectTimeoutHandler(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = connectTimeout ?? TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5), // names may move
        ActivityHeadersPropagator = null, // our trace ids are nobody else's business
    }));

    /// <summary>Names below a prefix.</summary>
    public async Task<List<string>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        string? next = null;
        do
        {
            var query = $"list-type=2&prefix={Uri.EscapeDataString(prefix)}{(next is null ? "" : "&continuation-token=" + Uri.EscapeDataString(next))}";
            var page = Xml(await SendAsync(new Call(HttpMethod.Get, "", query), cancellationToken));
            names.AddRange(page.Descendants().Where(static e => e.Name.LocalName == "Key" && e.Parent?.Name.LocalName == "Contents").Select(static e => e.Value));
            next = Text(page, "IsTruncated") == "true" ? Text(page, "NextContinuationToken") : null;
        }
        while (next is not null);
        return names;
    }

    public async Task<byte[]> GetAsync(string name, CancellationToken cancellationToken) => (await SendAsync(new Call(HttpMethod.Get, name), cancellationToken)).Body;

    public Task PutAsync(string name, byte[] content, CancellationToken cancellationToken) => SendAsync(new Call(HttpMethod.Put, name, Body: content), cancellationToken);

    /// <summary>What is gone already is gone: some stores say so (404), and a call whose answer was lost is sent again.</summary>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(new Call(HttpMethod.Delete, name), cancellationToken);
        }
        catch (BackupException e) when (e.Failure == BackupFailure.NotFound)
        {
            // That is what was asked for.
        }
    }

    public async Task UploadAsync(string name, string path, CancellationToken cancellationToken)
    {
        await using var file = PrivateFiles.Read(path);
        var buffer = new byte[Math.Min(file.Length, PartSize(file.Length))];
        if (file.Length <= buffer.Length)
        {
            await file.ReadExactlyAsync(buffer, cancellationToken);
            await PutAsync(name, buffer, cancellationToken);
            return;
        }

        var upload = Text(Xml(await SendAsync(new Call(HttpMethod.Post, name, "uploads="), cancellationToken)), "UploadId") ?? throw Unexpected("it began no upload");
        try
        {
            var parts = new XElement("CompleteMultipartUpload");
            for (var number = 1; await file.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken) is > 0 and var read; number++)
            {
                var part = await SendAsync(new Call(HttpMethod.Put, name, FormattableString.Invariant($"partNumber={number}&uploadId={Uri.EscapeDataString(upload)}"), buffer.AsMemory(0, read)), cancellationToken);
                parts.Add(new XElement("Part", new XElement("PartNumber", number), new XElement("ETag", part.ETag)));
            }

            await CompleteAsync(name, upload, (Encoding.UTF8.GetBytes(parts.ToString(SaveOptions.DisableFormatting)), file.Length), cancellationToken);
        }
        catch
        {
            await AbortAsync(name, upload);
            throw;
        }
    }

    /// <summary>Sent again, because its answer was lost or was an error for all it had done, it may be told that there is no such upload any more: then the object says whether it is complete.</summary>
    private async Task CompleteAsync(string name, string upload, (byte[] Parts, long Length) whole, CancellationToken cancellationToken)
    {
        Answer answer;
        try
        {
            answer = await SendAsync(new Call(HttpMethod.Post, name, $"uploadId={Uri.EscapeDataString(upload)}", whole.Parts), cancellationToken);
        }
        catch (BackupException e) when (e.Failure == BackupFailure.NotFound)
        {
            var there = await SendAsync(new Call(HttpMethod.Get, name) { Range = new RangeHeaderValue(0, 0) }, cancellationToken);
            if (there.Total != whole.Length)
            {
                throw;
            }

            return;
        }

        var done = Xml(answer);
        if (done.Name.LocalName != "CompleteMultipartUploadResult")
        {
            throw Unexpected("it did not put the parts together: " + Text(done, "Code")); // comes with status 200
        }
    }

    public async Task DownloadAsync(string name, string path, CancellationToken cancellationToken)
    {
        await using var file = PrivateFiles.Create(path);
        long total = long.MaxValue;
        while (file.Length < total)
        {
            var from = file.Position;
            var answer = await SendAsync(new Call(HttpMethod.Get, name) { Range = new RangeHeaderValue(from, from + PartSize(0) - 1), LargestAnswer = PartSize(0) }, cancellationToken);
            if (answer.Body.Length == 0 || (answer.Total is null && from > 0))
            {
                throw Unexpected("it sent another part of the archive than was asked for");
            }

            total = answer.Total ?? answer.Body.Length;
            await file.WriteAsync(answer.Body, cancellationToken);
            await file.FlushAsync(cancellationToken);
        }
    }

    public void Dispose() => _http.Dispose();

    private long PartSize(long length) => Math.Max(options.PartMegabytes * 1024L * 1024, (length / MostParts) + 1);

    /// <summary>Parts of an upload that was given up cost money; if this fails too, the bucket's own rule for unfinished uploads removes them.</summary>
    private async Task AbortAsync(string name, string upload)
    {
        try
        {
            await SendAsync(new Call(HttpMethod.Delete, name, $"uploadId={Uri.EscapeDataString(upload)}"), CancellationToken.None);
        }
        catch (BackupException)
        {
            // The first failure is the one to tell.
        }
    }

    private async Task<Answer> SendAsync(Call call, CancellationToken cancellationToken)
    {
        Answer answer;
        try
        {
            answer = await policy.ExecuteAsync(token => TryAsync(call, token), static (answer, error) => Judge(answer, error), cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OutboundUnavailableException)
        {
            throw new BackupException(BackupFailure.Unreachable, $"The storage at {options.Endpoint} does not answer ({(e is HttpRequestException http ? http.HttpRequestError.ToString() : e.Message)}). What lies elsewhere is as it was. Check Backups:S3:Endpoint and the network.", e);
        }

        if (answer.Status is >= 200 and < 300)
        {
            return answer;
        }

        var code = answer.Body.Length > 0 && answer.Body[0] == '<' ? Text(Xml(answer), "Code") : null;
        throw answer.Status == 404 && code != "NoSuchBucket"
            ? new BackupException(BackupFailure.NotFound, $"{call.Name} is not in the bucket {options.Bucket}.")
            : new BackupException(BackupFailure.Unreachable, $"The storage at {options.Endpoint} refused ({answer.Status}{(code is null ? "" : " " + code)}). What lies elsewhere is as it was. Check bucket, region, key id and secret in Backups:S3, and this machine's clock.");
    }

    private async ValueTask<Answer> TryAsync(Call call, CancellationToken cancellationToken)
    {
        var path = call.Name.Length == 0 ? "" : "/" + string.Join('/', call.Name.Split('/').Select(Uri.EscapeDataString));
        using var request = new HttpRequestMessage(call.Method, new Uri($"{options.Endpoint!.GetLeftPart(UriPartial.Authority)}/{Uri.EscapeDataString(options.Bucket)}{path}{(call.Query.Length > 0 ? "?" + call.Query : "")}"));
        request.Headers.Range = call.Range;
        if (call.Method == HttpMethod.Put || call.Method == HttpMethod.Post)
        {
            request.Content = new ReadOnlyMemoryContent(call.Body);
        }

        S3Signature.Sign(request, options, S3Signature.Hex(SHA256.HashData(call.Body.Span)), time.GetUtcNow());
        using var response = await _http.SendAsync(request, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        return new Answer((int)response.StatusCode, await ReadAsync(stream, call.LargestAnswer, cancellationToken), response.Headers.ETag?.ToString() ?? "", response.Content.Headers.ContentRange?.Length, After(response));
    }

    private TimeSpan? After(HttpResponseMessage response) => response.Headers.RetryAfter is { } header ? header.Delta ?? (header.Date - time.GetUtcNow()) : null;

    private static async Task<byte[]> ReadAsync(Stream stream, long most, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var buffer = new byte[81_920];
        while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            body.Write(buffer, 0, read);
            if (body.Length > most)
            {
                throw new BackupException(BackupFailure.Unreachable, "The storage sent more than was asked for. Nothing was changed.");
            }
        }

        return body.ToArray();
    }

    private static OutboundVerdict Judge(Answer? answer, Exception? error) => (answer, error) switch
    {
        (_, BackupException) => OutboundVerdict.Failed,
        (_, not null) => OutboundVerdict.OfError(error),
        ({ Status: 408 or 429 or >= 500 }, _) => OutboundVerdict.Again(answer.RetryAfter),
        _ => OutboundVerdict.Answered,
    };

    private static XElement Xml(Answer answer)
    {
        try
        {
            using var reader = XmlReader.Create(new MemoryStream(answer.Body), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            return XElement.Load(reader);
        }
        catch (XmlException e)
        {
            throw new BackupException(BackupFailure.Unreachable, "The storage answered with something that is not S3's XML. Check Backups:S3:Endpoint.", e);
        }
    }

    private static string? Text(XElement xml, string name) => xml.DescendantsAndSelf().FirstOrDefault(e => e.Name.LocalName == name)?.Value;

    private static BackupException Unexpected(string what) => new(BackupFailure.Unreachable, $"The storage does not do as S3 does: {what}. What lies elsewhere is as it was.");

    private sealed record Call(HttpMethod Method, string Name, string Query = "", ReadOnlyMemory<byte> Body = default)
    {
        public RangeHeaderValue? Range { get; init; }

        public long LargestAnswer { get; init; } = S3Client.LargestAnswer;
    }

    private sealed record Answer(int Status, byte[] Body, string ETag, long? Total, TimeSpan? RetryAfter);
}
