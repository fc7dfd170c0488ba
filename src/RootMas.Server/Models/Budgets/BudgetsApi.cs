using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Models.Budgets;

/// <summary>Daily limits on cost, and how far they are used.</summary>
public sealed record BudgetReport
{
    /// <summary>The day that is counted, UTC.</summary>
    /// <example>2026-11-26</example>
    public required DateOnly Day { get; init; }

    /// <summary>When the counts begin anew.</summary>
    public required DateTimeOffset ResetsAt { get; init; }

    /// <summary>One's own budget first; for those with usage:read also that of all and those of agents.</summary>
    public required IReadOnlyList<Budget> Items { get; init; }
}

/// <summary>A daily budget.</summary>
public sealed record Budget
{
    /// <summary>user, agent or all.</summary>
    /// <example>user</example>
    public required string Scope { get; init; }

    /// <summary>Id of the user, name of the agent; null: of all.</summary>
    /// <example>researcher</example>
    public string? Key { get; init; }

    /// <summary>US dollars a day; null: no limit.</summary>
    public Money? LimitUsd { get; init; }

    /// <summary>Spent today, US dollars.</summary>
    public required Money SpentUsd { get; init; }

    /// <summary>Set aside for calls that are under way.</summary>
    public required Money HeldUsd { get; init; }

    /// <summary>What is left to be asked for; null: no limit.</summary>
    public Money? LeftUsd { get; init; }
}

internal static class BudgetsApi
{
    private const int MostAgents = 200;

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/budgets", ReadAsync).WithTags("Operations").RequirePermission("metrics:read").WithName("GetBudgets")
            .WithSummary("Daily budgets and what is left of them")
            .WithDescription("What models may cost in a day (UTC), what they have cost, and what is set aside for calls under way: one's own, and for those with usage:read that of all and of each agent with a limit. "
                + "A call that would go beyond a limit is not made: its run fails with model_budget, or waits while the rest is set aside for others.");

    private static async Task<BudgetReport> ReadAsync(SpendLimits limits, BudgetOptions options, ISpendStore store, LedgerDays days, HttpContext context)
    {
        var caller = context.Caller();
        var shown = new List<(string Scope, string? Key, string Count, Money? Limit)>
        {
            ("user", caller.UserId, SpendLimit.OfUser(Subjects.UserOf(caller.UserId).UserId), await limits.OfUserAsync(Subjects.UserOf(caller.UserId).UserId, context.RequestAborted)),
        };
        if (caller.May("usage:read"))
        {
            shown.Add(("all", null, SpendLimit.Everybody, limits.All));
            shown.AddRange(options.Agents.Keys.Order(StringComparer.Ordinal).Take(MostAgents).Select(a => ("agent", (string?)a, SpendLimit.OfAgent(a), limits.OfAgent(a))));
        }

        var day = days.Today();
        var figures = await store.ReadAsync(day, [.. shown.Select(static s => s.Count)]);
        return new BudgetReport
        {
            Day = day,
            ResetsAt = new DateTimeOffset(day.AddDays(1), TimeOnly.MinValue, TimeSpan.Zero),
            Items = [.. shown.Zip(figures, static (s, f) => Show(s.Scope, s.Key, s.Limit, f))],
        };
    }

    private static Budget Show(string scope, string? key, Money? limit, SpendFigure figure) => new()
    {
        Scope = scope,
        Key = key,
        LimitUsd = limit,
        SpentUsd = new Money(figure.Spent),
        HeldUsd = new Money(figure.Held),
        LeftUsd = limit is { } most ? new Money(Math.Max(0, most.MicroUsd - figure.Spent - figure.Held)) : null,
    };
}
