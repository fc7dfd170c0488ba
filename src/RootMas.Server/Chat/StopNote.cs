using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>
/// What whoever answers the next message is told of a run that ended without an answer: why a limit or a guard stopped it, and which calls that change something had left by then, its own and those of runs below it.
/// It says names of tools and origins, and no word that a model wrote.
/// </summary>
/// <remarks>
/// It is made in the transaction that ends the run, whose tree may have a long log: of no event more than its ends are read, which have what is looked for, and an event that cannot be read is passed over.
/// </remarks>
/// <param name="Tainted">One of these runs had read text from outside, and so what comes after it is tainted as what came after its answer would be.</param>
internal sealed record StopNote(string Text, bool Tainted)
{
    /// <summary>So many are named: those first that cannot be made again safely, and of these the latest.</summary>
    private const int MostCalls = 20;

    /// <summary>So many calls that change something are looked at, the latest ones.</summary>
    private const int MostBegun = 1_000;

    /// <summary>And so many ends of calls.</summary>
    private const int MostEnds = 10_000;

    /// <summary>Bytes at the beginning, and at the end, of an event: names and numbers stand before arguments and results, the effect of a call behind its arguments.</summary>
    private const int Part = 1_024;

    private const string Latest = "order by created_at desc, run_id desc, seq desc limit ";

    private const string InDoubt = "in doubt: it may have taken effect";

    private const string Unsafe = "\"effect\":\"unsafe\"";

    /// <summary>A quotation mark within a text is escaped, so this stands in no text. Arguments, which a model composes, may have such a member, and are in none of these events; what a client keeps with the user's answer may, and errs on the safe side.</summary>
    private static readonly SqlText Taint = OfTree(static kind => (
        "1",
        "e.type in ('run.queued', 'run.started', 'child.completed', 'memory.recalled', 'input.received', 'plan.updated', 'tool.completed', 'tool.failed') and " + Has(kind, "\"tainted\":true")),
        "limit 1");

