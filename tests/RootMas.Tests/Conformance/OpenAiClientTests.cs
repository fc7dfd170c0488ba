using System.ClientModel;
using System.ClientModel.Primitives;
using System.Diagnostics;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using RootMas.Tests.Chat;

namespace RootMas.Tests.Conformance;

/// <summary>The official OpenAI clients, unchanged, against <c>/v1</c>.</summary>
public sealed class OpenAiClientTests
{
    private const string Script = """
        rules:
          - match: { last_user: "json" }
            answer: { json: { city: Kazan } }
          - match: { last_user: "slow" }
            answer: { text: "a b c d e f g h i j k l m n o p q r s t u v w x y z", tokens_per_second: 1 }
        default: { text: "Hello there, friend." }
        """;

    private const string Long = "text: \"These words come from a model that breaks down, however many of them were shown before it did so.\"";

    [NodeFact]
    public async Task The_javascript_client_works_unchanged()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var folder = await OpenAiJs.InstallAsync();
        var (code, output) = await OpenAiJs.RunAsync(folder, "node", "conformance.mjs", world.App.Url.ToString().TrimEnd('/'), world.App.LocalToken);
        Assert.True(code == 0, output);
        foreach (var check in new[] { "models", "completion", "streaming", "streamHelper", "history", "jsonMode", "errors", "abort" })
        {
            Assert.Contains($"ok {check}", output, StringComparison.Ordinal);
        }

