using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RootMas.Benchmarks.Targets;

/// <summary>
/// The least that a .NET server in the middle must do: read the request into types, ask the model with <see cref="HttpClient"/>, read the answer into types, write it.
/// It is the floor that the server is compared with.
/// </summary>
internal static class Hop
{
    public static async Task<int> RunAsync(string upstream)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http1);
            k.Limits.MaxRequestBodySize = 16 * 1024 * 1024;
        });
        var app = builder.Build();
        var handler = new SocketsHttpHandler { UseProxy = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None };
        using var model = new HttpClient(handler) { BaseAddress = new Uri(upstream) };
        app.MapGet("/health", () => "ok");
        app.UseWebSockets();
        app.Map("/ws", IdleSocketAsync);
        app.MapGet("/idle", IdleStreamAsync);
        app.MapPost("/v1/chat/completions", http => ForwardAsync(http, model));
        await app.StartAsync();
        await Console.Out.WriteLineAsync(app.Urls.First());
        await app.WaitForShutdownAsync();
        return 0;
    }

    private static async Task ForwardAsync(HttpContext http, HttpClient model)
    {
        var request = (await JsonSerializer.DeserializeAsync(http.Request.Body, HopJson.Default.HopRequest, http.RequestAborted))!;
        using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, HopJson.Default.HopRequest));
        content.Headers.ContentType = new("application/json");
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = content };
        using var response = await model.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, http.RequestAborted);
        http.Response.StatusCode = (int)response.StatusCode;
        await using var body = await response.Content.ReadAsStreamAsync(http.RequestAborted);
        if (request.Stream)
        {
            http.Response.ContentType = "text/event-stream";
            await CopyAsync(body, http.Response, http.RequestAborted);
            return;
        }

        var answer = (await JsonSerializer.DeserializeAsync(body, HopJson.Default.HopAnswer, http.RequestAborted))!;
        var bytes = JsonSerializer.SerializeToUtf8Bytes(answer, HopJson.Default.HopAnswer);
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = bytes.Length;
        await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
    }

    private static async Task CopyAsync(Stream from, HttpResponse to, CancellationToken cancellationToken)
    {
        var buffer = new byte[8192];
        int count;
        while ((count = await from.ReadAsync(buffer, cancellationToken)) > 0)
        {
            await to.Body.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            await to.Body.FlushAsync(cancellationToken);
        }
    }

    private static async Task IdleStreamAsync(HttpContext http)
    {
        http.Response.ContentType = "text/event-stream";
        await http.Response.WriteAsync(": open\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
        try
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            http.Abort();
        }
    }

    private static async Task IdleSocketAsync(HttpContext http)
    {
        using var socket = await http.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[16];
        try
        {
            await socket.ReceiveAsync(buffer, http.RequestAborted);
        }
        catch (Exception e) when (e is System.Net.WebSockets.WebSocketException or OperationCanceledException)
        {
            http.Abort();
        }
    }
}

internal sealed record HopRequest(string Model, bool Stream, List<HopMessage> Messages);

internal sealed record HopMessage(string Role, string? Content);

internal sealed record HopAnswer(string Id, string Object, long Created, string Model, List<HopChoice> Choices, HopUsage? Usage);

internal sealed record HopChoice(int Index, HopMessage Message, string? FinishReason);

internal sealed record HopUsage(int PromptTokens, int CompletionTokens, int TotalTokens);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HopRequest))]
[JsonSerializable(typeof(HopAnswer))]
internal sealed partial class HopJson : JsonSerializerContext;
