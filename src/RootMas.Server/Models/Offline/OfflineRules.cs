using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace RootMas.Server.Models.Offline;

/// <param name="Tool">To be called.</param>
internal sealed record OfflineCall(string Tool, JsonObject Arguments);

/// <summary>Decides which tools a request needs, by looking for words and shapes. Each rule only ever names tools that are offered.</summary>
internal static partial class OfflineRules
{
    private const int MaxUrls = 3;

    private static readonly string[] Reports = ["usage_report", "model_stats", "task_status", "plan_read"];

    /// <summary>Empty: enough is known, or nothing can be done; the answer is to be written.</summary>
    public static IReadOnlyList<OfflineCall> Decide(OfflineView view) =>
        view.Results.Count > 0 ? FollowUp(view)
        : OfflineMemory.Change(view) is { } change ? [change]
        : Outward(view) is { Count: > 0 } outward ? outward
        : OfflineKnowledge.Search(view) is { } search ? [search]
        : OfflineMemory.Look(view) is { } look ? [look]
        : [.. Calculations(view), .. Time(view), .. Team(view), .. OwnTools(view)];

    public static IReadOnlyList<string> Urls(string text) => [.. Url().Matches(text).Select(m => m.Value.TrimEnd('.', ',', ';', ')', '"', '\'')).Distinct(StringComparer.Ordinal).Take(MaxUrls)];

    /// <summary>A search is followed by reading what it found; everything else is answered.</summary>
    private static IReadOnlyList<OfflineCall> FollowUp(OfflineView view)
    {
        var alreadyRead = view.Results.Any(r => r.Tool is not ("web_search" or "knowledge_search"));
        return alreadyRead || !view.Has("fetch_page")
            ? []
            : [.. view.Results.Where(r => r.Tool == "web_search").SelectMany(r => Urls(r.Text)).Distinct(StringComparer.Ordinal).Take(2).Select(u => Call("fetch_page", ("url", u)))];
    }

    /// <summary>Requests and pages that the user names.</summary>
    private static IReadOnlyList<OfflineCall> Outward(OfflineView view)
    {
        var verb = HttpVerb().Match(view.Request);
        if (verb.Success)
        {
            return view.Has("http_request") ? [HttpCall(view.Request, verb)]
                : view.MayReach("delegate", "multi_tool") ? [Call("delegate", ("agent", "multi_tool"), ("task", view.Request))]
                : [];
        }

        var urls = Urls(view.Request);
        return urls.Count == 0 ? []
            : view.Has("fetch_page") ? [.. urls.Select(u => Call("fetch_page", ("url", u)))]
            : view.MayReach("delegate", "researcher") ? [Call("delegate", ("agent", "researcher"), ("task", view.Request))]
            : [];
    }

    private static OfflineCall HttpCall(string request, Match verb)
    {
        var call = Call("http_request", ("method", verb.Groups["verb"].Value.ToUpperInvariant()), ("url", verb.Groups["url"].Value.TrimEnd('.', ',', ';', ')')));
        var brace = request.IndexOf('{', StringComparison.Ordinal);
        var end = request.LastIndexOf('}');
        if (brace > 0 && end > brace && IsObject(request[brace..(end + 1)]) is { } body)
        {
            call.Arguments["json"] = body;
        }

        return call;
    }