        await Eventually.HoldsAsync(() => world.Sim.Calls[^1].Aborted);
    }

    [Fact]
    public async Task The_dotnet_client_lists_models_and_completes()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var models = await Client(world).GetOpenAIModelClient().GetModelsAsync();
        Assert.Contains(models.Value, m => m.Id == "root-mas");
        var chat = Client(world).GetChatClient("solo");
        var answer = (await chat.CompleteChatAsync([new SystemChatMessage("Be brief."), new UserChatMessage("Hi")], new ChatCompletionOptions { Temperature = 0.3f, MaxOutputTokenCount = 50 })).Value;
        Assert.Equal("Hello there, friend.", answer.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.True(answer.Usage.OutputTokenCount > 0);
    }

    [Fact]
    public async Task The_dotnet_client_streams()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var text = "";
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        await foreach (var update in Client(world).GetChatClient("solo").CompleteChatStreamingAsync("Hi"))
        {
            text += string.Concat(update.ContentUpdate.Select(p => p.Text));
            reason ??= update.FinishReason;
            usage ??= update.Usage;
        }

        Assert.Equal("Hello there, friend.", text);
        Assert.Equal(ChatFinishReason.Stop, reason);
        Assert.True(usage!.TotalTokenCount > 0);
    }

    [Fact]
    public async Task The_dotnet_client_gets_json_and_typed_errors_and_may_leave()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var chat = Client(world).GetChatClient("solo");
        var json = (await chat.CompleteChatAsync([new UserChatMessage("json please")], new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat() })).Value;
        Assert.Equal("Kazan", JsonElement.Parse(json.Content[0].Text).GetProperty("city").GetString());
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => Client(world).GetChatClient("nobody").CompleteChatAsync("Hi"))).Status);
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => chat.CompleteChatAsync([new UserChatMessage("Hi")], new ChatCompletionOptions { IncludeLogProbabilities = true }));
        Assert.Equal(400, refused.Status);
        Assert.Contains("unsupported_parameter", refused.Message, StringComparison.Ordinal);

        using var leave = new CancellationTokenSource();
        var asking = chat.CompleteChatAsync([new UserChatMessage("slow please")], new ChatCompletionOptions(), leave.Token);
        await world.Sim.WaitForCallsAsync(2);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        await Eventually.HoldsAsync(() => world.Sim.Calls[^1].Aborted);
    }

    /// <summary>This client does not ask whether a failure is to be repeated.</summary>
    [Fact]
    public async Task The_dotnet_client_that_repeats_with_a_key_begins_a_failing_run_once()
    {
        await using var world = await ChatWorld.StartAsync("default: { fault: { kind: status, status: 401 } }");
        var (options, tries) = (Options(world), new CountTries());
        options.RetryPolicy = null; // its own
        options.AddPolicy(new KeyPerCall(), PipelinePosition.PerCall);
        options.AddPolicy(tries, PipelinePosition.PerTry);
        var chat = new OpenAIClient(new ApiKeyCredential(world.App.LocalToken), options).GetChatClient("solo");
        Assert.Equal(500, (await Assert.ThrowsAsync<ClientResultException>(() => chat.CompleteChatAsync("Hi"))).Status);
        Assert.True(tries.Count > 1, "The client repeats nothing any more: docs/api.md need not speak of it");
        Assert.Single((await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").EnumerateArray());
    }

    [Theory]
    [InlineData("fault: { kind: empty_choices }", "")]
    [InlineData($"{Long}, fault: {{ kind: malformed_json }}", "These words")]
    public async Task The_dotnet_client_raises_when_a_stream_fails_after_it_has_begun(string answer, string begins)
    {
        await using var world = await ChatWorld.StartAsync($"default: {{ {answer} }}");
        world.Sim.Hold(new());
        using var http = new HttpClient(new BegunFirst(world.Sim));
        var options = Options(world);
        options.Transport = new HttpClientPipelineTransport(http);
        var text = "";
        var raised = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () =>
        {
            await foreach (var update in new OpenAIClient(new ApiKeyCredential(world.App.LocalToken), options).GetChatClient("solo").CompleteChatStreamingAsync("Hi"))
            {
                text += string.Concat(update.ContentUpdate.Select(static p => p.Text));
            }
        });
        Assert.Contains("ChatFinishReason", raised.Message, StringComparison.Ordinal);
        Assert.StartsWith(begins, text, StringComparison.Ordinal);
        Assert.Equal(begins.Length == 0, text.Length == 0);
    }

    [NodeFact]
    public async Task The_javascript_client_raises_when_a_stream_fails_after_it_has_begun()
    {
        await using var world = await ChatWorld.StartAsync($$"""
            rules:
              - match: { last_user: "half" }
                answer: { {{Long}}, fault: { kind: malformed_json } }
            default: { fault: { kind: empty_choices } }
            """);
        var folder = await OpenAiJs.InstallAsync();
        var (code, output) = await OpenAiJs.RunAsync(folder, "node", "failures.mjs", world.App.Url.ToString().TrimEnd('/'), world.App.LocalToken, world.Sim.BaseUrl);
        Assert.True(code == 0, output);
        Assert.Contains("ok nothing", output, StringComparison.Ordinal);
        Assert.Contains("ok half", output, StringComparison.Ordinal);
    }

    private static OpenAIClient Client(ChatWorld world) => new(new ApiKeyCredential(world.App.LocalToken), Options(world));

    private static OpenAIClientOptions Options(ChatWorld world) => new() { Endpoint = new Uri(world.App.Url, "/v1"), RetryPolicy = new ClientRetryPolicy(0) };

    /// <summary>As docs/api.md shows it: a key for each call, and the same one for all of its tries.</summary>
    private sealed class KeyPerCall : PipelinePolicy
    {
        public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            message.Request.Headers.Set("Idempotency-Key", Guid.NewGuid().ToString());
            ProcessNext(message, pipeline, currentIndex);
        }

        public override async ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            message.Request.Headers.Set("Idempotency-Key", Guid.NewGuid().ToString());
            await ProcessNextAsync(message, pipeline, currentIndex);
        }
    }

    private sealed class CountTries : PipelinePolicy
    {
        public int Count { get; private set; }

        public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Count++;
            ProcessNext(message, pipeline, currentIndex);
        }

        public override async ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Count++;
            await ProcessNextAsync(message, pipeline, currentIndex);
        }
    }

    /// <summary>The model says nothing before the client has the status of its stream.</summary>
    private sealed class BegunFirst(LlmSimulator.Simulator sim) : DelegatingHandler(new SocketsHttpHandler())
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            sim.ReleaseAll();
            return response;
        }
    }
}

/// <summary>The npm package, installed from the committed lockfile into a folder of its own.</summary>
internal static class OpenAiJs
{
    public static async Task<string> InstallAsync()
    {
        var source = Path.Combine(Support.Repository.Root, "tests", "RootMas.Tests", "Conformance", "openai-js");
        var folder = Path.Combine(AppContext.BaseDirectory, "openai-js");
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(source))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }

        if (!Directory.Exists(Path.Combine(folder, "node_modules", "openai")))
        {
            var (code, output) = await RunAsync(folder, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts");
            Assert.True(code == 0, $"npm ci failed:\n{output}");
        }

        return folder;
    }

    public static async Task<(int Code, string Output)> RunAsync(string folder, string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var output = process.StandardOutput.ReadToEndAsync(limit.Token);
        var errors = process.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, await output + await errors);
    }
}

/// <summary>Skipped by name where Node and npm are not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeFactAttribute : FactAttribute
{
    private static readonly bool Installed = Array.TrueForAll(["node", "npm"], program =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program))));

    public NodeFactAttribute() => Skip = Installed ? null : "Node and npm are needed to run the official JavaScript client.";
}
