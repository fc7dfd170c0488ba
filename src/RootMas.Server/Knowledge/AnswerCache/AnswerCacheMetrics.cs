using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Measurements of the cache of answers, of this instance since its start.</summary>
internal sealed class AnswerCacheMetrics
{
    private static readonly Counter<long> Lookups = RootMasTelemetry.Meter.CreateCounter<long>(
        "rootmas.cache.answers.lookups", "{lookup}", "Model calls that could have had a kept answer, by outcome: memory, redis, stored, semantic, flight (an equal request was on its way), miss, bypass, or why the request is never kept.");

    private static readonly Counter<double> Saved = RootMasTelemetry.Meter.CreateCounter<double>("rootmas.cache.answers.saved", "USD", "What kept answers would have cost.");

    private static readonly Counter<long> Learned = RootMasTelemetry.Meter.CreateCounter<long>(
        "rootmas.cache.answers.observations", "{comparison}", "Kept answers compared with fresh ones, by what came of it: same, different, unknown.");

    private static readonly Counter<long> Dropped = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.cache.answers.not_stored", "{answer}", "Answers that were not put into the database, by reason.");

    private static readonly Counter<long> Uncompared = RootMasTelemetry.Meter.CreateCounter<long>(
        "rootmas.cache.answers.not_compared", "{question}", "Questions that were only looked for as equal ones because they got no vector, by reason; timeout: none within half a second.");

    private readonly Dictionary<string, long> _outcomes = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private long _microUsd;
    private long _tokens;

    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(AnswerCacheMetrics).TypeHandle);

    public long SavedMicroUsd => Interlocked.Read(ref _microUsd);

    public long SavedTokens => Interlocked.Read(ref _tokens);

    public IReadOnlyDictionary<string, long> Outcomes
    {
        get
        {
            lock (_lock)
            {
                return new Dictionary<string, long>(_outcomes, StringComparer.Ordinal);
            }
        }
    }

    public void Looked(string outcome)
    {
        Lookups.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        lock (_lock)
        {
            System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_outcomes, outcome, out _)++;
        }
    }

    public void Gave(CachedAnswer answer, string kind)
    {
        Looked(kind);
        Interlocked.Add(ref _microUsd, answer.MicroUsd);
        Interlocked.Add(ref _tokens, answer.InputTokens + answer.OutputTokens);
        Saved.Add(answer.MicroUsd / 1_000_000d);
    }

    public static void Compared(Sameness sameness) => Learned.Add(1, new KeyValuePair<string, object?>("result", sameness switch { Sameness.Same => "same", Sameness.Different => "different", _ => "unknown" }));

    public static void NotStored(string reason) => Dropped.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public static void NotCompared(string reason) => Uncompared.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
