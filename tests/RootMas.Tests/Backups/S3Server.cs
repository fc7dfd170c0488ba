using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>
/// A bucket in memory that speaks S3 as the manuals say, on a real socket. Signatures are computed here from the raw request by an own reading of the specification (HMAC over the canonical request),
/// not by the program's code; a request whose signature, date or body hash is not right is refused.
/// </summary>
internal sealed class S3Server : IAsyncDisposable
{
    public const string Bucket = "kept";
    public const string KeyId = "AKIDEXAMPLE";
    public const string Secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    public const string Region = "eu-test-1";

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, SortedDictionary<int, byte[]>> _uploads = new();
    private int _failing;

    private S3Server(WebApplication app) => _app = app;

    public ConcurrentDictionary<string, byte[]> Objects { get; } = new(StringComparer.Ordinal);

    public ConcurrentQueue<string> Requests { get; } = new();

    public int Refused { get; private set; }

    public int UnfinishedUploads => _uploads.Count;

    public int PageSize { get; set; } = 2;

    /// <summary>Whether it says that what is to be deleted is not there: Google's does, Amazon's does not.</summary>
    public bool TellsMissing { get; set; }

    /// <summary>Every upload is gone before it is put together.</summary>
    public bool ForgetsUploads { get; set; }

    /// <summary>The next upload is put together, and nobody hears of it.</summary>
    public bool LosesCompletion { get; set; }

    public string Url => _app.Urls.First();

