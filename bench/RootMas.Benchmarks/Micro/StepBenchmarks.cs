using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Runs;
using RunView = RootMas.Runtime.Teams.RunView;

namespace RootMas.Benchmarks.Micro;

/// <summary>Pieces that every step of a run passes, and a whole run without HTTP and database.</summary>
[MemoryDiagnoser]
public class StepBenchmarks
{
    private static readonly TeamSnapshot Team = new()
    {
        Team = new Team { Name = "solo", Pattern = PatternKind.Direct, Entry = "solo" },
        Agents = new Dictionary<string, Agent>(StringComparer.Ordinal) { ["solo"] = new() { Name = "solo", Instructions = "Answer shortly.", Tools = ["add"] } },
        Tools = new Dictionary<string, ToolDefinition>(StringComparer.Ordinal) { ["add"] = AddTool.Description },
    };

    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));
    private InMemoryEngine _instant = null!;
    private InMemoryEngine _tool = null!;
    private List<RunEvent> _log = [];
    private List<byte[]> _stored = [];
    private RunEvent _event = null!;
    private RunView _view = null!;
    private CompiledAgent _agent = null!;
    private List<ChatMessage> _messages = [];
    private StreamItem _item;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _instant = new InMemoryEngine(new InstantModel(0));
        _tool = new InMemoryEngine(new InstantModel(1), [new AddTool()]);
        await foreach (var update in new InMemoryEngine(new InstantModel(25), [new AddTool()]).RunAsync(Team, "add"))
        {
            if (update.Event is { } e)
            {
                _log.Add(e);
            }
        }

        _stored = [.. _log.Select(RunJson.Serialize)];
        _event = _log.OfType<ModelCompleted>().First();
        _view = new RunView(RunState.Fold(_log), Team, "solo", IsChild: false);
        _agent = CompiledAgent.Get(Team, "solo", mayDelegate: false, mayHandOff: false);
        _messages = PromptBuilder.Flatten(PromptBuilder.Build(_view, _agent, new CallModel("solo", 1), [], new RunRequestOptions()));
        _item = new StreamItem("12:7", "message.delta", RunJson.Serialize(new MessageDelta("m", "word ") { RunId = Guid.CreateVersion7().ToString(), Seq = 12, N = 7, Agent = "solo", CreatedAt = DateTimeOffset.UnixEpoch }), IsFinal: false);
    }

    /// <summary>A log of 26 model calls and 25 tool calls.</summary>
    [Benchmark]
    public RunState Fold() => RunState.Fold(_log);

    [Benchmark]
    public RunState ReadAndFold() => RunState.Fold(_stored.Select(json => RunJson.DeserializeEvent(json)));

    [Benchmark]
    public byte[] WriteEvent() => RunJson.Serialize(_event);

    /// <summary>Of the same run: 52 messages.</summary>
    [Benchmark]
    public int BuildPrompt() => PromptBuilder.Flatten(PromptBuilder.Build(_view, _agent, new CallModel("solo", 1), [], new RunRequestOptions())).Count;

    [Benchmark]
    public string HashPrompt() => PromptBuilder.Hash("v1", _messages);

    [Benchmark]
    public async Task<int> WriteServerSentEventAsync()
    {
        var size = SseWriter.WriteFrame(_pipe.Writer, _item);
        await _pipe.Writer.FlushAsync();
        var read = await _pipe.Reader.ReadAsync();
        _pipe.Reader.AdvanceTo(read.Buffer.End);
        return size;
    }

    /// <summary>A whole run of one model call, without HTTP and database.</summary>
    [Benchmark]
    public Task<int> RunOfOneCallAsync() => RunAsync(_instant);

    [Benchmark]
    public Task<int> RunWithOneToolAsync() => RunAsync(_tool);

    private static async Task<int> RunAsync(InMemoryEngine engine)
    {
        var count = 0;
        await foreach (var update in engine.RunAsync(Team, "hello"))
        {
            count++;
        }

        return count;
    }

    /// <summary>Answers at once: first <paramref name="tools"/> tool calls, one after the other, then a text.</summary>
    private sealed class InstantModel(int tools) : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException("the engine streams");

        public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.CompletedTask;
            var done = messages.Count(m => m.Role == ChatRole.Tool);
            AIContent content = done < tools
                ? new FunctionCallContent($"c{done}", "add", new Dictionary<string, object?>(StringComparer.Ordinal) { ["a"] = done, ["b"] = 2 })
                : new TextContent("Simulated answer.");
            yield return new ChatResponseUpdate(ChatRole.Assistant, [content, new UsageContent(new UsageDetails { InputTokenCount = 10, OutputTokenCount = 2 })])
            {
                FinishReason = done < tools ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop,
            };
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }

    private sealed class AddTool : Tool
    {
        public static readonly ToolDefinition Description = new("add", "Adds.", """{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]}""", "1");

        public override ToolDefinition Definition => Description;

        public override ToolEffect Effect => ToolEffect.Read;

        public override ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken) =>
            new(new ToolResult($"{arguments.GetProperty("a").GetDouble() + arguments.GetProperty("b").GetDouble()}"));
    }
}
