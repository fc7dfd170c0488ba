using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace RootMas.Tests.Support;

/// <summary>Meters that no server of the same process shows.</summary>
internal static class TestMeters
{
    public static IMeterFactory Own() => new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
}
