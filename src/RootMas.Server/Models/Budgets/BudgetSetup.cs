using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models.Budgets;

/// <summary>Daily limits on what models cost.</summary>
internal static class BudgetSetup
{
    public static void AddBudgets(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<BudgetOptions>("Budgets");
        var isShared = builder.Settings().Take<DatabaseOptions>("Database").Kind == DatabaseKind.Postgres;
        SpendGuard.Declare();
        var services = builder.Services;
        services.AddSingleton(static p => new SpendLimits(p.GetRequiredService<BudgetOptions>(), p.GetRequiredService<UserRights>(), p.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static p => new LedgerDays(p.GetRequiredService<LedgerStore>(), p.DatabaseTime()));
        AddStore(services, isShared);
        services.AddSingleton(static p => ActivatorUtilities.CreateInstance<SpendGuard>(p, p.DatabaseTime()));
        services.AddSingleton<ISampled>(p => new BudgetSamples(options, p.GetRequiredService<TelemetryOptions>()));
    }

    private static void AddStore(IServiceCollection services, bool isShared)
    {
        if (!isShared)
        {
            services.AddSingleton<ISpendStore>(static p => new MemorySpend(p.GetRequiredService<LedgerDays>(), p.DatabaseTime()));
            return;
        }

        services.AddSingleton(static p => new SharedSpend(
            p.GetRequiredService<IDatabase>(), p.GetRequiredService<IPresence>(), p.GetRequiredService<Instance>(), p.GetRequiredService<InstanceRegistry>().Shown, p.DatabaseTime()));
        services.AddSingleton<ISpendStore>(static p => p.GetRequiredService<SharedSpend>() is var shared && p.GetService<RedisPool>() is { } redis
            ? new RedisSpend(redis, shared, p.GetRequiredService<LedgerDays>(), p.DatabaseTime())
            : shared);
        services.AddHostedService<SpendReturns>();
    }
}

/// <summary>What the day has cost, beside what it may cost.</summary>
internal sealed class BudgetSamples(BudgetOptions options, TelemetryOptions telemetry) : ISampled
{
    private readonly SampledGauge _spent = new("rootmas.budget.spent", "USD", "US dollars that models have cost since 00:00 UTC, all users together; missing: no budget is set. The same on every instance.");

    private double Daily => options.All > 0 ? options.All : telemetry.DailyBudgetUsd;

    public void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.budget.daily", "USD", "US dollars that a day may cost: Budgets:All, which stops what goes beyond it, else Telemetry:DailyBudgetUsd, which only alerts; missing: no budget.",
            () => Daily > 0 ? [new Reading(Daily)] : []);
        _spent.Publish(meter);
        SpendGuard.BeginAtZero();
    }

    public async ValueTask SampleAsync(DbSession session)
    {
        if (Daily > 0)
        {
            var rows = await LedgerStore.SpentOnAsync(session, DateOnly.FromDateTime(session.Now.UtcDateTime));
            _spent.Set(new Reading(rows.Sum(static r => r.Cost) / 1_000_000d));
        }
    }

    public void Forget() => _spent.Clear();
}
