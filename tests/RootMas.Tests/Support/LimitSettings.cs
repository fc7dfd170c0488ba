namespace RootMas.Tests.Support;

/// <summary>Limits that no test reaches by accident, and what acts by itself: tests of limits set their own. They count all the same, so every test passes through them.</summary>
public static class LimitSettings
{
    private const string Many = "1000000/1m";

    public static IReadOnlyDictionary<string, string> OutOfTheWay { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["Limits:Requests"] = Many,
        ["Limits:Reads"] = Many,
        ["Limits:Address"] = Many,
        ["Limits:StaticFiles"] = Many,
        ["Limits:Health"] = Many,
        ["Limits:Login"] = Many,
        ["Limits:Username"] = Many,
        ["Limits:Setup"] = Many,
        ["Limits:Refresh"] = Many,
        ["Limits:Token"] = Many,
        ["Limits:Password"] = Many,
        ["Limits:Search"] = Many,
        ["Limits:Frames"] = Many,
        ["Models:ProbeTimeout"] = "5s", // a slow machine is not a server without models
        ["Knowledge:AnswerCache:Mode"] = "off", // a test that asks the same twice wants two answers
        ["Backups:Scheduled"] = "false", // a test's clock passes many a night
    };

    /// <summary>The same for a process.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Variables =>
        OutOfTheWay.Select(static pair => KeyValuePair.Create("ROOTMAS__" + pair.Key.Replace(":", "__", StringComparison.Ordinal), pair.Value));
}
