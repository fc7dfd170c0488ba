using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RootMas.Tests.Support;

/// <summary>A provider whose every answer is given as raw HTTP by the test: <c>server.On("gpt-a", http => …)</c>. Counts what reached it.</summary>
public sealed class FakeModelServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Func<HttpContext, Task>>> _answers = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(string Model, string Body)> _requests = new();

    private int _lists;

    private FakeModelServer(WebApplication app) => _app = app;

    public Uri BaseUrl => new(_app.Urls.First() + "/v1");

    public IReadOnlyList<(string Model, string Body)> Requests => [.. _requests];

    /// <summary>Completes when the client has closed a request's connection before its end.</summary>
    public TaskCompletionSource Aborted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static async Task<FakeModelServer> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.WebHost.ConfigureKestrel(k => k.AllowSynchronousIO = false);
        var app = builder.Build();
        var server = new FakeModelServer(app);
        app.Run(server.HandleAsync);
        await app.StartAsync();
        return server;
    }

    /// <summary>Answers of a model, one per request, in order; the last one is repeated.</summary>
    public FakeModelServer On(string model, params Func<HttpContext, Task>[] answers)
    {
        _answers[model] = new(answers);
        return this;
    }

    /// <summary>What GET /models answers.</summary>
    public string List { get; set; } = """{"data":[{"id":"found-embed"},{"id":"found-chat"}]}""";

    /// <summary>What an Ollama answers to GET /api/ps; null: it does not know that.</summary>
    public string? Loaded { get; set; }

    /// <summary>What an Ollama answers to POST /api/show; null: it does not know that.</summary>
    public string? Shown { get; set; }

    /// <summary>How often it was asked for its models.</summary>
    public int Lists => Volatile.Read(ref _lists);

    public int CountOf(string model) => _requests.Count(r => r.Model == model);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    public static Func<HttpContext, Task> Status(int status, string body = "{}", string? retryAfter = null) => async http =>
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        if (retryAfter is not null)
        {
            http.Response.Headers.RetryAfter = retryAfter;
        }

        await http.Response.WriteAsync(body);
    };

    /// <summary>A stream of chunks, given as objects; <c>[DONE]</c> is added unless <paramref name="cut"/>.</summary>
    public static Func<HttpContext, Task> Stream(IEnumerable<string> chunks, bool cut = false, TimeSpan delay = default) => async http =>
    {
        http.Response.ContentType = "text/event-stream";
        foreach (var chunk in chunks)
        {
            if (delay > TimeSpan.Zero)
            {
                await Task.Delay(delay, http.RequestAborted);
            }

            await http.Response.WriteAsync($"data: {chunk}\n\n");
            await http.Response.Body.FlushAsync();
        }

        if (!cut)
        {
            await http.Response.WriteAsync("data: [DONE]\n\n");
        }
    };

    public static Func<HttpContext, Task> Answer(string text, int input = 10, int output = 5, string finish = "stop") => Stream(
    [
        .. text.Split(' ').Select((w, i) => Delta(i == 0 ? w : " " + w)), Finish(finish), Usage(input, output),
    ]);

    public static Func<HttpContext, Task> Tool(string name, string arguments, string id = "call_x") => Stream(
    [
        """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"ID","type":"function","function":{"name":"NAME","arguments":ARGS}}]}}]}"""
            .Replace("ID", id, StringComparison.Ordinal).Replace("NAME", name, StringComparison.Ordinal).Replace("ARGS", JsonSerializer.Serialize(arguments), StringComparison.Ordinal),
        Finish("tool_calls"), Usage(10, 5),
    ]);

    public static string Delta(string text) => $$"""{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":{{JsonSerializer.Serialize(text)}}},"finish_reason":null}]}""";

    public static string Finish(string reason) => $$"""{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"{{reason}}"}]}""";

    public static string Usage(int input, int output) =>
        $$$"""{"choices":[],"usage":{"prompt_tokens":{{{input}}},"completion_tokens":{{{output}}},"total_tokens":{{{input + output}}}}}""";

    /// <summary>Begins an answer and then says nothing until the client leaves.</summary>
    public Func<HttpContext, Task> Hang(params string[] first) => async http =>
    {
        http.Response.ContentType = "text/event-stream";
        await http.Response.StartAsync();
        foreach (var chunk in first)
        {
            await http.Response.WriteAsync($"data: {chunk}\n\n");
            await http.Response.Body.FlushAsync();
        }

        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = http.RequestAborted.Register(() => gone.TrySetResult());
        await gone.Task;
        Aborted.TrySetResult();
    };

    /// <summary>Closes the connection without an answer.</summary>
    public static Task Abort(HttpContext http)
    {
        http.Abort();
        return Task.CompletedTask;
    }

    private async Task HandleAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        if (http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal))
        {
            var said = http.Request.Method == "GET" ? Loaded : Shown;
            await Status(said is null ? 404 : 200, said ?? "{}")(http);
            return;
        }

        if (http.Request.Method == "GET")
        {
            Interlocked.Increment(ref _lists);
            await Status(200, List)(http);
            return;
        }

        var model = JsonDocument.Parse(body).RootElement.GetProperty("model").GetString()!;
        _requests.Enqueue((model, body));
        var queue = _answers[model];
        if (!queue.TryDequeue(out var answer))
        {
            throw new InvalidOperationException($"No answer for {model}.");
        }

        if (queue.IsEmpty)
        {
            queue.Enqueue(answer);
        }

        await answer(http);
    }
}
