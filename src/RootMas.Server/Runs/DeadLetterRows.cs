using System.Text;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Runs;

/// <summary>Puts down what is not tried again by itself.</summary>
internal static class DeadLetterRows
{
    public const string Run = "run";
    public const string Message = "message";

    /// <summary>Characters of a message that are kept: ours are far shorter, and others' only have to be recognised.</summary>
    private const int MaxBody = 4_000;

    private const string Insert = """
        INSERT INTO dead_letters (id, kind, run_id, owner_id, queue, reason, body, deliveries, created_at) VALUES (@id, @kind, @run, @owner, @queue, @reason, @body, @deliveries, @now)
        ON CONFLICT (id) DO NOTHING
        """;

    private const string OfRun = "DELETE FROM dead_letters WHERE id = @id"; // a run's letter has its id

    private static readonly SqlText Held = SqlDialect.Held("SELECT 1 FROM dead_letters WHERE id = @id");

    private const string Old = "FROM dead_letters WHERE created_at <= @oldest";

    /// <summary>There are few: more would be an alert.</summary>
    public static RetentionKind Retention(TimeSpan keep) => new("dead_letters", keep,
        static async (session, oldest) => await session.Prepared($"SELECT count(*) {Old}").Set("oldest", oldest).Int64Async() ?? 0,
        static (session, oldest, limit) => session.Prepared($"DELETE FROM dead_letters WHERE id IN (SELECT id {Old} ORDER BY id LIMIT @limit)").Set("oldest", oldest).Set("limit", (long)limit).RunAsync());

    /// <summary>In the transaction in which the database gave the run up. A root run: of a part the run above it is told, which goes on.</summary>
    public static async ValueTask AddRunAsync(DbSession session, RunRow run, string reason) =>
        await session.Prepared(Insert).Set("id", run.Id).Set("kind", Run).Set("run", run.Id).Set("owner", run.Identity.OwnerId).Set("queue", (string?)null).Set("reason", reason)
            .Set("body", (string?)null).Set("deliveries", (long)run.Attempt).Set("now", session.Now).RunAsync();

    /// <summary>Before the run is started again: of an owner and an operator who do it at once each holds the letter before the branch.</summary>
    public static ValueTask HoldAsync(DbSession session, string runId) => session.SendHoldAsync(Held, runId);

    /// <summary>In the transaction in which the run is started again, by whomever: nobody has to do it any more.</summary>
    public static ValueTask SettleAsync(DbSession session, string runId) => session.SendAsync(session.Prepared(OfRun).Set("id", runId));

    /// <param name="id">Of the row: written again after a lost commit, it is there once.</param>
    /// <param name="isForeign">Another installation uses the same queues, and sent it.</param>
    public static async ValueTask<int> AddMessageAsync(DbSession session, string id, BrokerDelivery delivery, bool isForeign = false)
    {
        var (body, run) = (TextOf(delivery.Body.Span), RunMessage.Read(delivery.Body.Span));
        var reason = delivery.DeadBecause switch
        {
            _ when isForeign => $"It is of the installation {delivery.Installation}, which is another one and uses the same queues. Its run is found in its own database.",
            "rejected" => "Nobody could read it.",
            "delivery_limit" => "It was handed out too often without an answer.",
            "expired" => "It waited longer than a policy of the broker allows (message-ttl). Its run is found in the database.",
            "maxlen" => "A policy of the broker limits how many messages wait (max-length). Its run is found in the database.",
            _ => "It was in the queue of dead letters.",
        };
        return await session.Prepared(Insert).Set("id", id).Set("kind", Message).Set("run", run?.RunId).Set("owner", run?.OwnerId)
            .Set("queue", delivery.DeadFrom).Set("reason", reason).Set("body", body).Set("deliveries", delivery.Deliveries).Set("now", session.Now).RunAsync();
    }

    /// <summary>As text: what is none is shown so that it can be read, and PostgreSQL takes no NUL.</summary>
    private static string TextOf(ReadOnlySpan<byte> body)
    {
        var text = Encoding.UTF8.GetString(body.Length > MaxBody ? body[..MaxBody] : body).Replace('\0', '\uFFFD');
        return text.Length > MaxBody ? text[..MaxBody] : text;
    }
}
