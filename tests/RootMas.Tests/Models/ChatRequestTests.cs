using System.Buffers;
using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Models;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Models.Pipeline;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

/// <summary>What is not sent, because a provider would refuse the request for it, and what is sent, because it would refuse the request without it.</summary>
public sealed class ChatRequestTests
{
    private static readonly ChatOptions Sampled = new() { Temperature = 0, TopP = 0.5f, FrequencyPenalty = 1, PresencePenalty = 1, StopSequences = ["END"], MaxOutputTokens = 10 };

    [Fact]
    public void A_reasoning_model_at_OpenAI_gets_no_sampling_and_others_do()
    {
        string[] sampling = ["temperature", "top_p", "frequency_penalty", "presence_penalty", "stop"];
        var fixedOnes = new ModelProvider { Name = "openai", ReasoningSampling = false };
        var thinks = Written(fixedOnes, ModelCapabilities.Reasoning | ModelCapabilities.Tools);
        Assert.All(sampling, name => Assert.False(thinks.TryGetProperty(name, out _), name));
        Assert.Equal(10, thinks.GetProperty("max_tokens").GetInt32());
        var plain = Written(fixedOnes, ModelCapabilities.Tools);
        Assert.All(sampling, name => Assert.True(plain.TryGetProperty(name, out _), name));
        var elsewhere = Written(new ModelProvider { Name = "vllm" }, ModelCapabilities.Reasoning);
        Assert.All(sampling, name => Assert.True(elsewhere.TryGetProperty(name, out _), name));
    }

    [Fact]
    public void What_a_model_thought_goes_back_with_its_calls_where_the_provider_wants_it()
    {
        var calls = new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c1", "calculator", new Dictionary<string, object?> { ["expression"] = "1+1" })]);
        ModelReasoning.Set(calls, "I had better compute that.");
        var said = new ChatMessage(ChatRole.Assistant, "Two.");
        ModelReasoning.Set(said, "That was easy.");
        var others = new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c2", "calculator", new Dictionary<string, object?>())]);
        var sent = Written(new ModelProvider { Name = "deepseek", ReturnReasoning = true }, ModelCapabilities.Reasoning, calls, said, others).GetProperty("messages");
        Assert.Equal("I had better compute that.", sent[0].GetProperty("reasoning_content").GetString());
        Assert.False(sent[1].TryGetProperty("reasoning_content", out _));
        Assert.Equal(" ", sent[2].GetProperty("reasoning_content").GetString()); // of a model that does not show what it thinks
        Assert.False(Written(new ModelProvider { Name = "other" }, ModelCapabilities.Reasoning, calls).GetProperty("messages")[0].TryGetProperty("reasoning_content", out _));
    }

    [Fact]
    public void What_goes_back_is_counted_and_what_does_not_is_not()
    {
        var calls = new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c1", "calculator", new Dictionary<string, object?> { ["expression"] = "1+1" })]);
        var without = TokenEstimate.Of([calls], null, new ModelProvider { Name = "deepseek", ReturnReasoning = true });
        ModelReasoning.Set(calls, new string('x', 4_000));
        Assert.Equal(without, TokenEstimate.Of([calls], null, new ModelProvider { Name = "other" }));
        Assert.Equal(without + 1_000, TokenEstimate.Of([calls], null, new ModelProvider { Name = "deepseek", ReturnReasoning = true }));
    }

    [Fact]
    public async Task The_second_request_of_a_step_with_tools_brings_back_what_the_model_thought_before_the_first()
    {
        await using var sim = await LlmSimulator.Simulator.StartAsync("""
            rules:
              - match: { last_role: tool }
                answer: { text: "It is 2." }
            default:
              reasoning: "I had better compute that."
              tool_calls: [ { name: calculator, arguments: { expression: "1+1" } } ]
            """);
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Environment["OWN_KEY"] = "k";
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { own: { base_url: {{sim.OpenAiUrl}}, api_key_env: OWN_KEY, return_reasoning: true } }
                models: { m: { provider: own, free: true, capabilities: [tools, json_schema, reasoning] } }
                tiers: { cheap: [m], standard: [m], premium: [m] }
                """;
        });
        var answer = await app.PostJsonAsync("/api/v1/chat", new { message = "What is 1+1?", agent = "multi_tool" });
        Assert.Equal("It is 2.", answer.GetProperty("response").GetString());
        var messages = JsonElement.Parse(sim.Calls[^1].Body!).GetProperty("messages").EnumerateArray();
        Assert.Equal("I had better compute that.", messages.Single(static m => m.TryGetProperty("tool_calls", out _)).GetProperty("reasoning_content").GetString());
    }

    [Theory]
    [InlineData(true, false, null)]
    [InlineData(true, true, "depends_on")]
    [InlineData(false, false, "JSON object")]
    public void What_response_format_does_not_say_is_said_in_the_words_of_the_first_message(bool hasSchema, bool takesNone, string? words)
    {
        var schema = JsonElement.Parse("""{"type":"object","properties":{"depends_on":{"type":"string"}}}""");
        var output = new ArrayBufferWriter<byte>();
        var model = new ModelSpec { Name = "m", Id = "m", Provider = new() { Name = "p" }, Capabilities = takesNone ? ModelCapabilities.Tools : ModelCapabilities.JsonSchema };
        ChatRequestWriter.Write(output, model, [new(ChatRole.System, "You are a clerk."), new(ChatRole.User, "hi")], new ChatOptions { ResponseFormat = hasSchema ? ChatResponseFormat.ForJsonSchema(schema, "plan") : ChatResponseFormat.Json });
        var written = JsonElement.Parse(output.WrittenSpan);
        Assert.Equal(hasSchema && !takesNone ? "json_schema" : "json_object", written.GetProperty("response_format").GetProperty("type").GetString());
        var messages = written.GetProperty("messages").EnumerateArray().ToList();
        Assert.Equal(["system", "user"], messages.Select(static m => m.GetProperty("role").GetString()));
        var system = messages[0].GetProperty("content").GetString()!;
        Assert.StartsWith("You are a clerk.", system, StringComparison.Ordinal);
        Assert.Equal(words is null, system == "You are a clerk.");
        Assert.Contains(words ?? "", system, StringComparison.Ordinal);
    }

    private static JsonElement Written(ModelProvider provider, ModelCapabilities capabilities, params ChatMessage[] messages)
    {
        var output = new ArrayBufferWriter<byte>();
        ChatRequestWriter.Write(output, new ModelSpec { Name = "m", Id = "m", Provider = provider, Capabilities = capabilities }, messages, Sampled);
        return JsonElement.Parse(output.WrittenSpan);
    }
}
