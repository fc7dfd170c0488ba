using System.Text.Json.Nodes;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Audit;

/// <summary>
/// Rows for refused rights. Who is refused decides how often, so it is bounded: within one minute the first refusal of a kind (who, route, code) is a row at once, the others are counted and become one row when the minute is over;
/// and there are only so many kinds per minute, after which all are counted together.
/// </summary>
public sealed partial class Denials(AuditOptions options, AuditLog log, IDatabase database, TimeProvider clock, ILogger<Denials> logger)
{
    private const string NoCredentials = "authentication_required";

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Who, string Route, string Code), Bucket> _buckets = [];
    private readonly List<AuditEntry> _closed = [];
    private Bucket? _others;
    private long _minute;

    /// <summary>Called before a 401 or 403 is told, so that the row is there when the caller knows.</summary>
    public async ValueTask ObserveAsync(HttpContext context, Problem problem)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(problem);
        AuditMetrics.Refused(problem.Status, problem.Code);
        if (IsNobodysRight(context, problem) || Take(EntryOf(context, problem), problem.Code) is not { } first)
        {
            return;
        }

        try
        {
            await database.WriteAsync(session => log.AppendAsync(session, first), CancellationToken.None);
        }
        catch (StorageUnavailableException e)
        {
            // The refusal stands all the same.
            LogNotWritten(first.TargetId ?? "", problem.Code, e);
        }
    }

    /// <summary>Writes what was counted in minutes that are over; <paramref name="all"/>: in this one too.</summary>
    public async Task FlushAsync(bool all, CancellationToken cancellationToken)
    {
        List<AuditEntry> entries;
        lock (_gate)
        {
            Turn(all ? -1 : Minute());
            entries = [.. _closed];
            _closed.Clear();
        }

        if (entries.Count == 0)
        {
            return;
        }

        try
        {
            await database.WriteAsync(
                async session =>
                {
                    foreach (var entry in entries)
                    {
                        await log.AppendAsync(session, entry);
                    }
                },
                cancellationToken);
        }
        catch
        {
            Restore(entries);
            throw;
        }
    }

    /// <summary>They are written with the next ones.</summary>
    private void Restore(List<AuditEntry> entries)
    {
        lock (_gate)
        {
            _closed.InsertRange(0, entries);
            Trim();
        }
    }

    /// <summary>No credentials at all is not a denied right, and a public route (login, refresh) writes its own rows.</summary>
    private static bool IsNobodysRight(HttpContext context, Problem problem) =>
        problem.Status == 401 && (problem.Code == NoCredentials || context.GetEndpoint()?.Metadata.GetMetadata<RoutePermission>() is { Name: null });

    private static AuditEntry EntryOf(HttpContext context, Problem problem)
    {
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(none)";
        return context.Audit("access.denied") with
        {
            Outcome = AuditOutcome.Denied,
            TargetKind = "route",
            TargetId = $"{(context.Request.Method is { Length: <= 10 } method ? method : "?")} {route}",
            After = new JsonObject { ["status"] = problem.Status, ["code"] = problem.Code },
        };
    }

    private AuditEntry? Take(AuditEntry entry, string code)
    {
        lock (_gate)
        {
            Turn(Minute());
            var key = (entry.ActorId ?? entry.Address ?? "", entry.TargetId ?? "", code);
            if (_buckets.TryGetValue(key, out var known))
            {
                known.Further++;
                return null;
            }

            if (_buckets.Count < options.DenialsPerMinute)
            {
                _buckets.Add(key, new Bucket(entry));
                return entry;
            }

            (_others ??= new Bucket(new AuditEntry { Action = entry.Action, Outcome = entry.Outcome, TargetKind = "route", TargetId = "(several)" })).Further++;
            return null;
        }
    }

    private void Turn(long minute)
    {
        if (minute == _minute)
        {
            return;
        }

        _minute = minute;
        foreach (var bucket in _buckets.Values.Append(_others))
        {
            if (bucket is { Further: > 0 })
            {
                var after = bucket.First.After?.DeepClone().AsObject() ?? [];
                after["further"] = bucket.Further;
                _closed.Add(bucket.First with { After = after, RequestId = null });
            }
        }

        _buckets.Clear();
        _others = null;
        Trim();
    }

    /// <summary>When nothing could be written for long, what is newest is kept.</summary>
    private void Trim()
    {
        if (_closed.Count > 10 * options.DenialsPerMinute)
        {
            _closed.RemoveRange(0, _closed.Count - (10 * options.DenialsPerMinute));
        }
    }

    private long Minute() => clock.GetUtcNow().ToUnixTimeSeconds() / 60;

    private sealed class Bucket(AuditEntry first)
    {
        public AuditEntry First { get; } = first;

        public int Further { get; set; }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A refusal of {Route} ({Code}) could not be written to the audit log")]
    private partial void LogNotWritten(string route, string code, Exception exception);
}