    /// <summary>Calls that change something, and those whose arguments look so: <see cref="EffectOf"/> tells them apart.</summary>
    private static readonly SqlText Begun = OfTree(static kind => (
        $"e.created_at as created_at, e.run_id as run_id, e.seq as seq, substr(e.json, 1, {Part}), {Tail(kind)}",
        $"e.type = 'tool.started' and ({Has(kind, Unsafe)} or {Has(kind, "\"effect\":\"idempotent\"")})"),
        $"{Latest}{MostBegun}");

    private static readonly SqlText Ends = OfTree(static _ => (
        $"e.created_at as created_at, e.run_id as run_id, e.seq as seq, e.type, substr(e.json, 1, {Part})",
        "e.type in ('tool.completed', 'tool.failed', 'run.needs_review')"),
        $"{Latest}{MostEnds}");

    private const string Origins = """
        select a.id as id, a.run_id, a.call, a.target_origin from approvals a where a.run_id = @root and a.target_origin is not null
        union all select a.id, a.run_id, a.call, a.target_origin from runs r join approvals a on a.run_id = r.id where r.root_run_id = @root and r.parent_run_id is not null and a.target_origin is not null
        order by id
        """;

    /// <summary>Null: there is nothing to tell.</summary>
    /// <param name="rootRunId">The run, whose end is in its log.</param>
    /// <param name="end">A failure or a cancellation.</param>
    public static async ValueTask<StopNote?> OfAsync(DbSession session, string rootRunId, RunEvent end)
    {
        var isGuard = end is RunFailed { Code: var code } && code.StartsWith("guard_", StringComparison.Ordinal);
        var calls = await MadeAsync(session, rootRunId);
        if (!isGuard && calls.Count == 0)
        {
            return null;
        }

        var why = end switch
        {
            RunFailed failed when isGuard => failed.Reason,
            RunFailed failed => $"it failed ({failed.Code}).",
            _ => "it was cancelled.",
        };
        var isTainted = await session.Prepared(Taint).Set("root", rootRunId).AnyAsync();
        return new(calls.Count == 0 ? why : $"{why} By then these calls had been made: {Listed(calls)}. Whether one of them is made again is for the user to say.", isTainted);
    }

    /// <summary>A statement about the logs of a run and of all below it.</summary>
    /// <param name="of">Columns and condition, of <c>e</c>, in the language of a database.</param>
    private static SqlText OfTree(Func<DatabaseKind, (string Columns, string Where)> of, string last)
    {
        return new(For(DatabaseKind.Sqlite), For(DatabaseKind.Postgres));

        string For(DatabaseKind kind)
        {
            var (columns, where) = of(kind);
            return $"""
                select {columns} from run_events e where e.run_id = @root and {where}
                union all select {columns} from runs r join run_events e on e.run_id = r.id where r.root_run_id = @root and r.parent_run_id is not null and {where}
                {last}
                """;
        }
    }

    /// <summary>Whether an event has this member, somewhere.</summary>
    private static string Has(DatabaseKind kind, string member)
    {
        var hex = Convert.ToHexString(Encoding.UTF8.GetBytes(member));
        return kind == DatabaseKind.Postgres ? $"position(decode('{hex}', 'hex') in e.json) > 0" : $"instr(e.json, x'{hex}') > 0";
    }

    private static string Tail(DatabaseKind kind) =>
        kind == DatabaseKind.Postgres ? $"substr(e.json, greatest(1, octet_length(e.json) - {Part - 1}))" : $"substr(e.json, -{Part})";

    /// <summary>The calls that left, in the order in which they first did, with what is known of each.</summary>
    private static async ValueTask<List<CallMade>> MadeAsync(DbSession session, string rootRunId)
    {
        var begun = await session.Prepared(Begun).Set("root", rootRunId).ListAsync(static row => (Call: CallOf(row.GetString(1), row.Bytes(3)), Tool: Member(row.Bytes(3), "tool"), Effect: EffectOf(row.Bytes(4))));
        var started = new OrderedDictionary<(string Run, long Call), (string Tool, bool IsUnsafe)>();
        foreach (var (call, tool, effect) in Enumerable.Reverse(begun))
        {
            if (call is { } id && tool is not null && effect is "unsafe" or "idempotent")
            {
                started[id] = (tool, effect == "unsafe");
            }
        }

        if (started.Count == 0)
        {
            return [];
        }

        var outcomes = await OutcomesAsync(session, rootRunId);
        var origins = new Dictionary<(string Run, long Call), string>();
        foreach (var (run, call, origin) in await session.Prepared(Origins).Set("root", rootRunId).ListAsync(static row => (row.GetString(1), row.GetInt64(2), row.GetString(3))))
        {
            origins[(run, call)] = origin;
        }

        var made = new List<CallMade>(started.Count);
        foreach (var (id, (tool, isUnsafe)) in started)
        {
            if (outcomes.GetValueOrDefault(id, InDoubt) is { } outcome)
            {
                made.Add(new($"{tool}{(origins.TryGetValue(id, out var origin) ? " at " + origin : "")} ({outcome})", isUnsafe));
            }
        }

        return made;
    }

    /// <summary>Null: it was to leave and did not, as the run was cancelled before. Whatever was in doubt once, and is not known to be done, still is.</summary>
    private static async ValueTask<Dictionary<(string Run, long Call), string?>> OutcomesAsync(DbSession session, string rootRunId)
    {
        var outcomes = new Dictionary<(string Run, long Call), string?>();
        var ends = await session.Prepared(Ends).Set("root", rootRunId).ListAsync(static row => (Call: CallOf(row.GetString(1), row.Bytes(4)), Type: row.GetString(3), Kind: Member(row.Bytes(4), "kind")));
        foreach (var (call, type, kind) in Enumerable.Reverse(ends))
        {
            if (call is { } id)
            {
                outcomes[id] = type == "tool.completed" ? "done"
                    : type == "run.needs_review" || outcomes.ContainsKey(id) ? InDoubt
                    : kind switch
                    {
                        "cancelled" => null,
                        null or "in_doubt" or "timeout" or "interrupted" => InDoubt,
                        _ => "failed",
                    };
            }
        }

        return outcomes;
    }

    private static (string Run, long Call)? CallOf(string run, byte[] head) =>
        long.TryParse(Member(head, "call"), NumberStyles.None, CultureInfo.InvariantCulture, out var call) ? (run, call) : null;

    /// <summary>Behind the arguments come only texts, in which no such member can stand: the last one is the call's own.</summary>
    private static string? EffectOf(byte[] tail)
    {
        var name = "\"effect\":\""u8;
        var at = tail.AsSpan().LastIndexOf(name);
        var value = at < 0 ? default : tail.AsSpan(at + name.Length);
        return value.IndexOf((byte)'"') is > 0 and var length ? Encoding.UTF8.GetString(value[..length]) : null;
    }

    /// <summary>A member of the event itself, a name or a number, that stands whole in its beginning. Null: it does not, or this is no event.</summary>
    private static string? Member(byte[] head, string name)
    {
        var json = new Utf8JsonReader(head, isFinalBlock: false, state: default);
        try
        {
            while (json.Read())
            {
                if (json.TokenType == JsonTokenType.PropertyName && json.CurrentDepth == 1 && json.ValueTextEquals(name))
                {
                    return !json.Read() ? null
                        : json.TokenType == JsonTokenType.String ? json.GetString()
                        : json.TokenType == JsonTokenType.Number ? Encoding.UTF8.GetString(json.ValueSpan)
                        : null;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // whatever is wrong with it, the run ends
        }

        return null;
    }

    private static string Listed(List<CallMade> calls)
    {
        var named = calls.Index().OrderByDescending(static c => c.Item.IsUnsafe).ThenByDescending(static c => c.Index).Take(MostCalls).OrderBy(static c => c.Index);
        return (calls.Count > MostCalls ? $"{calls.Count - MostCalls} others; " : "") + string.Join("; ", named.Select(static c => c.Item.Text));
    }

    private readonly record struct CallMade(string Text, bool IsUnsafe);
}
