using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace RootMas.Tests.Platform.Telemetry;

/// <param name="ParentId">Empty: a root.</param>
internal sealed record OtlpSpan(string TraceId, string Id, string ParentId, string Name, string Service, IReadOnlyDictionary<string, string> Attributes);

/// <summary>The receiving end of OTLP, over gRPC or HTTP with protobuf: keeps spans, and which kinds of signals came.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, OtlpSpan> _spans = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _signals = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _arrived = new(0);

    private OtlpCollector(WebApplication app) => _app = app;

    /// <summary>For <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>: gRPC has no path, HTTP has one.</summary>
    public string Endpoint { get; private set; } = "";

    public static async Task<OtlpCollector> StartAsync(bool grpc)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, o => o.Protocols = grpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
        builder.Services.AddRoutingCore();
        var app = builder.Build();
        var collector = new OtlpCollector(app);
        app.Run(grpc ? collector.GrpcAsync : collector.HttpAsync);
        await app.StartAsync();
        collector.Endpoint = app.Urls.First() + (grpc ? "" : "/otlp");
        return collector;
    }

    /// <summary>Waits until this many spans of a trace are there.</summary>
    public async Task<List<OtlpSpan>> SpansOfAsync(string traceId, int atLeast)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            var spans = _spans.Values.Where(s => s.TraceId == traceId).ToList();
            if (spans.Count >= atLeast)
            {
                return spans;
            }

            await _arrived.WaitAsync(limit.Token);
        }
    }

    /// <summary>Waits for traces, logs or metrics that name something.</summary>
    public async Task ArrivedAsync(string signal, string name)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!_signals.TryGetValue(signal, out var said) || !said.Contains(name, StringComparison.Ordinal))
        {
            await _arrived.WaitAsync(limit.Token);
        }
    }

    /// <summary>Whether traces, logs or metrics that came so far name something.</summary>
    public bool HasHeard(string signal, string name) => _signals.TryGetValue(signal, out var said) && said.Contains(name, StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _arrived.Dispose();
    }

    private async Task HttpAsync(HttpContext context)
    {
        Assert.Equal("application/x-protobuf", context.Request.ContentType);
        Take(context.Request.Path.Value!.Split('/')[^1], await BodyAsync(context));
        context.Response.ContentType = "application/x-protobuf";
    }

    private async Task GrpcAsync(HttpContext context)
    {
        var body = await BodyAsync(context);
        Assert.Equal(0, body[0]); // not compressed
        var name = context.Request.Path.Value!.Split('.');
        Take(name[^3] switch { "trace" => "traces", var other => other }, body[5..]);
        context.Response.ContentType = "application/grpc";
        await context.Response.Body.WriteAsync(new byte[5]);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task<byte[]> BodyAsync(HttpContext context)
    {
        using var copy = new MemoryStream();
        await context.Request.Body.CopyToAsync(copy);
        return copy.ToArray();
    }

    private void Take(string signal, byte[] message)
    {
        if (signal == "traces")
        {
            foreach (var resource in Messages(message, 1))
            {
                var service = Messages(resource, 1).SelectMany(static r => Attributes(r, 1)).FirstOrDefault(static a => a.Key == "service.name").Value ?? "";
                foreach (var span in Messages(resource, 2).SelectMany(static scope => Messages(scope, 2)))
                {
                    var id = Convert.ToHexStringLower(Messages(span, 2).First());
                    _spans[id] = new OtlpSpan(
                        Convert.ToHexStringLower(Messages(span, 1).First()), id, Convert.ToHexStringLower(Messages(span, 4).FirstOrDefault() ?? []),
                        Encoding.UTF8.GetString(Messages(span, 5).First()), service, Attributes(span, 9).ToDictionary(static a => a.Key, static a => a.Value, StringComparer.Ordinal));
                }
            }
        }

        // Names are plain text within protobuf.
        _signals.AddOrUpdate(signal, static (_, text) => text, static (_, before, text) => before + text, Encoding.UTF8.GetString(message));
        _arrived.Release();
    }

    private static IEnumerable<KeyValuePair<string, string>> Attributes(byte[] message, int field) =>
        Messages(message, field).Select(static pair => KeyValuePair.Create(Encoding.UTF8.GetString(Messages(pair, 1).First()), ValueOf(Messages(pair, 2).FirstOrDefault() ?? [])));

    /// <summary>AnyValue: 1 is a string, 2 to 4 are a bool, an integer and a double.</summary>
    private static string ValueOf(byte[] any)
    {
        var input = new CodedInputStream(any);
        return (input.ReadTag() >> 3) switch
        {
            1 => input.ReadString(),
            2 => input.ReadBool() ? "true" : "false",
            3 => input.ReadInt64().ToString(System.Globalization.CultureInfo.InvariantCulture),
            4 => input.ReadDouble().ToString(System.Globalization.CultureInfo.InvariantCulture),
            _ => "",
        };
    }

    /// <summary>All length-delimited values of one field.</summary>
    private static List<byte[]> Messages(byte[] message, int field)
    {
        var (input, found) = (new CodedInputStream(message), new List<byte[]>());
        while (input.ReadTag() is var tag and not 0)
        {
            if ((tag & 7) == 2 && tag >> 3 == field)
            {
                found.Add(input.ReadBytes().ToByteArray());
            }
            else
            {
                input.SkipLastField();
            }
        }

        return found;
    }
}
