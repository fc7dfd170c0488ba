using System.Net;
using System.Net.Http.Headers;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>Memory for uploads is taken by what has come, not by what was promised, and one user does not have all of it.</summary>
public sealed class UploadRoomTests
{
    private const long Mebibyte = 1L << 20;

    [Fact]
    public void One_user_has_a_quarter_and_gives_it_back()
    {
        var budget = new UploadBudget(new DocumentsOptions { MaxFileMegabytes = 2, UploadMegabytes = 16 });
        using var first = budget.Open("ann");
        Assert.True(first.Holds(1));
        Assert.True(first.Holds(Mebibyte)); // the step that was taken is enough
        Assert.True(first.Holds(2 * Mebibyte));
        using (var second = budget.Open("ann"))
        {
            Assert.True(second.Holds(2 * Mebibyte));
            using var third = budget.Open("ann");
            Assert.False(third.Holds(1));
            using var other = budget.Open("bob");
            Assert.True(other.Holds(2 * Mebibyte));
        }

        using var again = budget.Open("ann");
        Assert.True(again.Holds(2 * Mebibyte));
    }

    [Fact]
    public void All_together_have_no_more_than_there_is()
    {
        var budget = new UploadBudget(new DocumentsOptions { MaxFileMegabytes = 2, UploadMegabytes = 4 });
        using var one = budget.Open("ann");
        using var two = budget.Open("bob");
        using var three = budget.Open("carol");
        Assert.True(one.Holds(2 * Mebibyte));
        Assert.True(two.Holds(2 * Mebibyte));
        Assert.False(three.Holds(1));
        one.Dispose();
        one.Dispose(); // once
        Assert.True(three.Holds(2 * Mebibyte));
        Assert.False(one.Holds(1));
    }

