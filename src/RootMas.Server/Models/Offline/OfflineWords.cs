using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Models.Offline;

/// <summary>Writes the offline model's texts, in Russian or English: first what it is, then what the team found and tools returned, then what would need a real model.</summary>
internal static class OfflineWords
{
    public const string English = "I am the offline model: rules, not a neural network.";
    public const string Russian = "Я офлайн-модель: правила, а не нейросеть.";

    private const string NeedsModelEnglish = "Understanding, judgement and fluent text need a real model: set OPENAI_API_KEY, OPENAI_BASE_URL or OPENROUTER_API_KEY, start Ollama, or describe models in config/models.yaml.";
    private const string NeedsModelRussian = "Понимание, рассуждение и связный текст требуют настоящей модели: задайте OPENAI_API_KEY, OPENAI_BASE_URL или OPENROUTER_API_KEY, запустите Ollama или опишите модели в config/models.yaml.";
    private const string ToolsEnglish = "Here is what tools returned.";
    private const string ToolsRussian = "Вот что вернули инструменты.";
    private const string TeamEnglish = "Here is what the team found.";
    private const string TeamRussian = "Вот что нашла команда.";

    private const int MaxQuote = 1500;

    /// <summary>Of the answer of an agent, which quotes tools of its own or the whole work of a plan.</summary>
    private const int MaxAgentQuote = 10_000;

    /// <summary>Said by every answer, and once is enough.</summary>
    private static readonly string[] OwnWords = [English, Russian, NeedsModelEnglish, NeedsModelRussian, ToolsEnglish, ToolsRussian, TeamEnglish, TeamRussian];

    public static string Answer(OfflineView view)
    {
        var text = new StringBuilder(view.IsRussian ? Russian : English);
        if (view.Results.Count == 0 && view.Findings.Count == 0)
        {
            return text.Append(' ').Append(WithoutTools(view)).ToString();
        }

        var isTeam = view.Findings.Count > 0;
        text.Append(' ').Append(view.IsRussian ? (isTeam ? TeamRussian : ToolsRussian) : isTeam ? TeamEnglish : ToolsEnglish).Append('\n');
        OfflineQuotes.AppendFindings(text, view, MaxAgentQuote);
        if (view.Results.Count == 0)
        {
            text.Append(view.IsRussian ? "\nМне к этому нечего добавить.\n" : "\nI have nothing to add to that.\n");
        }

        foreach (var result in view.Results)
        {
            AppendResult(text, view, result);
        }

        AppendBudget(text, view);
        AppendSources(text, view);
        return text.Append('\n').Append(NeedsModel(view)).ToString();
    }

    public static string Question(OfflineView view) => view.IsRussian ? "Что именно нужно? Опишите одним предложением." : "What exactly do you need? One sentence is enough.";

    public static string AskedFor(OfflineView view) => view.IsRussian ? "Так попросил пользователь." : "The user asked for it.";

    /// <summary>The first sentence of every message so far: a summary that invents nothing.</summary>
    public static string Summary(OfflineView view)
    {
        var text = new StringBuilder();
        foreach (var message in view.Messages.Where(m => m.Text.Length > 0 && m.Role != Microsoft.Extensions.AI.ChatRole.System))
        {
            foreach (var line in message.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Take(12))
            {
                var sentence = WithoutIntroduction(line);
                var end = sentence.IndexOf(". ", StringComparison.Ordinal);
                text.Append("- ").Append(Cut(end > 0 ? sentence[..(end + 1)] : sentence, 300)).Append('\n');
            }
        }

        return text.Length > 0 ? Cut(text.ToString(), 6000) : English;
    }

    public static string WithoutIntroduction(string text) =>
        text.Replace(English, "", StringComparison.Ordinal).Replace(Russian, "", StringComparison.Ordinal).TrimStart();

    /// <summary>Whether this model wrote it.</summary>
    public static bool IsOwn(string text) => text.StartsWith(English, StringComparison.Ordinal) || text.StartsWith(Russian, StringComparison.Ordinal);

    public static string WithoutOwnWords(string text) => OwnWords.Aggregate(text, static (left, words) => left.Replace(words, "", StringComparison.Ordinal));

    public static string Cut(string text, int limit) => text.Length <= limit ? text : string.Concat(text.AsSpan(0, limit - 2), " …");

    private static string WithoutTools(OfflineView view)
    {
        if (view.IsRussian)
        {
            return "Для этого запроса среди моих инструментов ничего нет, а свободный текст я писать не умею. Попробуйте вычисление, время, адрес страницы или задачу для команды. " + NeedsModel(view);
        }

        return "None of the tools I have here fits this request, and I cannot write free text. Try a calculation, the time, the address of a page, or a task for the team. " + NeedsModel(view);
    }

    private static string NeedsModel(OfflineView view) => view.IsRussian ? NeedsModelRussian : NeedsModelEnglish;

    private static void AppendResult(StringBuilder text, OfflineView view, OfflineResult result)
    {
        var asked = Shown(result.Arguments);
        text.Append("\n**").Append(result.Tool).Append(asked.Length > 0 ? $"** `{asked}`\n" : "**\n");
        OfflineQuotes.Append(text, result.Text, result.Tool == BuiltInTools.Delegate ? MaxAgentQuote : MaxQuote, view.IsRussian);
    }

    /// <summary>A split of the budget that the calculator's result vouches for; the shares are told to be what they are.</summary>
    private static void AppendBudget(StringBuilder text, OfflineView view)
    {
        if (OfflineArithmetic.FindBudget(view.Request) is not { } budget || !view.Results.Any(r => r.Tool == "calculator"))
        {
            return;
        }

        text.Append(view.IsRussian
            ? "\nДеление бюджета по обычным долям (правило на глаз, не цены); сумму проверил калькулятор выше:\n"
            : "\nThe budget split by common shares (a rule of thumb, not prices); the calculator above checked the sum:\n");
        foreach (var (english, russian, share) in OfflineArithmetic.Shares)
        {
            text.Append(CultureInfo.InvariantCulture, $"- {(view.IsRussian ? russian : english)}: {budget.Amount * share:0.##} {budget.Currency}\n");
        }
    }

    private static void AppendSources(StringBuilder text, OfflineView view)
    {
        var urls = view.Results.Where(r => r.Tool is "fetch_page" or "web_search" or "knowledge_search").SelectMany(r => OfflineRules.Urls(r.Arguments + " " + r.Text))
            .Distinct(StringComparer.Ordinal).Take(5).ToArray();
        if (urls.Length > 0)
        {
            text.Append(view.IsRussian ? "\nИсточники: " : "\nSources: ").AppendJoin(", ", urls).Append('\n');
        }
    }

    private static string Shown(string arguments)
    {
        try
        {
            var json = JsonElement.Parse(arguments);
            var values = json.EnumerateObject().Select(p => p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString() : p.Value.GetRawText());
            return Cut(string.Join(" · ", values).ReplaceLineEndings(" ").Replace('`', '\''), 200);
        }
        catch (JsonException)
        {
            return Cut(arguments.ReplaceLineEndings(" ").Replace('`', '\''), 200);
        }
    }
}
