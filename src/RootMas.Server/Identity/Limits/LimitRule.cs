using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace RootMas.Server.Identity.Limits;

/// <summary>So many requests in such a time: <c>100/1m</c>. All of them may come at once; then they come back evenly, one every <c>Period / Limit</c>.</summary>
public readonly record struct LimitRule(long Limit, TimeSpan Period)
{
    /// <summary>How settings write it.</summary>
    [StringSyntax(StringSyntaxAttribute.Regex)]
    public const string Pattern = "^[1-9][0-9]{0,8}/[1-9][0-9]{0,5}(s|m|h|d)$";

    /// <summary>Time until one request comes back, in ticks. Rounded up: never more than <see cref="Limit"/> in the long run.</summary>
    public long Interval => (Period.Ticks + Limit - 1) / Limit;

    public static LimitRule PerMinute(long limit) => new(limit, TimeSpan.FromMinutes(1));

    public static bool TryParse(string text, out LimitRule rule)
    {
        rule = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 1 || slash > text.Length - 3
            || !long.TryParse(text.AsSpan(0, slash), NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            || !int.TryParse(text.AsSpan(slash + 1, text.Length - slash - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            || limit is < 1 or > 999_999_999 || count is < 1 or > 999_999)
        {
            return false;
        }

        var seconds = text[^1] switch { 's' => 1L, 'm' => 60L, 'h' => 3_600L, 'd' => 86_400L, _ => 0L };
        rule = new LimitRule(limit, TimeSpan.FromSeconds(seconds * count));
        return seconds > 0;
    }

    /// <summary>A text that the settings have checked already.</summary>
    public static LimitRule Parse(string text) =>
        TryParse(text, out var rule) ? rule : throw new FormatException($"'{text}' is not a limit such as 100/1m.");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Limit} in {Period.TotalSeconds} s");
}
