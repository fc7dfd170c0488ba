using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

public sealed class SseTests
{
    [Fact]
    public async Task A_frame_carries_id_type_and_the_stored_bytes()
    {
        var pipe = new Pipe();
        await using var writer = new SseWriter(pipe.Writer, TimeSpan.FromSeconds(15), new ManualTimeProvider());
        await writer.StartAsync(default);
        await writer.WriteAsync(new StreamItem("3:1", "message.delta", Encoding.UTF8.GetBytes("{\"text\":\"я\"}"), false), default);
        await writer.WriteAsync(new StreamItem(null, "run.completed", "{}"u8.ToArray(), false), default);
        await writer.FlushAsync(default);
        Assert.Equal("retry: 2000\n\nid: 3:1\nevent: message.delta\ndata: {\"text\":\"я\"}\n\nevent: run.completed\ndata: {}\n\n", await ReadAsync(pipe));
    }

    [Fact]
    public async Task Silence_is_bridged_and_talk_is_not_interrupted()
    {
        var time = new ManualTimeProvider();
        var pipe = new Pipe();
        await using var writer = new SseWriter(pipe.Writer, TimeSpan.FromSeconds(15), time);
        time.Advance(TimeSpan.FromSeconds(14));
        await writer.WriteAsync(new StreamItem("1", "run.queued", "{}"u8.ToArray(), false), default);
        await writer.FlushAsync(default);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("id: 1\nevent: run.queued\ndata: {}\n\n", await ReadAsync(pipe));
        time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal(": \n\n", await ReadAsync(pipe));
    }

    [Fact]
    public async Task Whenever_the_last_word_was_the_stream_is_never_silent_for_longer_than_promised()
    {
        var time = new ManualTimeProvider();
        var pipe = new Pipe();
        await using var writer = new SseWriter(pipe.Writer, TimeSpan.FromSeconds(15), time);
        for (var i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(7.6));
            await writer.WriteAsync(new StreamItem("1", "run.queued", "{}"u8.ToArray(), false), default);
            await writer.FlushAsync(default);
            Assert.Equal("id: 1\nevent: run.queued\ndata: {}\n\n", await ReadAsync(pipe));
            time.Advance(TimeSpan.FromSeconds(7.4));
            time.Advance(TimeSpan.FromSeconds(7.6));
            Assert.Equal(": \n\n", await ReadAsync(pipe));
        }
    }

    [Fact]
    public async Task A_stop_and_a_failure_are_told()
    {
        var pipe = new Pipe();
        await using var writer = new SseWriter(pipe.Writer, TimeSpan.FromSeconds(15), new ManualTimeProvider());
        await writer.ComeBackAsync();
        Assert.Contains("retry: 1000\n: the server is stopping", await ReadAsync(pipe), StringComparison.Ordinal);
        await writer.ErrorAsync("{\"code\":\"internal_error\"}"u8.ToArray());
        Assert.Equal("event: error\ndata: {\"code\":\"internal_error\"}\n\n", await ReadAsync(pipe));
    }

    [Fact]
    public async Task A_client_that_has_gone_ends_the_stream()
    {
        var pipe = new Pipe();
        await pipe.Reader.CompleteAsync();
        await using var writer = new SseWriter(pipe.Writer, TimeSpan.FromSeconds(15), new ManualTimeProvider());
        await writer.WriteAsync(new StreamItem("1", "run.queued", "{}"u8.ToArray(), false), default);
        await Assert.ThrowsAsync<IOException>(() => writer.FlushAsync(default).AsTask());
    }

    /// <summary>The server learns from a write that nobody reads, before it is told that the request is aborted, and while the run has nothing to say.</summary>
    [Fact]
    public async Task A_client_that_goes_while_nothing_happens_leaves_quietly()
    {
        var pipe = new Pipe();
        await pipe.Reader.CompleteAsync();
        await using var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(new RunsOptions())
            .AddSingleton<IHostApplicationLifetime, ApplicationLifetime>().BuildServiceProvider();
        var context = new DefaultHttpContext { RequestServices = services };
        context.Features.Set<IHttpResponseBodyFeature>(new Body(pipe.Writer));
        var isLeft = false;

        await new SseResult(SilentAsync(() => isLeft = true)).ExecuteAsync(context).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.True(isLeft);
    }

    private static async IAsyncEnumerable<StreamItem> SilentAsync(Action left, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
            yield break;
        }
        finally
        {
            left();
        }
    }

    private static async Task<string> ReadAsync(Pipe pipe)
    {
        var result = await pipe.Reader.ReadAsync();
        var text = Encoding.UTF8.GetString(result.Buffer);
        pipe.Reader.AdvanceTo(result.Buffer.End);
        return text;
    }

    private sealed class Body(PipeWriter writer) : IHttpResponseBodyFeature
    {
        public Stream Stream => Stream.Null;

        public PipeWriter Writer => writer;

        public void DisableBuffering()
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public Task CompleteAsync() => Task.CompletedTask;
    }
}
