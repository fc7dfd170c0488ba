using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RootMas.LlmSimulator;

namespace RootMas.Tests.Simulation;

/// <summary>An answer of the simulator, read without any client library.</summary>
internal sealed record SimulatorAnswer(string Text, string Reasoning, IReadOnlyList<(string Id, string Name, string Arguments)> ToolCalls, int Input, int Cached, int Output)
{
    public static async Task<SimulatorAnswer> AskAsync(Simulator sim, object request)
    {
        using var http = new HttpClient();
        using var response = await http.PostAsJsonAsync(sim.OpenAiUrl + "/chat/completions", request);
        response.EnsureSuccessStatusCode();
        var body = await response.Content.ReadAsStringAsync();
        var reader = new Reader();
        if (response.Content.Headers.ContentType!.MediaType != "text/event-stream")
        {
            reader.Read(JsonDocument.Parse(body).RootElement, "message");
            return reader.ToAnswer();
        }

        Assert.EndsWith("data: [DONE]\n\n", body);
        foreach (var line in body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).SkipLast(1))
        {
            Assert.StartsWith("data: ", line);
            reader.Read(JsonDocument.Parse(line[6..]).RootElement, "delta");
        }

        return reader.ToAnswer();
    }

    private sealed class Reader
    {
        private readonly StringBuilder _text = new();
        private readonly StringBuilder _reasoning = new();
        private readonly List<(string Id, string Name, string Arguments)> _calls = [];
        private (int Input, int Cached, int Output) _usage;

        public SimulatorAnswer ToAnswer() => new(_text.ToString(), _reasoning.ToString(), _calls, _usage.Input, _usage.Cached, _usage.Output);

        public void Read(JsonElement root, string part)
        {
            if (root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
            {
                _usage = (
                    usage.GetProperty("prompt_tokens").GetInt32(),
                    usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32(),
                    usage.GetProperty("completion_tokens").GetInt32());
                Assert.Equal(_usage.Input + _usage.Output, usage.GetProperty("total_tokens").GetInt32());
            }

            foreach (var choice in root.GetProperty("choices").EnumerateArray())
            {
                var message = choice.GetProperty(part);
                _text.Append(Text(message, "content"));
                _reasoning.Append(Text(message, "reasoning_content"));
                if (message.TryGetProperty("tool_calls", out var calls))
                {
                    ReadCalls(calls);
                }
            }
        }

        private void ReadCalls(JsonElement calls)
        {
            foreach (var call in calls.EnumerateArray())
            {
                var function = call.GetProperty("function");
                if (call.TryGetProperty("id", out var id))
                {
                    _calls.Add((id.GetString()!, function.GetProperty("name").GetString()!, Text(function, "arguments") ?? ""));
                }
                else
                {
                    var index = call.GetProperty("index").GetInt32();
                    _calls[index] = _calls[index] with { Arguments = _calls[index].Arguments + Text(function, "arguments") };
                }
            }
        }

        private static string? Text(JsonElement parent, string name) =>
            parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }
}
