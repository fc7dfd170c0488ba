using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Http;

/// <summary>Ends bodies that come too slowly, where the route says so (<see cref="BodyTime"/>): whoever reads one, the handler or what stands before it, gets a refusal in its place.</summary>
internal sealed class TimedBodies(RequestDelegate next, ServerOptions server, TimeProvider clock)
{
    /// <summary>Bytes per second where the operator lets any rate pass: a long limit is no reason to wait for nothing at all.</summary>
    private const int LeastRate = 240;

    public Task InvokeAsync(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<BodyTime>() is { } time ? LimitedAsync(context, time.Most) : next(context);

    private async Task LimitedAsync(HttpContext context, TimeSpan most)
    {
        // Two requests of HTTP/2 share a connection, whose rate is the server's.
        var isAlone = HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol);
        if (isAlone && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { MinDataRate: null } rate)
        {
            rate.MinDataRate = new MinDataRate(LeastRate, server.RateGrace);
        }

        using var limit = new CancellationTokenSource(most, clock);
        await using var body = new TimedBody(context.Request.Body, most, limit.Token);
        context.Request.Body = body;
        context.Response.OnStarting(() =>
        {
            if (isAlone && limit.IsCancellationRequested && !body.IsWhole)
            {
                context.Response.Headers.Connection = "close"; // the rest would come first
            }

            return Task.CompletedTask;
        });
        await next(context);
    }
}

/// <summary>A body as it comes, until its time is over.</summary>
internal sealed class TimedBody(Stream inner, TimeSpan most, CancellationToken limit) : Stream
{
    public bool IsWhole { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="ProblemException">The time is over.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit, cancellationToken);
        try
        {
            var read = await inner.ReadAsync(buffer, either.Token);
            IsWhole |= read == 0 && buffer.Length > 0;
            return read;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ProblemException(Problems.Of(408, "body_too_slow", string.Create(CultureInfo.InvariantCulture, $"The body did not come whole within {most.TotalSeconds:0.#} seconds. Nothing was kept. Send it over a faster connection, or a smaller one.")));
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
