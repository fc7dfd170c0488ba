using System.Text.RegularExpressions;

namespace RootMas.LlmSimulator;

/// <summary>What can be read and still is no script: entries with nothing in them, and numbers that no answer can be sent with. Each message names the place.</summary>
internal static class ScriptCheck
{
    /// <exception cref="ScriptException">It cannot be used.</exception>
    public static SimScript Check(SimScript script)
    {
        _ = Entries("models", script.Models);
        _ = Entries("keys", script.Keys);
        AtLeast(1, "embedding_dimensions", script.EmbeddingDimensions);
        foreach (var (place, rule) in Entries("rules", script.Rules))
        {
            CheckRule(place, rule);
        }

        CheckAnswer("default", script.Default);
        if (script.Embeddings is { } embeddings)
        {
            CheckAnswer("embeddings", embeddings);
        }

        foreach (var (place, tool) in Entries("tools", script.Tools))
        {
            CheckTool(place, tool);
        }

        CheckWeb(script);
        return script;
    }

    private static void CheckRule(string place, SimRule rule)
    {
        if (rule.Answer is null == rule.Answers is not { Count: > 0 })
        {
            throw new ScriptException($"{place}: exactly one of 'answer' and 'answers' is needed");
        }

        if (rule.Match is { Call: < 1 } or { Every: < 1 } || rule.Times < 1)
        {
            throw new ScriptException($"{place}: 'call', 'every' and 'times' count from 1");
        }

        if (rule.Match.LastMessageRegex is { } pattern && ProblemOf(pattern) is { } problem)
        {
            throw new ScriptException($"{place}: last_message_regex: {problem}");
        }

        if (rule.Answer is { } only)
        {
            CheckAnswer($"{place}.answer", only);
        }

        foreach (var (at, answer) in Entries($"{place}.answers", rule.Answers ?? []))
        {
            CheckAnswer(at, answer);
        }
    }

    private static void CheckAnswer(string place, SimAnswer answer)
    {
        _ = Entries($"{place}.tool_calls", answer.ToolCalls ?? []);
        AtLeast(0, $"{place}.header_delay_ms", answer.HeaderDelayMs);
        AtLeast(0, $"{place}.first_token_ms", answer.FirstTokenMs);
        CheckRate($"{place}.tokens_per_second", answer.TokensPerSecond);
        if (answer.Fault is { } fault)
        {
            CheckStatus($"{place}.fault.status", fault.Status);
            CheckRate($"{place}.fault.bytes_per_second", fault.BytesPerSecond);
            AtLeast(0, $"{place}.fault.after_bytes", fault.AfterBytes);
            AtLeast(0, $"{place}.fault.bytes", fault.Bytes);
        }
    }

    private static void CheckTool(string place, ToolScript tool)
    {
        if (tool.Cut is not (null or "before" or "after"))
        {
            throw new ScriptException($"{place}.cut: 'before' or 'after'");
        }

        AtLeast(0, $"{place}.delay_before_ms", tool.DelayBeforeMs);
        AtLeast(0, $"{place}.delay_after_ms", tool.DelayAfterMs);
        CheckStatus($"{place}.status", tool.Status);
    }

    private static void CheckWeb(SimScript script)
    {
        foreach (var (place, search) in Entries("search", script.Search))
        {
            _ = Entries($"{place}.results", search.Results);
            AtLeast(0, $"{place}.delay_ms", search.DelayMs);
            CheckStatus($"{place}.status", search.Status);
        }

        foreach (var (place, page) in Entries("pages", script.Pages))
        {
            _ = Entries($"{place}.headers", page.Headers);
            AtLeast(0, $"{place}.delay_ms", page.DelayMs);
            CheckStatus($"{place}.status", page.Status);
            CheckRate($"{place}.bytes_per_second", page.BytesPerSecond);
        }
    }

    private static void AtLeast(int least, string place, double number)
    {
        if (number < least)
        {
            throw new ScriptException($"{place}: at least {least}");
        }
    }

    private static void CheckRate(string place, double? perSecond)
    {
        if (perSecond <= 0)
        {
            throw new ScriptException($"{place}: more than 0");
        }
    }

    private static void CheckStatus(string place, int status)
    {
        if (status is < 100 or > 599)
        {
            throw new ScriptException($"{place}: from 100 to 599");
        }
    }

    /// <summary>The reader refuses a member that is empty and must not be, but no entry of a list or map.</summary>
    private static List<(string Place, T Entry)> Entries<T>(string place, IReadOnlyList<T> list)
        where T : class => [.. list.Select((entry, i) => Given($"{place}[{i}]", entry))];

    private static List<(string Place, T Entry)> Entries<T>(string place, IReadOnlyDictionary<string, T> map)
        where T : class => [.. map.Select(pair => Given($"{place}.{pair.Key}", pair.Value))];

    private static (string Place, T Entry) Given<T>(string place, T? entry)
        where T : class => (place, entry ?? throw new ScriptException($"{place}: nothing is given here"));

    private static string? ProblemOf(string pattern)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.None, TimeSpan.FromSeconds(1));
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }
}
