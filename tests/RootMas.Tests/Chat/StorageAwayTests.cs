using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Npgsql;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>The database is away for a moment while somebody talks.</summary>
public sealed class StorageAwayTests
{
    private readonly Dictionary<string, int> _faults = new(StringComparer.Ordinal);
    private Exception? _cause;

    [Theory]
    [InlineData(nameof(IChatService.SendAsync), """{"type":"message","message":"Hi","team":"solo"}""")]
    [InlineData(nameof(IChatService.CancelAsync), """{"type":"cancel","run_id":"x"}""")]
    [InlineData(nameof(IChatService.FindAsync), """{"type":"subscribe","run_id":"x"}""")]
    public async Task A_frame_that_fails_is_told_and_the_socket_goes_on(string method, string frame)
    {
        await using var world = await WorldAsync();
        using var socket = await TestSocket.ConnectAsync(world.App, "/ws", ("Authorization", $"Bearer {world.App.LocalToken}"));
        Fail(method, 1);
        await socket.SendAsync(JsonElement.Parse(frame));
        var error = await socket.ReceiveAsync();
        Assert.Equal(("error", "storage_unavailable", 503), (error.GetProperty("type").GetString(), error.GetProperty("problem").GetProperty("code").GetString(), error.GetProperty("problem").GetProperty("status").GetInt32()));
        await socket.SendAsync(new { message = "Hi", team = "solo" });
        JsonElement answer;
        while ((answer = await socket.ReceiveAsync()).GetProperty("type").GetString() != "response")
        {
            Assert.NotEqual("error", answer.GetProperty("type").GetString());
        }

        Assert.Equal("Hello there, friend.", answer.GetProperty("message").GetString());
    }

    /// <summary>It does not end by waiting, so whoever reads it must not be told to wait.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_full_disk_is_no_database_that_does_not_answer(bool embedded)
    {
        await using var world = await WorldAsync();
        _cause = embedded ? new SqliteException("full", 13) : new PostgresException("full", "ERROR", "ERROR", PostgresErrorCodes.DiskFull);
        Fail(nameof(IChatService.SendAsync), 1);
        using var answer = await world.App.PostAsync("/api/v1/chat", """{"message":"Hi","team":"solo"}""");
        var problem = await ProblemAssert.IsProblemAsync(answer, 503, "storage_unavailable");
        Assert.Equal("disk_full", problem.GetProperty("reason").GetString());
        Assert.Contains("disk is full", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("does not answer", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_completion_waits_for_its_run_and_begins_no_second()
    {
        await using var world = await WorldAsync();
        Fail(nameof(IChatService.WaitAsync), 2);
        using var answer = await CompleteAsync(world, stream: false);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Hello there, friend.", (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(1, world.Sim.Stats.Chat);
    }

    [Fact]
    public async Task What_became_of_a_completion_and_cannot_be_read_is_not_asked_for_again_unasked()
    {
        await using var world = await WorldAsync();
        Fail(nameof(IChatService.UsageAsync), 1);
        using var answer = await CompleteAsync(world, stream: false);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("false", Assert.Single(answer.Headers.GetValues("x-should-retry")));
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal("storage_unavailable", error.GetProperty("code").GetString());
        Assert.Contains("GET /api/v1/runs/", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private Task<ChatWorld> WorldAsync() => ChatWorld.StartAsync(configure: o => o.Services = services => Faulty.In<IChatService>(services, FaultOf));

    private static Task<HttpResponseMessage> CompleteAsync(ChatWorld world, bool stream) =>
        world.App.Client.PostAsJsonAsync("/v1/chat/completions", new { model = "solo", stream, messages = new[] { new { role = "user", content = "Hi" } } });

    private void Fail(string method, int times)
    {
        lock (_faults)
        {
            _faults[method] = times;
        }
    }

    private StorageUnavailableException? FaultOf(string method)
    {
        lock (_faults)
        {
            return _faults.GetValueOrDefault(method) > 0 && _faults[method]-- > 0 ? new StorageUnavailableException("away", _cause) : null;
        }
    }
}
