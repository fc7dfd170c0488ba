using System.Diagnostics.Metrics;
using System.Text.Json;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What memory learns and refuses: counts, never content.</summary>
internal static class MemoryMetrics
{
    private static readonly Counter<long> Facts = RootMasTelemetry.Meter.CreateCounter<long>(
        "rootmas.knowledge.memory.facts", "{fact}", "Facts that were to be remembered, by author (user, agent, extraction) and outcome (new, known, replaced, late, full, secret).");

    private static readonly Counter<long> Exchanges = RootMasTelemetry.Meter.CreateCounter<long>(
        "rootmas.knowledge.memory.exchanges", "{exchange}", "Exchanges that were read for the memory after their run, by outcome (read, skipped, later, given_up).");

    /// <summary>The instruments are there, and listed, before the first fact.</summary>
    public static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(MemoryMetrics).TypeHandle);

    public static void Kept(string author, Kept outcome) =>
        Facts.Add(1, new KeyValuePair<string, object?>("author", author), new KeyValuePair<string, object?>("outcome", JsonNamingPolicy.SnakeCaseLower.ConvertName(outcome.ToString())));

    public static void Read(int exchanges, string outcome) => Exchanges.Add(exchanges, new KeyValuePair<string, object?>("outcome", outcome));
}