    public static async Task<S3Server> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static k => k.Limits.MaxRequestBodySize = null);
        var app = builder.Build();
        var server = new S3Server(app);
        app.Run(server.HandleAsync);
        await app.StartAsync();
        return server;
    }

    /// <summary>The next requests are answered 503.</summary>
    public void Fail(int requests) => Volatile.Write(ref _failing, requests);

    public void ApplyTo(IDictionary<string, string> settings)
    {
        settings["Backups:S3:Endpoint"] = Url;
        settings["Backups:S3:Bucket"] = Bucket;
        settings["Backups:S3:Region"] = Region;
        settings["Backups:S3:Prefix"] = "a b/".Replace(' ', '-');
        settings["Backups:S3:KeyId"] = KeyId;
        settings["Backups:S3:Secret"] = Secret;
        settings["Backups:S3:PartMegabytes"] = "5";
        settings["Resilience:S3:Base"] = "00:00:00.01";
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task HandleAsync(HttpContext http)
    {
        using var memory = new MemoryStream();
        await http.Request.Body.CopyToAsync(memory);
        var body = memory.ToArray();
        Requests.Enqueue($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}");
        if (Interlocked.Decrement(ref _failing) >= 0)
        {
            http.Response.StatusCode = 503;
            return;
        }

        if (SignatureProblem(http, body) is { } problem)
        {
            Refused++;
            await AnswerAsync(http, 403, $"<Error><Code>SignatureDoesNotMatch</Code><Message>{problem}</Message></Error>");
            return;
        }

        var path = Uri.UnescapeDataString(http.Request.Path.Value!);
        if (path != "/" + Bucket && !path.StartsWith($"/{Bucket}/", StringComparison.Ordinal))
        {
            await AnswerAsync(http, 404, "<Error><Code>NoSuchBucket</Code></Error>");
            return;
        }

        await ServeAsync(http, path.Length > Bucket.Length + 2 ? path[(Bucket.Length + 2)..] : "", body);
    }

    private Task ServeAsync(HttpContext http, string key, byte[] body)
    {
        var query = http.Request.Query;
        var upload = query["uploadId"].ToString();
        return (http.Request.Method, key.Length > 0, query.ContainsKey("uploads"), upload.Length > 0) switch
        {
            ("GET", false, _, _) => ListAsync(http, query["prefix"].ToString(), query["continuation-token"].ToString()),
            ("GET", true, _, _) => GetAsync(http, key),
            ("PUT", true, _, false) => PutAsync(http, key, body),
            ("PUT", true, _, true) => PartAsync(http, upload, int.Parse(query["partNumber"].ToString(), CultureInfo.InvariantCulture), body),
            ("POST", true, true, _) => BeginAsync(http),
            ("POST", true, _, true) => CompleteAsync(http, key, upload, body),
            ("DELETE", true, _, _) => DeleteAsync(http, key, upload),
            _ => AnswerAsync(http, 405, "<Error><Code>MethodNotAllowed</Code></Error>"),
        };
    }

    private Task ListAsync(HttpContext http, string prefix, string after)
    {
        var all = Objects.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(k, after) > 0).Order(StringComparer.Ordinal).ToList();
        var page = all.Take(PageSize).ToList();
        XNamespace s3 = "http://s3.amazonaws.com/doc/2006-03-01/";
        return AnswerAsync(http, 200, new XElement(s3 + "ListBucketResult",
            page.Select(k => new XElement(s3 + "Contents", new XElement(s3 + "Key", k), new XElement(s3 + "Size", Objects[k].Length))),
            new XElement(s3 + "IsTruncated", all.Count > page.Count ? "true" : "false"),
            all.Count > page.Count ? new XElement(s3 + "NextContinuationToken", page[^1]) : null).ToString());
    }

    private async Task GetAsync(HttpContext http, string key)
    {
        if (!Objects.TryGetValue(key, out var value))
        {
            await AnswerAsync(http, 404, "<Error><Code>NoSuchKey</Code></Error>");
            return;
        }

        var from = 0;
        if (http.Request.GetTypedHeaders().Range?.Ranges.Single() is { } range)
        {
            from = (int)range.From!.Value;
            var to = (int)Math.Min(range.To!.Value, value.Length - 1);
            http.Response.StatusCode = 206;
            http.Response.Headers.ContentRange = $"bytes {from}-{to}/{value.Length}";
            value = value[from..(to + 1)];
        }

        await http.Response.Body.WriteAsync(value);
    }

    private Task PutAsync(HttpContext http, string key, byte[] body)
    {
        Objects[key] = body;
        http.Response.Headers.ETag = "\"one\"";
        return Task.CompletedTask;
    }

    private Task BeginAsync(HttpContext http)
    {
        var id = "up/load+" + Guid.NewGuid().ToString("N");
        _uploads[id] = [];
        return AnswerAsync(http, 200, $"<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
    }

    private Task PartAsync(HttpContext http, string upload, int number, byte[] body)
    {
        lock (_uploads[upload])
        {
            _uploads[upload][number] = body;
        }

        http.Response.Headers.ETag = $"\"part{number}\"";
        return Task.CompletedTask;
    }

    private Task CompleteAsync(HttpContext http, string key, string upload, byte[] body)
    {
        if (ForgetsUploads || !_uploads.ContainsKey(upload))
        {
            return AnswerAsync(http, 404, "<Error><Code>NoSuchUpload</Code></Error>");
        }

        var parts = XElement.Parse(Encoding.UTF8.GetString(body)).Elements("Part").Select(static p => (Number: (int)p.Element("PartNumber")!, ETag: (string)p.Element("ETag")!)).ToList();
        if (!_uploads.TryRemove(upload, out var got) || parts.Any(p => p.ETag != $"\"part{p.Number}\"") || !parts.Select(static p => p.Number).SequenceEqual(got.Keys))
        {
            return AnswerAsync(http, 200, "<Error><Code>InvalidPart</Code></Error>");
        }

        Objects[key] = [.. got.Values.SelectMany(static b => b)];
        if (LosesCompletion)
        {
            LosesCompletion = false;
            http.Abort();
            return Task.CompletedTask;
        }

        return AnswerAsync(http, 200, "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>");
    }

    private Task DeleteAsync(HttpContext http, string key, string upload)
    {
        var wasThere = upload.Length > 0 ? _uploads.TryRemove(upload, out _) : Objects.TryRemove(key, out _);
        if (!wasThere && TellsMissing)
        {
            return AnswerAsync(http, 404, "<Error><Code>NoSuchKey</Code></Error>");
        }

        http.Response.StatusCode = 204;
        return Task.CompletedTask;
    }

    private static async Task AnswerAsync(HttpContext http, int status, string xml)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/xml";
        await http.Response.WriteAsync("<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + xml);
    }

    /// <summary>"Signature Version 4 signing process", step by step, over the request as it came in.</summary>
    private static string? SignatureProblem(HttpContext http, byte[] body)
    {
        var authorization = http.Request.Headers.Authorization.ToString();
        if (!authorization.StartsWith("AWS4-HMAC-SHA256 ", StringComparison.Ordinal))
        {
            return "no signature";
        }

        var fields = authorization["AWS4-HMAC-SHA256 ".Length..].Split(',').Select(static f => f.Trim().Split('=', 2)).ToDictionary(static f => f[0], static f => f[1], StringComparer.Ordinal);
        var time = http.Request.Headers["x-amz-date"].ToString();
        var sent = http.Request.Headers["x-amz-content-sha256"].ToString();
        if (sent != Convert.ToHexStringLower(SHA256.HashData(body)))
        {
            return "the body has another hash";
        }

        if (!fields["SignedHeaders"].Split(';').Contains("host") || !DateTimeOffset.TryParseExact(time, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _))
        {
            return "host or date is missing";
        }

        var raw = http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget.Split('?', 2);
        var query = raw.Length == 1 ? "" : string.Join('&', raw[1].Split('&').Select(static p => p.Split('=', 2)).Select(static p => (Name: p[0], Value: p.Length > 1 ? p[1] : "")).OrderBy(static p => p.Name, StringComparer.Ordinal).Select(static p => p.Name + "=" + p.Value));
        var lines = new List<string> { http.Request.Method, raw[0], query };
        lines.AddRange(fields["SignedHeaders"].Split(';').Select(h => $"{h}:{http.Request.Headers[h].ToString().Trim()}"));
        lines.AddRange(["", fields["SignedHeaders"], sent]);
        var day = time[..8];
        var scope = $"{day}/{Region}/s3/aws4_request";
        var toSign = string.Join('\n', "AWS4-HMAC-SHA256", time, scope, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines)))));
        var signing = Mac(Mac(Mac(Mac(Encoding.UTF8.GetBytes("AWS4" + Secret), day), Region), "s3"), "aws4_request");
        return fields["Credential"] != $"{KeyId}/{scope}" ? "another key or scope" : fields["Signature"] != Convert.ToHexStringLower(Mac(signing, toSign)) ? "another signature" : null;
    }

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));
}
