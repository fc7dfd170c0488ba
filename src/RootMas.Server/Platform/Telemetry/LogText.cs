using System.Globalization;
using System.Text;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Texts of log lines. What others wrote (users, pages, models) must not be able to draw on a terminal or forge a line.</summary>
internal static class LogText
{
    private static readonly string[] Names = ["trace", "debug", "info", "warning", "error", "critical"];

    public static string Name(LogLevel level) => Names[Math.Min((int)level, Names.Length - 1)];

    public static int Rank(string name) => Array.IndexOf(Names, name);

    /// <summary>Reads a level as a client writes it: our names and .NET's.</summary>
    public static bool TryParse(string name, out LogLevel level)
    {
        var rank = Array.FindIndex(Names, n => n.Equals(name, StringComparison.OrdinalIgnoreCase));
        level = rank >= 0 ? (LogLevel)rank : LogLevel.None;
        return rank >= 0 || (Enum.GetNames<LogLevel>().Contains(name, StringComparer.OrdinalIgnoreCase) && Enum.TryParse(name, ignoreCase: true, out level) && level != LogLevel.None);
    }

    /// <summary>Control characters (and the ones that turn text around) as <c>\u001b</c>.</summary>
    public static string OneLine(string text)
    {
        if (!text.AsSpan().ContainsAny(Unsafe))
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 16);
        foreach (var c in text)
        {
            if (Unsafe.Contains(c))
            {
                result.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                result.Append(c);
            }
        }

        return result.ToString();
    }

    private static readonly System.Buffers.SearchValues<char> Unsafe = System.Buffers.SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7F, 0x21)).Concat([0x2028, 0x2029, 0x200E, 0x200F]).Concat(Enumerable.Range(0x202A, 5)).Concat(Enumerable.Range(0x2066, 4)).Select(c => (char)c)]);
}
