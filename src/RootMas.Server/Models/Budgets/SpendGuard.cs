using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models.Budgets;

/// <summary>Money that is set aside for one request until it is known what it cost.</summary>
/// <param name="Before">What the call had cost before.</param>
internal sealed record SpendHold(SpendRequest Request, SpendAnswer Answer, ModelCall Call, Money Before);

/// <summary>
/// Keeps a day's cost within its limits: before a model is asked, the most that its answer can cost is set aside with every count that the call comes under, and afterwards what it did cost takes its place. Calls of free models pass by,
/// and so does everything where no limit is set, but for its cost where the store has to know of it.
/// </summary>
internal sealed class SpendGuard(SpendLimits limits, ISpendStore store, BudgetOptions options, TimeProvider clock)
{
    /// <summary>An answer of fewer tokens is not worth its price.</summary>
    private const long LeastOutput = 16;

    private static readonly TimeSpan ShortestLife = TimeSpan.FromMinutes(10);
    private static readonly System.Diagnostics.Metrics.Counter<long> Refused =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.budget.refused", "{request}", "Requests to models that a daily limit stopped, by scope (user, agent, all) and reason: spent, or held (what is left is set aside for others; tried again later).");

    /// <summary>Makes the instrument now, so that it is listed before the first refusal.</summary>
    public static void Declare() => _ = Refused.Enabled;

    /// <summary>For each server anew: a series that appears with its first refusal shows no increase, so that one would raise no alert.</summary>
    public static void BeginAtZero()
    {
        foreach (var scope in (string[])["user", "agent", "all"])
        {
            Refused.Add(0, new KeyValuePair<string, object?>("scope", scope), new KeyValuePair<string, object?>("reason", "spent"));
        }
    }

    /// <summary>The request as it may be sent, and what is set aside for it; null: nobody has to know what it costs.</summary>
    /// <exception cref="EndpointException">A limit is reached, or all that is left is set aside for others.</exception>
    public async ValueTask<(AttemptRequest Request, SpendHold? Hold)> EnterAsync(AttemptRequest request, ModelSpec model, CancellationToken cancellationToken)
    {
        if (model.Price.IsFree)
        {
            return (request, null);
        }

        var applying = await limits.OfAsync(request.Call, cancellationToken);
        if (applying.Count == 0)
        {
            return (request, await CountAsync(request.Call, model, cancellationToken));
        }

        var input = TokenEstimate.Of(request.Messages, request.Options, model.Provider);
        var reading = model.Price.CostOf(new TokenUsage(input, 0, 0)).MicroUsd;
        var most = model.Price.Output == 0 ? 0 : MostOutput(request.Options, model, input);
        var asked = Ask(request.Call, applying, model, reading + Writing(model, Math.Min(most, LeastOutput)), reading + Writing(model, most));
        var answer = await HoldAsync(asked, cancellationToken);
        return (Limit(request, model, most, answer.Held - reading, answer.Held < asked.Wanted), new SpendHold(asked, answer, request.Call, request.Call.Cost));
    }

    /// <summary>The same for what is only read: vectors.</summary>
    /// <exception cref="EndpointException">As above.</exception>
    public async ValueTask<SpendHold?> EnterAsync(ModelCall call, ModelSpec model, long input, CancellationToken cancellationToken)
    {
        if (model.Price.IsFree)
        {
            return null;
        }

        if (await limits.OfAsync(call, cancellationToken) is not { Count: > 0 } applying)
        {
            return await CountAsync(call, model, cancellationToken);
        }

        var reading = model.Price.CostOf(new TokenUsage(input, 0, 0)).MicroUsd;
        var asked = Ask(call, applying, model, reading, reading);
        return new SpendHold(asked, await HoldAsync(asked, cancellationToken), call, call.Cost);
    }

    /// <summary>After the last row of the request was made.</summary>
    public ValueTask LeaveAsync(SpendHold hold) => store.SettleAsync(hold.Request, hold.Answer, (hold.Call.Cost - hold.Before).MicroUsd, hold.Call.LastRow);

    /// <summary>No limit applies: nothing is set aside, and what it costs is counted afterwards.</summary>
    private async ValueTask<SpendHold?> CountAsync(ModelCall call, ModelSpec model, CancellationToken cancellationToken)
    {
        if (!store.CountsAll)
        {
            return null;
        }

        var asked = Ask(call, [], model, 0, 0);
        return new SpendHold(asked, await store.HoldAsync(asked, cancellationToken), call, call.Cost);
    }

    private SpendRequest Ask(ModelCall call, IReadOnlyList<SpendLimit> applying, ModelSpec model, long least, long wanted)
    {
        var life = 3 * model.Provider.TotalTimeout; // it may wait for a place, and be sent again
        return new SpendRequest(LedgerDays.Today(clock), applying, least, wanted, life > ShortestLife ? life : ShortestLife) { Counts = SpendLimits.CountsOf(call) };
    }

    private async ValueTask<SpendAnswer> HoldAsync(SpendRequest asked, CancellationToken cancellationToken)
    {
        var answer = await store.HoldAsync(asked, cancellationToken);
        if (answer.Outcome == SpendOutcome.Granted)
        {
            return answer;
        }

        var limit = answer.Limit!;
        Refused.Add(1, new KeyValuePair<string, object?>("scope", limit.Scope), new KeyValuePair<string, object?>("reason", answer.Outcome == SpendOutcome.Over ? "spent" : "held"));
        throw answer.Outcome == SpendOutcome.Over
            ? new EndpointException(FailureKind.Budget, $"The daily budget of {limit.Most} US dollars {Of(limit)} is used up. What was done so far is kept. It begins anew at 00:00 UTC; an administrator can raise it ({SettingOf(limit)}).")
            : new EndpointException(FailureKind.BudgetHeld, $"What is left of the daily budget of {limit.Most} US dollars {Of(limit)} is set aside for calls that are under way.", TimeSpan.FromSeconds(1));
    }

    private long MostOutput(ChatOptions? given, ModelSpec model, long input) =>
        Math.Max(LeastOutput, Math.Min(given?.MaxOutputTokens ?? options.MostOutput, model.RoomAfter(input)));

    private static AttemptRequest Limit(AttemptRequest request, ModelSpec model, long most, long forWriting, bool isCut)
    {
        var tokens = isCut && model.Price.Output > 0 ? Math.Min(most, (long)Math.Floor(forWriting / model.Price.Output)) : most;
        if (model.Price.Output == 0 || tokens == request.Options?.MaxOutputTokens)
        {
            return request;
        }

        var changed = request.Options?.Clone() ?? new ChatOptions();
        changed.MaxOutputTokens = (int)tokens;
        return request with { Options = changed, CutByBudget = request.CutByBudget || isCut };
    }

    private static long Writing(ModelSpec model, long tokens) => model.Price.CostOf(new TokenUsage(0, 0, tokens)).MicroUsd;

    private static string Of(SpendLimit limit) => limit.Scope switch
    {
        "user" => "of this user",
        "agent" => $"of the agent {limit.Key["agent:".Length..]}",
        _ => "of all users together",
    };

    private static string SettingOf(SpendLimit limit) => limit.Scope switch
    {
        "user" => "limits.spend_per_day_usd of the user, or Budgets:User",
        "agent" => $"Budgets:Agents:{limit.Key["agent:".Length..]}",
        _ => "Budgets:All",
    };
}