    /// <summary>Before, four promises of a whole file took all there was.</summary>
    [Fact]
    public async Task Uploads_that_promise_much_and_send_little_keep_nobody_out()
    {
        await using var app = await TestApp.StartAsync(static o => (o.Settings["Knowledge:Documents:MaxFileMegabytes"], o.Settings["Knowledge:Documents:UploadMegabytes"]) = ("25", "50"));
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        using var stop = new CancellationTokenSource();
        var slow = new List<(Held Body, Task Sending)>();
        for (var i = 0; i < 4; i++)
        {
            var body = new Held(25 * Mebibyte, stop.Token);
            slow.Add((body, ann.Client.PostAsync($"/api/v1/documents?name=slow{i}.txt", body, stop.Token)));
            await body.Began.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }

        await bob.UploadAsync("note.txt", "The canteen closes at three.");
        await stop.CancelAsync();
        foreach (var (body, sending) in slow)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => sending);
            body.Dispose();
        }
    }

    /// <summary>Before, a body with a key was copied whole, whatever others had taken.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("key-1")]
    public async Task Whoever_comes_when_it_is_used_up_is_told_so(string? key)
    {
        await using var app = await TestApp.StartAsync(static o => (o.Settings["Knowledge:Documents:MaxFileMegabytes"], o.Settings["Knowledge:Documents:UploadMegabytes"]) = ("1", "1"));
        using var ann = await app.AsAsync("ann");
        if (key is not null)
        {
            ann.Client.DefaultRequestHeaders.Add("Idempotency-Key", key);
        }

        using (var room = app.Get<UploadBudget>().Open("somebody"))
        {
            Assert.True(room.Holds(1));
            var refused = await ann.UploadAsync("note.txt", "The canteen closes at three.", status: HttpStatusCode.ServiceUnavailable);
            Assert.Equal("uploads_busy", refused.GetProperty("code").GetString());

            // As soon as something of it has come: nobody's body is gathered first.
            using var slow = await SlowClient.ConnectAsync(app.Url);
            string[] headers = [$"Authorization: Bearer {app.LocalToken}", "Content-Type: application/octet-stream", "Content-Length: 1000", .. key is null ? Array.Empty<string>() : ["Idempotency-Key: key-2"]];
            await slow.SendAsync(SlowClient.Head(app.Url, "POST", "/api/v1/documents?name=slow.txt", headers) + "\r\nhalf of it");
            Assert.StartsWith("HTTP/1.1 503", await slow.ReadUntilAsync("uploads_busy"), StringComparison.Ordinal);
        }

        var text = string.Concat(Enumerable.Repeat("The canteen closes at three.\n", 36_160))[..(int)Mebibyte]; // all that a file may have
        var kept = await ann.UploadAsync("note.txt", text);
        if (key is not null)
        {
            Assert.Equal(kept.GetProperty("id").GetString(), (await ann.UploadAsync("note.txt", text)).GetProperty("id").GetString());
        }

        using var again = app.Get<UploadBudget>().Open("somebody");
        Assert.True(again.Holds(Mebibyte));
    }

    /// <summary>Before, at the server's least rate, a file could take a day, and hold its place for as long; and any rate passed where the operator let it.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("key-1")]
    public async Task An_upload_that_does_not_come_whole_in_time_is_given_up_and_leaves_nothing(string? key)
    {
        var clock = new ManualTimeProvider();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Clock = clock;
            (o.Settings["Knowledge:Documents:MaxFileMegabytes"], o.Settings["Knowledge:Documents:UploadMegabytes"]) = ("1", "1");
        });
        using var client = await SlowClient.ConnectAsync(app.Url);
        string[] headers = [$"Authorization: Bearer {app.LocalToken}", "Content-Type: application/octet-stream", "Content-Length: 1000", .. key is null ? Array.Empty<string>() : [$"Idempotency-Key: {key}"]];
        await client.SendAsync(SlowClient.Head(app.Url, "POST", "/api/v1/documents?name=slow.txt", headers) + "\r\nhalf of it");
        var answering = client.ReadUntilAsync("body_too_slow\",");
        while (!answering.IsCompleted)
        {
            clock.Advance(TimeSpan.FromMinutes(10)); // until the server has begun to read, and stopped
            await Task.Delay(20);
        }

        var answer = await answering;
        Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.Ordinal);
        Assert.Empty((await app.GetJsonAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());
        using var room = app.Get<UploadBudget>().Open("somebody");
        Assert.True(room.Holds(Mebibyte));
    }

    [Fact]
    public async Task An_upload_of_a_byte_now_and_then_is_hung_up_on_also_where_other_bodies_may_be_as_slow_as_they_like()
    {
        await using var app = await TestApp.StartAsync(static o => (o.Settings["Server:MinRequestRate"], o.Settings["Server:RateGrace"]) = ("0", "1.5s"));
        using var client = await SlowClient.ConnectAsync(app.Url);
        await client.SendAsync(SlowClient.Head(app.Url, "POST", "/api/v1/documents?name=slow.txt", $"Authorization: Bearer {app.LocalToken}", "Content-Type: application/octet-stream", "Content-Length: 1000") + "\r\n");
        Assert.True(await client.DripAsync(new string('x', 999), TimeSpan.FromMilliseconds(200)));
        Assert.Contains(" 408 ", await client.ReadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_room_in_which_no_file_fits_stops_the_start()
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(static o => o.Settings["Knowledge:Documents:UploadMegabytes"] = "10"));
        Assert.Contains("Knowledge:Documents:UploadMegabytes", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Says how long it is, sends a few bytes, and then nothing.</summary>
    private sealed class Held : HttpContent
    {
        private readonly CancellationToken _stop;

        public Held(long length, CancellationToken stop)
        {
            _stop = stop;
            (Headers.ContentLength, Headers.ContentType) = (length, new MediaTypeHeaderValue("application/octet-stream"));
        }

        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync("slow"u8.ToArray(), _stop);
            await stream.FlushAsync(_stop);
            Began.TrySetResult();
            await Task.Delay(Timeout.Infinite, _stop);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
