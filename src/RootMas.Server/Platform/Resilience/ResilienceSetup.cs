using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Resilience;

internal static class ResilienceSetup
{
    public static void AddResilience(this WebApplicationBuilder builder)
    {
        builder.AddSettings<ResilienceOptions>("Resilience");
        builder.Services.AddSingleton(static p => new OutboundPolicies(p.GetRequiredService<ResilienceOptions>(), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<IMeterFactory>()));
        builder.Services.AddSingleton<IHealthProbe, OutboundProbe>();
    }
}
