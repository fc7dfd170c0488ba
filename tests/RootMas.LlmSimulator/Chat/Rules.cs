using System.Text.RegularExpressions;

namespace RootMas.LlmSimulator;

/// <summary>An answer that was chosen, with what its template may name.</summary>
internal readonly record struct Choice(AnswerPlan Plan, string? Rule, IReadOnlyList<string> Groups);

/// <summary>A script with the counters of its rules. Thread-safe.</summary>
internal sealed class Rules
{
    private readonly List<CompiledRule> _rules;
    private readonly AnswerPlan _default;

    public Rules(SimScript script)
    {
        Script = script;
        _rules = [.. script.Rules.Select((rule, i) => new CompiledRule(rule, i, script.Seed))];
        _default = new AnswerPlan(script.Default);
        NeedsContent = _default.NeedsContent || script.Record == Recording.Full || _rules.Exists(r => r.NeedsContent);
    }

    public SimScript Script { get; }

    /// <summary>False: the head of a request is enough.</summary>
    public bool NeedsContent { get; }

    public Choice Choose(ChatRequest request)
    {
        foreach (var rule in _rules)
        {
            if (rule.TryChoose(request) is { } choice)
            {
                return choice;
            }
        }

        return new Choice(_default, null, []);
    }

    private sealed class CompiledRule
    {
        private readonly SimRule _rule;
        private readonly string _name;
        private readonly Regex? _regex;
        private readonly Random _random;
        private readonly AnswerPlan[] _answers;
        private readonly Lock _lock = new();
        private readonly bool _counts;
        private int _met;
        private int _answered;

        public CompiledRule(SimRule rule, int index, int seed)
        {
            _rule = rule;
            _name = rule.Name ?? $"rule-{index + 1}";
            _regex = rule.Match.LastMessageRegex is { } pattern ? new Regex(pattern, RegexOptions.None, TimeSpan.FromSeconds(1)) : null;
            _random = new Random((seed * 397) + index);
            _answers = [.. (rule.Answers ?? [rule.Answer!]).Select(a => new AnswerPlan(a))];
            _counts = rule.Times is not null || rule.Probability is not null || rule.Match.Call is not null || rule.Match.Every is not null || _answers.Length > 1;
            var headOnly = new SimMatch { Model = rule.Match.Model, Stream = rule.Match.Stream, Agent = rule.Match.Agent, Call = rule.Match.Call, Every = rule.Match.Every };
            NeedsContent = rule.Match != headOnly || _answers.Any(a => a.NeedsContent);
        }

        public bool NeedsContent { get; }

        public Choice? TryChoose(ChatRequest request)
        {
            if (!Meets(request, out var groups))
            {
                return null;
            }

            if (!_counts)
            {
                return new Choice(_answers[0], _name, groups);
            }

            lock (_lock)
            {
                _met++;
                if (_rule.Match.Call is { } call && _met != call
                    || _rule.Match.Every is { } every && _met % every != 0
                    || _rule.Times is { } times && _answered >= times
                    || _rule.Probability is { } probability && _random.NextDouble() >= probability)
                {
                    return null;
                }

                return new Choice(_answers[Math.Min(_answered++, _answers.Length - 1)], _name, groups);
            }
        }

        private bool Meets(ChatRequest request, out IReadOnlyList<string> groups)
        {
            groups = [];
            var match = _rule.Match;
            if (!MeetsHead(match, request) || !MeetsTexts(match, request) || !MeetsTools(match, request))
            {
                return false;
            }

            if (_regex is not null)
            {
                var found = _regex.Match(request.LastMessage);
                groups = [.. found.Groups.Values.Select(g => g.Value)];
                return found.Success;
            }

            return true;
        }

        private static bool MeetsHead(SimMatch match, ChatRequest request) =>
            (match.Agent is null || match.Agent == request.Agent)
            && (match.Model is null || match.Model == request.Model)
            && (match.Stream is null || match.Stream == request.Stream)
            && (match.Structured is null || match.Structured == request.Structured);

        private static bool MeetsTexts(SimMatch match, ChatRequest request) =>
            (match.LastRole is null || match.LastRole == request.LastRole)
            && Contains(request.System, match.SystemContains)
            && Contains(request.LastMessage, match.LastMessage)
            && Contains(request.LastUser, match.LastUser);

        private static bool MeetsTools(SimMatch match, ChatRequest request) =>
            (match.ToolResult is null || request.ToolResults.Exists(r => Contains(r, match.ToolResult)))
            && (match.ToolCalled is null || request.ToolsCalled.Contains(match.ToolCalled))
            && (match.ToolOffered is null || request.ToolsOffered.Contains(match.ToolOffered))
            && (match.Tools is null || match.Tools == request.ToolsOffered.Count > 0);

        private static bool Contains(string text, string? part) => part is null || text.Contains(part, StringComparison.Ordinal);
    }
}
