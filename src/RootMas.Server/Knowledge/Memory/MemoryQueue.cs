using RootMas.Server.Models.Offline;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>An exchange from which facts are to be taken.</summary>
/// <param name="WasAsked">Whoever had it before may have sent a request, and did not say what became of it.</param>
/// <param name="Age">Since its run ended.</param>
internal sealed record MemoryJob(string RunId, string OwnerId, string ConversationId, string MessageId, int Attempts, bool WasAsked, TimeSpan Age);

/// <summary>Exchanges of one conversation that somebody works on now.</summary>
/// <param name="Claim">Only who holds it writes what came of it.</param>
internal sealed record MemoryBatch(string Claim, IReadOnlyList<MemoryJob> Jobs)
{
    public string OwnerId => Jobs[0].OwnerId;

    public int Attempts => Jobs.Max(static j => j.Attempts);

    public TimeSpan Age => Jobs.Max(static j => j.Age);
}

/// <summary>
/// Exchanges that wait to be read. A row is written in the transaction that ends the run and removed in the one that writes the facts: so each is read once, whatever dies in between.
/// Rows and not the outbox: its handlers take one message after the other, and a reading takes a model's time.
/// </summary>
internal sealed class MemoryQueue(IDatabase database, MemoryOptions options, MemorySignals signals)
{
    private const int MostAtOnce = 10;

    /// <summary>Begins a claim whose holder has sent no request yet.</summary>
    private const string Unasked = "new:";

    /// <summary>Not if a fact out of the same message was forgotten while the run was still at work: a subtask may have kept it, under a run of its own.</summary>
    private const string Insert = """
        insert into memory_jobs (run_id, owner_id, conversation_id, message_id, due_at, created_at) select @run, @owner, @conversation, @message, @due, @now
        where not exists (select 1 from memory_jobs f where f.owner_id = @owner and f.conversation_id = @conversation and f.message_id = @message and f.due_at = @never)
        on conflict (run_id) do nothing
        """;

    /// <summary>One batch of an owner at a time, so that what was said first is read first.</summary>
    private const string Next = """
        select j.owner_id, j.conversation_id from memory_jobs j
        where j.due_at <= @now and (j.claimed_until is null or j.claimed_until < @now)
            and not exists (select 1 from memory_jobs c where c.owner_id = j.owner_id and c.claimed_until >= @now)
        order by j.due_at limit 1
        """;

    private const string Waiting = """
        select run_id, owner_id, conversation_id, message_id, attempts + 1, case when claim is null or claim like 'new:%' then 0 else 1 end, created_at from memory_jobs
        where owner_id = @owner and conversation_id = @conversation and due_at <= @now and (claimed_until is null or claimed_until < @now) order by created_at, run_id limit @limit
        """;

    private const string Take = """
        update memory_jobs set claim = @claim, claimed_until = @until, attempts = attempts + 1 where run_id = @run and (claimed_until is null or claimed_until < @now)
        """;

    private const string Asking = "update memory_jobs set claim = @asking where run_id = @run and claim = @claim";

    private const string GiveBack = "update memory_jobs set claim = null, claimed_until = null, due_at = @due, attempts = attempts - @uncounted where run_id = @run and claim = @claim";

    private const string Void = "update memory_jobs set claimed_until = 0 where claim is not null";

    private const string Remove = "delete from memory_jobs where run_id = @run and claim = @claim";

    /// <summary>Kept like one that is never due, so that it is not offered when its run ends.</summary>
    private const string Skip = """
        insert into memory_jobs (run_id, owner_id, conversation_id, message_id, due_at, created_at) values (@run, @owner, @conversation, @message, @never, @now)
        on conflict (run_id) do update set message_id = case when excluded.message_id = '' then memory_jobs.message_id else excluded.message_id end, due_at = excluded.due_at, claim = null, claimed_until = null
        """;

    private const string OldSkips = "delete from memory_jobs where due_at = @never and created_at < @oldest";

    private const string Taught = "delete from memory_jobs where owner_id = @owner and due_at <> @never and (run_id = @run or message_id = @message)";

    private const string RemoveOwner = "delete from memory_jobs where owner_id = @owner";

    /// <summary>As <see cref="Next"/>, whenever it is due: what somebody has, and what waits for that, wakes nobody. Whoever has it looks again at its end, and everybody now and then, should they have died. Counted and not <c>not exists</c>, of which PostgreSQL makes a join that reads all.</summary>
    private const string NextDue = """
        select j.due_at from memory_jobs j
        where (j.claimed_until is null or j.claimed_until < @now) and (select count(*) from memory_jobs c where c.owner_id = j.owner_id and c.claimed_until >= @now) = 0
        order by j.due_at limit 1
        """;

    /// <summary>When what was skipped is due.</summary>
    public static DateTimeOffset Never { get; } = DateTimeOffset.MaxValue;

    /// <summary>Long enough for the slowest model; a process that died is not waited for longer.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(3);

    /// <summary>Whether an exchange with these words is worth reading.</summary>
    public bool Wants(string text) => options.Extract switch
    {
        ExtractWhen.Never => false,
        ExtractWhen.Personal => StatedFacts.IsPersonal(text),
        _ => true,
    };

    public bool IsOn => options.Extract != ExtractWhen.Never;

    /// <summary>In the transaction that ends the run.</summary>
    public async ValueTask OfferAsync(DbSession session, string runId, string ownerId, string conversationId, string messageId)
    {
        await session.SendAsync(session.Prepared(Insert).Set("run", runId).Set("owner", ownerId).Set("conversation", conversationId).Set("message", messageId)
            .Set("due", session.Now + options.ExtractDelay).Set("never", Never).Set("now", session.Now));
        session.AfterCommit(signals.JobAdded);
    }

