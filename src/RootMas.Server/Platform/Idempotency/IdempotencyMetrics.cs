using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>What became of requests with an <c>Idempotency-Key</c>.</summary>
internal static class IdempotencyMetrics
{
    private static readonly Counter<long> Keys =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.idempotency.keys", "{request}", "Requests with an Idempotency-Key, by what the key stood for (new, replay, mismatch, running).");

    /// <summary>The instrument is there, and listed, before the first key.</summary>
    public static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(IdempotencyMetrics).TypeHandle);

    /// <summary>Counted once the transaction is kept, and handed on.</summary>
    public static Reservation Counted(this Reservation reservation, DbSession session)
    {
        session.AfterCommit(() => Keys.Add(1, new KeyValuePair<string, object?>("outcome", reservation switch
        {
            Reservation.New => "new",
            Reservation.Replay => "replay",
            Reservation.Mismatch => "mismatch",
            _ => "running",
        })));
        return reservation;
    }
}
