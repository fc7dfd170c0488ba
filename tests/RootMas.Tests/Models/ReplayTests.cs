using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.AI;
using RootMas.Server.Models;
using RootMas.Server.Models.OpenAi;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

/// <summary>Recorded answers of real providers, replayed over HTTP. What each must yield is worked out from the raw body here, with a plain DOM and none of the reader's code.</summary>
public sealed class ReplayTests
{
    public static TheoryData<string, int> Recordings()
    {
        var data = new TheoryData<string, int>();
        foreach (var one in Recording.All())
        {
            data.Add(one.File, one.Status);
        }

        return data;
    }

    [RecordingTheory]
    [MemberData(nameof(Recordings))]
    public async Task A_recorded_answer_is_read_as_it_was_meant(string file, int status)
    {
        var body = await File.ReadAllBytesAsync(Path.Combine(Recording.Folder!, file));
        var expected = RecordingExpectation.Of(body, file.EndsWith(".sse", StringComparison.Ordinal), status);
        await using var server = await FakeModelServer.StartAsync();
        server.On("recorded", async http =>
        {
            http.Response.StatusCode = status;
            http.Response.ContentType = file.EndsWith(".sse", StringComparison.Ordinal) ? "text/event-stream" : "application/json";
            await http.Response.Body.WriteAsync(body);
        });
        using var transport = new ProviderTransport(TimeProvider.System);
        var provider = new ModelProvider { Name = "recorded", BaseUrl = server.BaseUrl };
        using var client = new OpenAiChatClient(transport, new ModelSpec { Name = "recorded", Id = "recorded", Provider = provider });
        var seen = new Seen();
        string? error = null;
        try
        {
            await foreach (var update in client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "x")]))
            {
                seen.Add(update);
            }
        }
        catch (EndpointException e)
        {
            error = e.ErrorClass;
        }

        Assert.Equal(expected.ErrorClass, error);
        Assert.Equal(expected.Text, seen.Text);
        Assert.Equal(expected.Reasoning, seen.Reasoning);
        Assert.Equal(expected.Calls, seen.Calls.Select(c => (c.Name, JsonSerializer.Serialize(c.Arguments))));
        Assert.Equal(seen.Calls.Count, seen.Calls.Select(c => c.CallId).Distinct().Count());
        if (error is null)
        {
            Assert.Equal(expected.Usage, (seen.Usage?.InputTokenCount, seen.Usage?.CachedInputTokenCount, seen.Usage?.OutputTokenCount, seen.Usage?.ReasoningTokenCount));
            Assert.NotNull(seen.Finish);
        }
    }

    /// <summary>Servers that say a call's name again when its arguments are done: said once more, it is no second call; with arguments of its own it is.</summary>
    [Theory]
    [InlineData("""{"index":0,"function":{"name":"f","arguments":""}}""", null, 1)]
    [InlineData("""{"index":0,"id":"a","function":{"name":"f"}}""", null, 1)]
    [InlineData("""{"index":0,"function":{"name":"f","arguments":""}}""", """{"index":0,"function":{"arguments":"{\"x\":2}"}}""", 2)]
    [InlineData("""{"index":0,"function":{"name":"f","arguments":"{\"x\":2}"}}""", null, 2)]
    [InlineData("""{"index":0,"id":"b","function":{"name":"f","arguments":""}}""", """{"index":0,"function":{"arguments":"{\"x\":2}"}}""", 2)]
    public async Task A_name_that_comes_again_is_an_echo_or_another_call(string again, string? more, int calls)
    {
        var pieces = ((string?[])["""{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}""", again, more]).OfType<string>();
        var body = string.Concat(pieces.Select(static p => $$$"""data: {"choices":[{"delta":{"tool_calls":[{{{p}}}]}}]}""" + "\n\n")) + "data: [DONE]\n\n";
        await using var server = await FakeModelServer.StartAsync();
        server.On("recorded", async http =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync(body);
        });
        using var transport = new ProviderTransport(TimeProvider.System);
        using var client = new OpenAiChatClient(transport, new ModelSpec { Name = "recorded", Id = "recorded", Provider = new ModelProvider { Name = "recorded", BaseUrl = server.BaseUrl } });
        var seen = new Seen();
        await foreach (var update in client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "x")]))
        {
            seen.Add(update);
        }

        Assert.Equal(((string[])["""{"x":1}""", """{"x":2}"""])[..calls], seen.Calls.Select(static c => JsonSerializer.Serialize(c.Arguments)));
    }
}

/// <summary>A theory that reports itself as skipped where the recordings are not.</summary>
public sealed class RecordingTheoryAttribute : TheoryAttribute
{
    public RecordingTheoryAttribute() => Skip = Recording.Folder is null ? $"the recordings of real providers ({Recording.Place}) are not here" : null;
}

internal sealed record Recording(string File, int Status)
{
    public const string Place = "../shared/data/provider-answers";

    public static string? Folder { get; } = Directory.Exists(Repository.PathOf(Place)) ? Repository.PathOf(Place) : null;

    public static IEnumerable<Recording> All()
    {
        if (Folder is null)
        {
            return [new Recording("absent", 0)];
        }

        using var manifest = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(Folder, "manifest.json")));
        return [.. manifest.RootElement.EnumerateArray().Select(e => new Recording(e.GetProperty("file").GetString()!, e.GetProperty("status").GetInt32()))];
    }
}
