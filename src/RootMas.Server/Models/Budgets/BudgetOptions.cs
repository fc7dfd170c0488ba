using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace RootMas.Server.Models.Budgets;

/// <summary>What models may cost in one day, which begins at 00:00 UTC. Whatever would go beyond it is not asked. Section <c>Budgets</c>.</summary>
public sealed record BudgetOptions : IValidatableObject
{
    private const double Highest = 100_000_000;

    /// <summary>US dollars a day of everybody together. 0: no limit.</summary>
    [Range(0, Highest)]
    public double All { get; init; }

    /// <summary>US dollars a day of each user, those included for whom it speaks; a user's own limit (<c>limits.spend_per_day_usd</c>) goes before it. 0: no limit.</summary>
    [Range(0, Highest)]
    public double User { get; init; }

    /// <summary>US dollars a day of each agent, for all users together. 0: no limit.</summary>
    [Range(0, Highest)]
    public double Agent { get; init; }

    /// <summary>Of single agents, instead of Agent: Budgets:Agents:researcher = 20. 0: no limit.</summary>
    public IReadOnlyDictionary<string, string> Agents { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Tokens that an answer may have where a daily limit applies, or where subtasks of a run ask side by side and their limit has no room for the longest, and the request names no fewer: as much is set aside before a model is asked, so that the limit also holds for what is asked at the same time.</summary>
    [Range(256, 1_000_000)]
    public int MostOutput { get; init; } = 16_384;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, text) in Agents.Where(static p => !TryRead(p.Value, out _)))
        {
            yield return new ValidationResult($"'{text}' is not a limit; legal: US dollars from 0 to 100000000", [$"{nameof(Agents)}:{name}"]);
        }
    }

    /// <summary>Of this agent; 0: no limit.</summary>
    internal double OfAgent(string agent) => Agents.TryGetValue(agent, out var text) && TryRead(text, out var own) ? own : Agent;

    private static bool TryRead(string text, out double usd) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out usd) && usd is >= 0 and <= Highest;
}