    private static JsonNode? IsObject(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IEnumerable<OfflineCall> Calculations(OfflineView view) =>
        view.Has("calculator") ? OfflineArithmetic.Expressions(view.Request).Select(e => Call("calculator", ("expression", e))) : [];

    private static IEnumerable<OfflineCall> Time(OfflineView view)
    {
        if (!view.Has("current_time") || !AsksTime().IsMatch(view.Request))
        {
            return [];
        }

        var zone = Zone().Match(view.Request);
        return [zone.Success ? Call("current_time", ("zone", zone.Groups["zone"].Value.Trim())) : Call("current_time")];
    }

    /// <summary>Other agents, and the user.</summary>
    private static IEnumerable<OfflineCall> Team(OfflineView view)
    {
        if (AsksBack().IsMatch(view.Request) && view.Has("ask_user"))
        {
            yield return Call("ask_user", ("question", OfflineWords.Question(view)));
            yield break;
        }

        if (NamedAgent(view, "handoff", HandOver()) is { } next)
        {
            yield return Call("handoff", ("agent", next), ("reason", OfflineWords.AskedFor(view)));
            yield break;
        }

        if (Specialist(view) is { } agent)
        {
            yield return Call("delegate", ("agent", agent), ("task", view.Request));
        }
    }

    private static string? Specialist(OfflineView view)
    {
        if (!view.Has("delegate"))
        {
            return null;
        }

        if (NamedAgent(view, "delegate", Ask()) is { } named)
        {
            return named;
        }

        (Regex Pattern, string Agent)[] rules =
        [
            (OfflineKnowledge.AboutDocuments(), "researcher"), (Planning(), "meta"), (Spending(), "budget_manager"), (AboutModels(), "model_selector"), (Workflow(), "workflow_builder"),
            (WebApp(), "webapp_builder"), (NewAgent(), "agent_builder"), (Prompt(), "prompt_builder"), (Checking(), "fact_checker"), (Research(), "researcher"),
        ];
        var found = rules.FirstOrDefault(r => r.Pattern.IsMatch(view.Request) && view.MayReach("delegate", r.Agent)).Agent;
        return found == "researcher" && OfflineArithmetic.Expressions(view.Request).Count > 0 && view.Has("calculator") ? null : found;
    }

    private static string? NamedAgent(OfflineView view, string tool, Regex pattern)
    {
        var match = pattern.Match(view.Request);
        return match.Success && match.Groups["agent"].Value.ToLowerInvariant() is var name && view.MayReach(tool, name) ? name : null;
    }

    /// <summary>Tools that a specialist has for just this.</summary>
    private static IEnumerable<OfflineCall> OwnTools(OfflineView view)
    {
        var query = view.Request.ReplaceLineEndings(" ");
        foreach (var search in (string[])["knowledge_search", "web_search"])
        {
            if (view.Has(search) && query.Length > 0 && (search == "web_search" || view.Has("web_search")))
            {
                yield return Call(search, ("query", query.Length > 200 ? query[..200] : query));
            }
        }

        foreach (var report in Reports.Where(view.Has))
        {
            yield return Call(report);
        }
    }

    private static OfflineCall Call(string tool, params (string Name, string Value)[] arguments)
    {
        var json = new JsonObject();
        foreach (var (name, value) in arguments)
        {
            json[name] = value;
        }

        return new OfflineCall(tool, json);
    }

    [GeneratedRegex(@"https?://[^\s<>""«»]+", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Url();

    [GeneratedRegex(@"\b(?<verb>POST|PUT|PATCH|DELETE|HEAD)\b[^\n]{0,200}?(?<url>https?://[^\s<>""«»]+)", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex HttpVerb();

    [GeneratedRegex(@"\b(what time|current time|time is it|today'?s date|what date|what day)\b|который час|сколько (сейчас )?времени|какое сегодня|какая сегодня дата|текущее время", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex AsksTime();

    [GeneratedRegex(@"(?:\bin\s+)(?<zone>(?:[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+)|(?:[A-Z][a-z]+(?: [A-Z][a-z]+)?))", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Zone();

    [GeneratedRegex(@"\bask me\b|спроси меня|уточни у меня", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex AsksBack();

    [GeneratedRegex(@"(?:hand (?:me |this |it )?(?:over|off) to|let me talk to|передай(?: разговор)?)\s+(?<agent>[a-z_]+)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex HandOver();

    [GeneratedRegex(@"(?:\bask|\bdelegate (?:this |it )?to|спроси|поручи)\s+(?:the\s+)?(?<agent>[a-z_]+)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Ask();

    [GeneratedRegex(@"\bplan\b|\bplanning\b|\btrip\b|\bstrategy\b|\broadmap\b|step by step|\bcompare\b|\bproject\b|спланируй|составь план|\bплан\b|поездк|путешеств|сравни|стратеги|пошагов", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Planning();

    [GeneratedRegex(@"(how much|what) (did|have|has) .*(spent|cost)|\bmy (spend|costs|usage)\b|usage report|сколько (я )?потра|расход|отч[её]т о расход", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Spending();

    [GeneratedRegex(@"\bwhich (model|tier)\b|model stats|какая модель|какой уровень моделей|статистик\w* модел", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex AboutModels();

    [GeneratedRegex(@"\bworkflow\b|\bn8n\b|автоматизац", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    internal static partial Regex Workflow();

    [GeneratedRegex(@"\bweb ?app\b|\bweb ?site\b|веб-?приложен|\bсайт\b", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    internal static partial Regex WebApp();

    [GeneratedRegex(@"\bnew agent\b|нового агента", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    internal static partial Regex NewAgent();

    [GeneratedRegex(@"\b(improve|write) .*prompt\b|промпт", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    internal static partial Regex Prompt();

    [GeneratedRegex(@"fact.?check|is it true|verify (that|the claim)|правда ли|проверь факт", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Checking();

    [GeneratedRegex(@"\b(who|what|when|where|why|how|which)\b.*\?|\b(find|research|look up|search)\b|(кто|что|когда|где|почему|как|какой|какая|сколько)\b.*\?|найди|узнай|поищи", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Research();
}
