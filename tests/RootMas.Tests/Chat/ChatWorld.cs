using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>The real server on the simulator's models. What the model says is scripted by the last user message.</summary>
internal sealed class ChatWorld : IAsyncDisposable
{
    private readonly bool _ownsSim;

    private ChatWorld(TestApp app, Simulator sim, bool ownsSim) => (App, Sim, _ownsSim) = (app, sim, ownsSim);

    public TestApp App { get; }

    public Simulator Sim { get; }

    public static async Task<ChatWorld> StartAsync(string? script = null, Simulator? sim = null, string? data = null, Action<TestAppOptions>? configure = null)
    {
        var simulator = sim ?? await Simulator.StartAsync(script ?? "default: { text: \"Hello there, friend.\" }");
        var app = await TestApp.StartAsync(o =>
        {
            o.Environment["OPENAI_BASE_URL"] = simulator.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
            o.Data = data;
            configure?.Invoke(o);
        });
        return new ChatWorld(app, simulator, sim is null);
    }

    /// <summary>POSTs to <c>/chat</c> and gives status and body.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> TryAskAsync(object body, string path = "/api/v1/chat", params (string Name, string Value)[] headers)
    {
        using var response = await App.SendAsync(HttpMethod.Post, path, JsonSerializer.Serialize(body), headers);
        var text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.Length == 0 ? default : JsonElement.Parse(text));
    }

    public async Task<JsonElement> AskAsync(object body, string path = "/api/v1/chat")
    {
        var (status, answer) = await TryAskAsync(body, path);
        Assert.True(status == HttpStatusCode.OK, $"{(int)status}: {answer}");
        return answer;
    }

    /// <summary>Starts a run in a conversation without waiting for it.</summary>
    public async Task<JsonElement> SendAsync(string conversation, object body, HttpStatusCode expected = HttpStatusCode.Accepted)
    {
        var (status, answer) = await TryAskAsync(body, $"/api/v1/conversations/{conversation}/runs");
        Assert.True(status == expected, $"{(int)status}: {answer}");
        return answer;
    }

    public async Task<string> NewConversationAsync(string team = "solo") =>
        (await App.PostJsonAsync("/api/v1/conversations", new { team }, HttpStatusCode.Created)).GetProperty("id").GetString()!;

    /// <summary>Waits for the run's end by its stream.</summary>
    public async Task<List<SseEvent>> EventsAsync(string runId, string after = "0")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{runId}/events?after={after}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await SseEvent.ReadAllAsync(response);
    }

    public async Task<List<JsonElement>> MessagesAsync(string conversation, string query = "") =>
        [.. (await App.GetJsonAsync($"/api/v1/conversations/{conversation}/messages{query}")).GetProperty("items").EnumerateArray()];

    /// <summary>The messages from the root to the conversation's current leaf, each below the one before.</summary>
    public async Task<List<JsonElement>> PathAsync(string conversation)
    {
        var leaf = (await App.GetJsonAsync($"/api/v1/conversations/{conversation}")).GetProperty("current_leaf").GetString();
        var messages = await MessagesAsync(conversation, $"?leaf={leaf}");
        string?[] parents = [null, .. messages.SkipLast(1).Select(static m => m.GetProperty("id").GetString())];
        Assert.Equal(parents, messages.Select(static m => m.GetProperty("parent_id").GetString()));
        return messages;
    }

    public async Task<string> StatusAsync(string runId) => (await App.GetJsonAsync($"/api/v1/runs/{runId}")).GetProperty("status").GetString()!;

    public async ValueTask DisposeAsync()
    {
        Sim.ReleaseAll();
        await App.DisposeAsync();
        if (_ownsSim)
        {
            await Sim.DisposeAsync();
        }
    }
}

/// <summary>A server-sent event.</summary>
internal sealed record SseEvent(string? Id, string Type, JsonElement Data)
{
    public static async Task<List<SseEvent>> ReadAllAsync(HttpResponseMessage response)
    {
        var all = new List<SseEvent>();
        await foreach (var one in ReadAsync(await response.Content.ReadAsStreamAsync()))
        {
            all.Add(one);
        }

        return all;
    }

    public static async IAsyncEnumerable<SseEvent> ReadAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        string? id = null, type = null, data = null;
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.Length == 0)
            {
                if (data is not null)
                {
                    yield return new SseEvent(id, type ?? "message", JsonElement.Parse(data));
                }

                (id, type, data) = (null, null, null);
            }
            else if (line.StartsWith("id: ", StringComparison.Ordinal))
            {
                id = line[4..];
            }
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                type = line[7..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                data = line[6..];
            }
        }
    }
}
