using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace RootMas.Server.Models.Offline;

/// <summary>The offline model's part in memory: it sees when somebody asks to remember, to forget, or what is known, and takes facts from what they said by its form.</summary>
internal static partial class OfflineMemory
{
    private const int AskedFor = 95;
    private const int Stated = 80;

    /// <summary>What is to be remembered or forgotten; null: the request asks for neither.</summary>
    public static OfflineCall? Change(OfflineView view)
    {
        if (view.Has("forget") && Forget().Match(view.Request) is { Success: true } forget)
        {
            var about = forget.Groups["what"].Value.Trim().TrimEnd('.', '!', '?');
            return Everything().IsMatch(about) ? Call("forget", "all", JsonValue.Create(true)) : Call("forget", "about", JsonValue.Create(OfflineWords.Cut(about, 500)));
        }

        return view.Has("remember") && StatedFacts.WhatToRemember(view.Request) is { } fact ? Call("remember", "text", JsonValue.Create(OfflineWords.Cut(fact, 1000))) : null;
    }

    /// <summary>What is asked about the user; null: it is about something else.</summary>
    public static OfflineCall? Look(OfflineView view) =>
        !view.Has("recall") || Query(view.Request) is not { } query ? null
        : query.Length == 0 ? new OfflineCall("recall", [])
        : Call("recall", "query", JsonValue.Create(OfflineWords.Cut(query, 500)));

    /// <summary>The answer to a reading of exchanges: what the user says about themselves, each with the words that say it.</summary>
    public static JsonObject Extract(OfflineView view)
    {
        var facts = new JsonArray();
        foreach (Match said in Said().Matches(view.Request))
        {
            var text = said.Groups["text"].Value.Trim();
            foreach (var fact in StatedFacts.Find(text).Take(20 - facts.Count))
            {
                facts.Add((JsonNode)Found(fact, int.Parse(said.Groups["n"].Value, CultureInfo.InvariantCulture), StatedFacts.WhatToRemember(text) is null ? Stated : AskedFor));
            }
        }

        return new JsonObject { ["facts"] = facts };
    }

    /// <summary>What is asked about the user; empty: everything; null: it is no such question.</summary>
    private static string? Query(string request) =>
        AboutMe().IsMatch(request) ? ""
        : Remembered().Match(request) is { Success: true } asked ? asked.Groups["what"].Value.Trim().TrimEnd('?', '.')
        : Own().IsMatch(request) ? request.TrimEnd('?', '.')
        : null;

    private static JsonObject Found(StatedFact fact, int said, int confidence) => new()
    {
        ["text"] = fact.Text,
        ["attribute"] = fact.Attribute ?? "",
        ["said"] = said,
        ["evidence"] = fact.Text,
        ["confidence"] = confidence,
        ["sensitive"] = false,
        ["valid_until"] = "",
        ["replaces"] = new JsonArray(),
        ["relations"] = new JsonArray(),
    };

    private static OfflineCall Call(string tool, string name, JsonNode value) => new(tool, new JsonObject { [name] = value });

    [GeneratedRegex(@"<said n=""(?<n>\d{1,3})""[^>]*>\n(?<text>.*?)\n</said>", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Said();

    [GeneratedRegex(@"^(?:please[, ]+)?forget(?: that| about|[,:])?\s+(?<what>\S.+)$|^(?:пожалуйста[, ]+)?(?:забудь|забудьте)(?:[,:]?\s+(?:что|про|о|об|обо))?[,:]?\s+(?<what>\S.+)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 5_000)]
    private static partial Regex Forget();

    [GeneratedRegex(@"^(?:everything|all)\b(?: (?:that )?(?:you (?:know|remember)(?: about me)?|about me))?$|^вс[её](?:,? что (?:ты )?(?:знаешь|помнишь))?(?: обо мне| про меня)?$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Everything();

    [GeneratedRegex(@"\bwhat (?:do|did) you (?:know|remember|have) (?:about|on) me\b|(?:что|чего) (?:ты )?(?:обо мне|про меня) (?:знаешь|помнишь)|что (?:ты )?(?:знаешь|помнишь) (?:обо мне|про меня)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex AboutMe();

    [GeneratedRegex(@"\b(?:do you remember|why do you know|how do you know)(?: that| about)?\s+(?<what>\S.+)$|(?:(?:ты )?помнишь(?: ли)?|(?:откуда|почему) (?:ты )?(?:это )?знаешь)(?:[, ]+(?:что|про|о|об|обо))?\s+(?<what>\S.+)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 5_000)]
    private static partial Regex Remembered();

    [GeneratedRegex(@"\b(?:where do i (?:live|work)|what(?:'s| is| are) my|who (?:is|are) my|when is my|what do i (?:like|love|prefer|hate)|what am i)\b|где я (?:живу|работаю)|как меня зовут|(?:какой|какая|какое|какие|кто|как зовут) (?:мой|моя|мо[её]|мои|моего|мою|моих)\b|(?:что|кого) я (?:люблю|не люблю|предпочитаю)|когда у меня", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Own();
}
