using System.Net;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Server.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>Calls of the OpenAI-compatible API that are left and repeated: what a key keeps, and what a closed connection ends.</summary>
public sealed class CompletionKeysTests
{
    private readonly Served _served = new();

    [Fact]
    public async Task A_repeated_stream_asks_what_is_open_now_and_nothing_that_was_answered()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { tool_result: "Monday" }
                answer: { text: "Booked." }
              - match: { tool_result: "seven" }
                answer: { tool_calls: [ { name: ask_user, arguments: { question: "On which day?" } } ] }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "For how many?" } } ] }
            """);
        Assert.Contains("For how many?", await ReadAsync(world), StringComparison.Ordinal);
        var run = await RunAsync(world);
        await AnswerAsync(world, run, "seven");
        await world.Sim.WaitForCallsAsync(2);
        await Wait.UntilAsync(static async about => await about.World.StatusAsync(about.Run) == "waiting_input", (World: world, Run: run), "The second question was not asked");

        var asked = await ReadAsync(world);
        Assert.DoesNotContain("For how many?", asked, StringComparison.Ordinal);
        Assert.Contains($"On which day?\\n\\n[The run {run} waits for a person. Decide at POST /api/v1/runs/{run}/input", asked, StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"stop\"", asked, StringComparison.Ordinal);

        await AnswerAsync(world, run, "Monday");
        var answer = await ReadAsync(world);
        Assert.DoesNotContain("On which day?", answer, StringComparison.Ordinal);
        Assert.Contains("Booked.", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_with_a_key_goes_on_without_its_connection_and_a_repeat_gets_its_answer(bool stream)
    {
        await using var world = await WorldAsync("default: { text: \"Hello.\" }");
        var hold = world.Sim.Hold(new HoldSpec());
        using var leave = new CancellationTokenSource();
        var asking = SendAsync(world, stream, "k", cancellationToken: leave.Token);
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        if (stream)
        {
            (await asking).Dispose();
        }
        else
        {
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        }

        await _served.OneAsync();
        hold.Release();
        var answer = await ReadAsync(world, stream);
        Assert.Contains($"chatcmpl-{await RunAsync(world)}", answer, StringComparison.Ordinal);
        Assert.Contains("Hello.", answer, StringComparison.Ordinal);
        Assert.False(Assert.Single(world.Sim.Calls).Aborted);
    }

    [Fact]
    public async Task Of_two_calls_with_one_key_each_gets_the_answer_whoever_else_leaves()
    {
        await using var world = await WorldAsync("default: { text: \"Hello.\" }");
        var hold = world.Sim.Hold(new HoldSpec());
        using var stays = await SendAsync(world, stream: true, "k");
        using (await SendAsync(world, stream: true, "k"))
        {
            Assert.Equal(HttpStatusCode.OK, stays.StatusCode);
        }

        await _served.OneAsync();
        hold.Release();
        var answer = await stays.Content.ReadAsStringAsync();
        Assert.Contains("Hello.", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("\"error\"", answer, StringComparison.Ordinal);
        Assert.Single(world.Sim.Calls);
    }

    /// <summary>Clients that close the connection at the finish_reason do so while the server still adds up the usage.</summary>
    [Fact]
    public async Task Who_leaves_when_the_answer_says_that_the_run_waits_cancels_nothing()
    {
        await using var world = await ChatWorld.StartAsync(
            """
            rules:
              - { match: { agent: communicator, last_role: tool }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which city?" } } ] } }
              - { match: { agent: communicator }, answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "look" } } ] } }
            default: { text: "Found." }
            """,
            configure: o => o.Services = services =>
            {
                services.AddSingleton<IStartupFilter>(_served);
                Faulty.In<IChatService>(services, method =>
                {
                    if (method == nameof(IChatService.UsageAsync))
                    {
                        Assert.True(_served.Left.WaitHandle.WaitOne(TimeSpan.FromMinutes(1)), "The client did not leave");
                    }

                    return null;
                });
            });
        using (var response = await SendAsync(world, stream: true, key: null, model: "root-mas"))
        {
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
            while (await lines.ReadLineAsync() is { } line && !line.Contains("\"finish_reason\":\"stop\"", StringComparison.Ordinal))
            {
            }
        }

        await _served.OneAsync();
        Assert.Equal("waiting_input", await world.StatusAsync(await RunAsync(world)));
    }

    private Task<ChatWorld> WorldAsync(string script) => ChatWorld.StartAsync(script, configure: o => o.Services = services => services.AddSingleton<IStartupFilter>(_served));

    private static async Task<string> RunAsync(ChatWorld world) =>
        Assert.Single((await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").EnumerateArray()).GetProperty("id").GetString()!;

    private static async Task AnswerAsync(ChatWorld world, string run, string text)
    {
        using var answered = await world.App.PostAsync($"/api/v1/runs/{run}/input", $$"""{"text":"{{text}}"}""");
        Assert.Equal(HttpStatusCode.Accepted, answered.StatusCode);
    }

    private static async Task<string> ReadAsync(ChatWorld world, bool stream = true)
    {
        using var response = await SendAsync(world, stream, "k");
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        return text;
    }

    private static async Task<HttpResponseMessage> SendAsync(ChatWorld world, bool stream, string? key, string model = "agent:communicator", CancellationToken cancellationToken = default)
    {
        var how = stream ? "true,\"stream_options\":{\"include_usage\":true}" : "false";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent($$"""{"model":"{{model}}","stream":{{how}},"messages":[{"role":"user","content":"Book it"}]}""", Encoding.UTF8, "application/json"),
        };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>Tells when the server is done with a completion, whoever is there to read it.</summary>
    private sealed class Served : IStartupFilter
    {
        private readonly Channel<bool> _ended = Channel.CreateUnbounded<bool>();

        /// <summary>Cancelled when the client of the newest completion has closed its connection.</summary>
        public CancellationToken Left { get; private set; }

        public async Task OneAsync() => await _ended.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(1));

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (HttpContext context, RequestDelegate following) =>
            {
                if (context.Request.Path != "/v1/chat/completions")
                {
                    await following(context);
                    return;
                }

                Left = context.RequestAborted;
                try
                {
                    await following(context);
                }
                finally
                {
                    _ended.Writer.TryWrite(true);
                }
            });
            next(app);
        };
    }
}