    /// <summary>Takes what is due of one conversation. Null: nothing is.</summary>
    public Task<MemoryBatch?> TakeAsync(CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await session.Prepared(Next).Set("now", session.Now).FirstOrDefaultAsync(static r => Tuple.Create(r.GetString(0), r.GetString(1))) is not var (owner, conversation))
            {
                return null;
            }

            // Held by the owner's row: two workers do not take two batches of one owner.
            if (!await FactWrites.HoldAsync(session, owner))
            {
                await session.Prepared(RemoveOwner).Set("owner", owner).RunAsync(); // erased just now
                return null;
            }

            var jobs = await session.Prepared(Waiting).Set("owner", owner).Set("conversation", conversation).Set("now", session.Now).Set("limit", (long)MostAtOnce)
                .ListAsync(r => new MemoryJob(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt32(4), r.Flag(5), session.Now - r.Time(6)));
            var claim = Unasked + Guid.CreateVersion7();
            var taken = new List<MemoryJob>();

            // What failed before is read alone: it may be the one that no model can read, and takes nothing with it.
            foreach (var job in jobs is [{ Attempts: > 1 } one, ..] ? [one] : jobs.FindAll(static j => j.Attempts == 1))
            {
                if (await session.Prepared(Take).Set("claim", claim).Set("until", session.Now + Lease).Set("run", job.RunId).Set("now", session.Now).RunAsync() == 1)
                {
                    taken.Add(job);
                }
            }

            return taken.Count == 0 ? null : new MemoryBatch(claim, taken);
        },
        cancellationToken);

    /// <summary>Before a request is sent: if this process dies now, whoever takes the batch next notes that it may have been. Null: somebody else has it by now.</summary>
    public Task<MemoryBatch?> AskingAsync(MemoryBatch batch, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var (asking, mine) = (batch with { Claim = batch.Claim[Unasked.Length..] }, 0L);
            foreach (var job in batch.Jobs)
            {
                mine += await session.Prepared(Asking).Set("asking", asking.Claim).Set("run", job.RunId).Set("claim", batch.Claim).RunAsync();
            }

            return mine == 0 ? null : asking;
        },
        cancellationToken);

    /// <summary>This process owns the data, so whoever held claims is dead: they are read again at once.</summary>
    public Task VoidClaimsAsync(CancellationToken cancellationToken) => database.Kind == DatabaseKind.Sqlite
        ? database.WriteAsync(static async session => _ = await session.Prepared(Void).RunAsync(), cancellationToken)
        : Task.CompletedTask;

    /// <summary>When to look next; null: nothing waits.</summary>
    public Task<DateTimeOffset?> NextDueAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<DateTimeOffset?>(async session => await session.Prepared(NextDue).Set("now", session.Now).Int64Async() is { } due ? UnixTime.FromMicros(due) : null, cancellationToken);

    /// <summary>Ends the batch in the transaction that writes what came of it. The runs of which it may be written: of all others somebody else has the job now, or what was said is forgotten.</summary>
    public static async ValueTask<IReadOnlySet<string>> FinishAsync(DbSession session, MemoryBatch batch)
    {
        var mine = new HashSet<string>(StringComparer.Ordinal);
        foreach (var job in batch.Jobs)
        {
            if (await session.Prepared(Remove).Set("run", job.RunId).Set("claim", batch.Claim).RunAsync() == 1)
            {
                mine.Add(job.RunId);
            }
        }

        return mine;
    }

    /// <summary>The run forgot something for its user: what was said in it is about that, and would bring it back.</summary>
    /// <param name="messageId">Of which no other run is read either; empty: only this one.</param>
    public static async ValueTask SkipAsync(DbSession session, string runId, string ownerId, string conversationId, string messageId = "") =>
        await session.Prepared(Skip).Set("run", runId).Set("owner", ownerId).Set("conversation", conversationId).Set("message", messageId).Set("never", Never).Set("now", session.Now).RunAsync();

    /// <summary>The fact is forgotten: the words that it came from teach it no second time, also when their run is still at work. Whose run a note of the team came from it does not say.</summary>
    public static async ValueTask ForgetAsync(DbSession session, Fact fact)
    {
        if (fact.Source is { RunId: not null } or { MessageId: not null })
        {
            await session.Prepared(Taught).Set("owner", fact.OwnerId).Set("never", Never).Set("run", fact.Source.RunId ?? "").Set("message", fact.Source.MessageId ?? "-").RunAsync();
        }

        if (!fact.IsShared && fact.Source is { RunId: { } run, ConversationId: { } conversation })
        {
            await SkipAsync(session, run, fact.OwnerId, conversation, fact.Source.MessageId ?? "");
        }
    }

    /// <summary>Of runs that have ended long ago.</summary>
    public static async ValueTask PruneAsync(DbSession session, DateTimeOffset oldest) =>
        await session.Prepared(OldSkips).Set("never", Never).Set("oldest", oldest).RunAsync();

    /// <summary>To be read again later.</summary>
    /// <param name="counts">Whether it was one of the attempts that it has.</param>
    public Task GiveBackAsync(MemoryBatch batch, TimeSpan after, bool counts, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            foreach (var job in batch.Jobs)
            {
                await session.Prepared(GiveBack).Set("due", session.Now + after).Set("uncounted", counts ? 0L : 1L).Set("run", job.RunId).Set("claim", batch.Claim).RunAsync();
            }
        },
        cancellationToken);
}
