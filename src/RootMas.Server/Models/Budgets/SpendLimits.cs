using System.Collections.Concurrent;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;

namespace RootMas.Server.Models.Budgets;

/// <summary>Which daily limits a call comes under: that of its user, of its agent, and of everybody.</summary>
internal sealed class SpendLimits(BudgetOptions options, UserRights users, TimeProvider clock)
{
    /// <summary>A changed limit of a user counts after so long.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(5);

    private const int MostRemembered = 20_000;
    private readonly ConcurrentDictionary<string, (Money? Own, long At)> _own = new(StringComparer.Ordinal);

    /// <summary>Of everybody; null: none.</summary>
    public Money? All => Dollars(options.All);

    public Money? OfAgent(string agent) => Dollars(options.OfAgent(agent));

    public async ValueTask<Money?> OfUserAsync(string userId, CancellationToken cancellationToken) => await OwnAsync(userId, cancellationToken) ?? Dollars(options.User);

    public async ValueTask<IReadOnlyList<SpendLimit>> OfAsync(ModelCall call, CancellationToken cancellationToken)
    {
        var user = Subjects.UserOf(call.OwnerId).UserId;
        var (own, agent, all) = (await OfUserAsync(user, cancellationToken), call.Agent is null ? null : OfAgent(call.Agent), All);
        if (own is null && agent is null && all is null)
        {
            return [];
        }

        var limits = new List<SpendLimit>(3);
        Add(limits, SpendLimit.OfUser(user), own);
        Add(limits, SpendLimit.OfAgent(call.Agent ?? ""), agent);
        Add(limits, SpendLimit.Everybody, all);
        return limits;
    }

    /// <summary>Every count that the call's cost belongs to, limited or not.</summary>
    public static IReadOnlyList<string> CountsOf(ModelCall call)
    {
        var user = SpendLimit.OfUser(Subjects.UserOf(call.OwnerId).UserId);
        return call.Agent is { } agent ? [user, SpendLimit.OfAgent(agent), SpendLimit.Everybody] : [user, SpendLimit.Everybody];
    }

    private static void Add(List<SpendLimit> limits, string key, Money? most)
    {
        if (most is { } set)
        {
            limits.Add(new SpendLimit(key, set));
        }
    }

    private async ValueTask<Money?> OwnAsync(string userId, CancellationToken cancellationToken)
    {
        if (_own.TryGetValue(userId, out var known) && clock.GetElapsedTime(known.At) < Remembered)
        {
            return known.Own;
        }

        var at = clock.GetTimestamp();
        var user = await users.FindAsync(userId, cancellationToken);
        Money? own = user?.Limits?.TryGetValue(LimitNames.Spend, out var micro) == true ? new Money(micro) : null;
        if (_own.Count >= MostRemembered)
        {
            _own.Clear();
        }

        _own[userId] = (own, at);
        return own;
    }

    private static Money? Dollars(double usd) => usd > 0 ? new Money((long)Math.Round(usd * 1_000_000)) : null;
}
