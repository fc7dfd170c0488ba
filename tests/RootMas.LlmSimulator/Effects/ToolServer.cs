using System.Collections.Concurrent;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <param name="Requests">Requests that arrived.</param>
/// <param name="Effects">Effects that happened.</param>
/// <param name="Keys">Per <c>Idempotency-Key</c> (empty: none): requests and effects.</param>
/// <param name="Bodies">Request bodies, in order of arrival.</param>
public sealed record ToolCount(int Requests, int Effects, IReadOnlyDictionary<string, KeyCount> Keys, IReadOnlyList<string> Bodies);

public readonly record struct KeyCount(int Requests, int Effects);

/// <summary>Counts what tools did. An effect is the increment of a number.</summary>
internal sealed class ToolCounts
{
    private readonly ConcurrentDictionary<string, Counter> _tools = new(StringComparer.Ordinal);

    public Counter For(string tool) => _tools.GetOrAdd(tool, _ => new Counter());

    public IReadOnlyDictionary<string, ToolCount> Counts() => _tools.ToDictionary(p => p.Key, p => p.Value.Read(), StringComparer.Ordinal);

    public void Reset() => _tools.Clear();

    internal sealed class Counter
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, KeyCount> _keys = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> _answers = new(StringComparer.Ordinal);
        private readonly List<string> _bodies = [];
        private int _requests;
        private int _effects;

        /// <summary>The request's number, from 1.</summary>
        public int Arrive(string key, string body)
        {
            lock (_lock)
            {
                _bodies.Add(body);
                var count = _keys.GetValueOrDefault(key);
                _keys[key] = count with { Requests = count.Requests + 1 };
                return ++_requests;
            }
        }

        /// <summary>Does the effect unless the key had it; the answer is the first one's.</summary>
        public string Act(string key, bool honoursKey, Func<int, string> answer)
        {
            lock (_lock)
            {
                if (honoursKey && key.Length > 0 && _answers.TryGetValue(key, out var earlier))
                {
                    return earlier;
                }

                var count = _keys.GetValueOrDefault(key);
                _keys[key] = count with { Effects = count.Effects + 1 };
                return _answers[key] = answer(++_effects);
            }
        }

        public ToolCount Read()
        {
            lock (_lock)
            {
                return new ToolCount(_requests, _effects, new Dictionary<string, KeyCount>(_keys), [.. _bodies]);
            }
        }
    }
}

/// <summary><c>/_tool/{name}</c>: what http_request and other tools call in tests.</summary>
internal static class ToolServer
{
    public static void Map(WebApplication app, SimulatorState state)
    {
        app.MapGet("/_tool/_counts", http => http.Response.WriteAsJsonAsync(state.Tools.Counts(), ScriptReader.Json));
        app.Map("/_tool/{name}", http => HandleAsync(http, state, (string)http.Request.RouteValues["name"]!));
    }

    private static async Task HandleAsync(HttpContext http, SimulatorState state, string name)
    {
        var tool = state.Rules.Script.Tools.GetValueOrDefault(name) ?? new ToolScript();
        var key = http.Request.Headers["Idempotency-Key"].ToString();
        using var reader = new StreamReader(http.Request.Body);
        var body = await reader.ReadToEndAsync(http.RequestAborted);
        var counter = state.Tools.For(name);
        var number = counter.Arrive(key, body);
        var disturbed = number <= (tool.Times ?? int.MaxValue);
        var hold = state.Holds.Take(null, null, name);
        try
        {
            await StopAsync(hold, HoldPoint.Before, http);
            await AnswerSender.DelayAsync(tool.DelayBeforeMs, http.RequestAborted);
            if (disturbed && tool.Cut == "before")
            {
                http.Abort();
                return;
            }

            if (disturbed && tool.Status >= 400)
            {
                await Errors.SendAsync(http, tool.Status, "tool_error", $"Simulated {tool.Status} of tool {name}.", tool.RetryAfter);
                return;
            }

            var answer = counter.Act(key, tool.HonoursKey, effect => tool.Result ?? JsonSerializer.Serialize(new { tool = name, effect }));
            await StopAsync(hold, HoldPoint.After, http);
            await AnswerSender.DelayAsync(tool.DelayAfterMs, http.RequestAborted);
            if (disturbed && tool.Cut == "after")
            {
                http.Abort();
                return;
            }

            http.Response.StatusCode = tool.Status >= 400 ? 200 : tool.Status;
            http.Response.ContentType = tool.ContentType;
            await http.Response.WriteAsync(answer, http.RequestAborted);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; what was counted stays counted.
            http.Abort();
        }
    }

    private static Task StopAsync(SimHold? hold, HoldPoint point, HttpContext http) =>
        hold is not null && hold.Spec.At == point ? hold.StopAsync(http.RequestAborted) : Task.CompletedTask;
}
