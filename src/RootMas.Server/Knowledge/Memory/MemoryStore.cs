using System.Collections.Concurrent;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What a list of facts was asked for.</summary>
/// <param name="Status">null: active and proposed.</param>
/// <param name="Before">Id after which the page begins, newest first.</param>
internal sealed record FactQuery(string? Status, string? Before, int Limit);

/// <summary>
/// Facts by owner. What is told on the user's path (<see cref="ActiveAsync"/>) is kept in memory; a change ends it here with its commit, and on other instances by the feed.
/// </summary>
internal sealed class MemoryStore
{
    /// <summary>On the feed of changes: the memory of this owner changed.</summary>
    private const string Topic = "memory";

    /// <summary>Ends what stands on the feed for all external subjects of a user: their ids go on after it.</summary>
    private const string Subjects = "/";

    /// <summary>Owners of whom facts are held in memory.</summary>
    private const int MostCached = 10_000;

    private const string List = $"""
        select {Fact.Columns} from memory_facts where owner_id = @owner and (status = @status or (@status is null and status in ('active', 'proposed')))
            and (@before is null or id < @before) order by id desc limit @limit
        """;

    private const string Active = $"select {Fact.Columns} from memory_facts where owner_id = @owner and status = 'active' order by id desc limit 5000";

    private const string All = $"select {Fact.Columns} from memory_facts where owner_id = @owner order by thread_id, id";

    private const string Threads = "select distinct thread_id from memory_facts where owner_id = @owner";

    /// <summary>Who reads one of them now finds its claim gone, and writes nothing (<see cref="MemoryQueue.FinishAsync"/>).</summary>
    private const string NoJobs = "delete from memory_jobs where owner_id = @owner and due_at <> @never";

    /// <summary>The rows stay, without what was said: a call that is repeated after a crash must not remember again what was forgotten.</summary>
    private const string NoResults = "update memory_calls set result = 'This was done before, and everything that was remembered was forgotten since. Nothing was done.' where owner_id = @owner";

    private const string NothingBefore = "update memory_owners set forgot_at = @now where owner_id = @owner";

    private const string Revise = "update memory_facts set text = @text, sensitivity = @sensitivity, valid_until = @until, said_at = @now, updated_at = @now where id = @id and owner_id = @owner";

    private const string NoLonger = "delete from memory_facts where id = @id and owner_id = @owner and status = 'proposed'";

    private readonly IDatabase _database;
    private readonly MemoryOptions _options;
    private readonly ChangeFeed _feed;
    private readonly Outbox _outbox;
    private readonly IAnswerCachePurge? _kept;
    private readonly ConcurrentDictionary<string, Lazy<Task<IReadOnlyList<Fact>>>> _active = new(StringComparer.Ordinal);

    public MemoryStore(IDatabase database, MemoryOptions options, ChangeFeed feed, MemorySignals signals, Outbox outbox, IAnswerCachePurge? kept = null)
    {
        (_database, _options, _feed, Signals, _outbox, _kept) = (database, options, feed, signals, outbox, kept);
        feed.Subscribe(Topic, Heard, Missed);
    }

    public MemorySignals Signals { get; }

    public IDatabase Database => _database;

    public Task<List<Fact>> ListAsync(string ownerId, FactQuery query, CancellationToken cancellationToken) => _database.LookAsync(
        async session => await session.Prepared(List).Set("owner", ownerId).Set("status", query.Status).Set("before", query.Before).Set("limit", (long)query.Limit).ListAsync(Fact.Read),
        cancellationToken);

    /// <summary>Facts that count now, newest first. The same object until something changes.</summary>
    public async ValueTask<IReadOnlyList<Fact>> ActiveAsync(string ownerId, CancellationToken cancellationToken)
    {
        if (!_feed.IsCurrent)
        {
            return await ReadActiveAsync(ownerId, cancellationToken);
        }

        if (_active.Count >= MostCached)
        {
            _active.Clear();
        }

        // Entered before it is read: a change that comes in between takes it out again, and the next caller reads anew.
        var entry = _active.GetOrAdd(ownerId, id => new Lazy<Task<IReadOnlyList<Fact>>>(() => ReadActiveAsync(id, CancellationToken.None)));
        try
        {
            return await entry.Value.WaitAsync(cancellationToken);
        }
        catch (StorageUnavailableException)
        {
            _active.TryRemove(new KeyValuePair<string, Lazy<Task<IReadOnlyList<Fact>>>>(ownerId, entry));
            throw;
        }
    }

    public Task<Fact?> FindAsync(string ownerId, string id, CancellationToken cancellationToken) =>
        _database.ReadAsync(session => FactWrites.FindAsync(session, ownerId, id), cancellationToken);

    /// <summary>Every version, the oldest first.</summary>
    public Task<IReadOnlyList<Fact>> HistoryAsync(string ownerId, string threadId, CancellationToken cancellationToken) =>
        _database.ReadAsync(session => FactWrites.ThreadAsync(session, ownerId, threadId), cancellationToken);

    /// <summary>Everything that is kept of an owner, superseded versions included.</summary>
    public Task<List<Fact>> EverythingAsync(string ownerId, CancellationToken cancellationToken) =>
        _database.LookAsync(async session => await session.Prepared(All).Set("owner", ownerId).ListAsync(Fact.Read), cancellationToken);

    /// <param name="also">Written in the same transaction, with the fact's id.</param>
    public async Task<KeptFact> KeepAsync(string ownerId, NewFact fact, Made? also, CancellationToken cancellationToken) => (await ChangeAsync(
        ownerId,
        async session =>
        {
            var kept = await KeepAsync(session, ownerId, fact);
            if (kept.Fact is { } there && also is not null)
            {
                await also(session, there.Id);
            }

            return kept;
        },
        cancellationToken))!.Value;

    /// <summary>The user's decision about a proposed fact. Null: there is no such proposal.</summary>
    /// <param name="also">Written in the same transaction, with the fact that is kept, or with the proposal that is gone.</param>
    public Task<KeptFact?> DecideAsync(string ownerId, string id, bool keep, CancellationToken cancellationToken, Func<DbSession, Fact, ValueTask>? also = null) => ChangeAsync(
        ownerId,
        async session =>
        {
            if (await FactWrites.FindAsync(session, ownerId, id) is not { Status: FactWords.Proposed } proposal)
            {
                return null;
            }

            var kept = await InsteadAsync(session, ownerId, proposal, keep ? Confirmed(proposal) : null);
            if (kept.Fact is { } there && also is not null)
            {
                await also(session, there);
            }

            return kept;
        },
        cancellationToken);

    /// <summary>The user's own words in place of a fact: a new version if the text changes, which is theirs and no longer from outside. Null: there is no such fact, or it was changed meanwhile.</summary>
    public Task<KeptFact?> CorrectAsync(string ownerId, Fact read, NewFact wanted, CancellationToken cancellationToken) => ChangeAsync(
        ownerId,
        async session =>
        {
            if (await FactWrites.FindAsync(session, ownerId, read.Id) is not { Status: not FactWords.Superseded } now || now.UpdatedAt != read.UpdatedAt)
            {
                return null;
            }

            if (now.Status == FactWords.Active && FactText.SaysTheSame(wanted.Text, now.Text))
            {
                await session.Prepared(Revise).Set("text", wanted.Text).Set("sensitivity", wanted.Sensitivity).Set("until", wanted.ValidUntil).Set("now", session.Now)
                    .Set("id", now.Id).Set("owner", ownerId).RunAsync();
                var revised = (await FactWrites.FindAsync(session, ownerId, now.Id))!;
                await Graph.GraphFacts.ReviseAsync(session, revised);
                return new KeptFact(Kept.Known, revised, HidesNothingNew: now.IsSensitive || !revised.IsSensitive);
            }

            return now.Status == FactWords.Proposed ? await InsteadAsync(session, ownerId, now, wanted with { Replaces = now.Replaces }) : await KeepAsync(session, ownerId, wanted with { Replaces = [now.Id] });
        },
        cancellationToken);

    /// <summary>Removes facts with their histories. How many threads went.</summary>
    /// <param name="threads">Null: all of the owner's.</param>
    /// <param name="record">Written in the same transaction.</param>
    public async Task<int> ForgetAsync(string ownerId, IReadOnlyCollection<string>? threads, AuditWrite record, CancellationToken cancellationToken)
    {
        var gone = await _database.WriteAsync(
            async session =>
            {
                await ChangeAsync(session, ownerId);
                var some = await ForgetAsync(session, ownerId, threads);
                if (some > 0 || threads is null)
                {
                    await record(session);
                    await TellForgottenAsync(session, ownerId);
                }

                return some;
            },
            cancellationToken);
        await ForgetAnswersAsync(ownerId);
        return gone;
    }

    /// <summary>In the transaction that keeps a fact. One that is told only when asked for stands in no prompt, so kept answers that were given without it look as good as before; they go as when something is forgotten.</summary>
    public ValueTask TellKeptAsync(DbSession session, string ownerId, KeptFact kept) => IsHidden(kept) ? TellForgottenAsync(session, ownerId) : ValueTask.CompletedTask;

    /// <summary>After the commit <see cref="ForgetAnswersAsync"/> is done, also if this process dies before it.</summary>
    public async ValueTask TellForgottenAsync(DbSession session, string ownerId) => await _outbox.AddAsync(session, ForgottenFacts.Topic, ownerId);

    /// <summary>Kept answers are not given again with what is forgotten, since prompts differ then; what was said with it goes too.</summary>
    public async ValueTask ForgetAnswersAsync(string ownerId)
    {
        if (_kept is not null && ownerId != FactWords.Team)
        {
            await _kept.PurgeAsync(new PurgeScope("user", ownerId), CancellationToken.None);
        }
    }

    /// <summary>All of it means also what waits to be read, what was said in runs that are still at work, and what calls answered.</summary>
    public static async ValueTask<int> ForgetAsync(DbSession session, string ownerId, IReadOnlyCollection<string>? threads)
    {
        if (threads is null)
        {
            await session.Prepared(NoJobs).Set("owner", ownerId).Set("never", MemoryQueue.Never).RunAsync();
            await session.Prepared(NoResults).Set("owner", ownerId).RunAsync();
            await session.Prepared(NothingBefore).Set("owner", ownerId).Set("now", session.Now).RunAsync();
        }

        var named = await session.Prepared(Threads).Set("owner", ownerId).ListAsync(static r => r.GetString(0));
        var gone = threads is null ? named : [.. named.Where(threads.Contains)];
        foreach (var thread in gone)
        {
            await FactWrites.RemoveThreadAsync(session, ownerId, thread);
        }

        return gone.Count;
    }

    /// <summary>Begins a change: holds the owner's memory, and after the commit nobody is told what was before.</summary>
    /// <exception cref="ProblemException">The user was erased meanwhile. Nothing is written.</exception>
    public async ValueTask ChangeAsync(DbSession session, string ownerId)
    {
        if (!await FactWrites.HoldAsync(session, ownerId))
        {
            throw new ProblemException(SessionCallers.NotGood());
        }

        await _feed.AddAsync(session, Topic, ownerId);
        session.AfterCommit(() =>
        {
            _active.TryRemove(ownerId, out _);
            Signals.Changed();
        });
    }

    /// <summary>A change of one fact in a transaction of its own. Null: there was nothing to change.</summary>
    private async Task<KeptFact?> ChangeAsync(string ownerId, Func<DbSession, ValueTask<KeptFact?>> change, CancellationToken cancellationToken)
    {
        var changed = await _database.WriteAsync<KeptFact?>(
            async session =>
            {
                await ChangeAsync(session, ownerId);
                if (await change(session) is not { } kept)
                {
                    return null;
                }

                await TellKeptAsync(session, ownerId, kept);
                return kept;
            },
            cancellationToken);
        if (changed is { } there && IsHidden(there))
        {
            await ForgetAnswersAsync(ownerId);
        }

        return changed;
    }

    /// <summary>It stands in no prompt, and is new or has just become so.</summary>
    internal static bool IsHidden(KeptFact kept) => kept is { HidesNothingNew: false, Fact: { IsSensitive: true, Status: FactWords.Active } };

    /// <summary>Removes a proposal once what takes its place is kept: a refused one loses nothing.</summary>
    /// <param name="fact">Null: it is discarded.</param>
    private async ValueTask<KeptFact> InsteadAsync(DbSession session, string ownerId, Fact proposal, NewFact? fact)
    {
        // The proposal is one of the facts that may be kept, and makes room for the other one.
        var kept = fact is null ? new KeptFact(Kept.New, proposal) : await KeepAsync(session, ownerId, fact, _options.MaxFacts + 1);
        if (kept.Fact is not null)
        {
            await session.Prepared(NoLonger).Set("id", proposal.Id).Set("owner", ownerId).RunAsync();
            await FactWrites.BuryAsync(session, MemorySpaces.Memory, proposal.Id);
        }

        return kept;
    }

    private ValueTask<KeptFact> KeepAsync(DbSession session, string ownerId, NewFact fact) => KeepAsync(session, ownerId, fact, _options.MaxFacts);

    /// <summary>A fact, and what it says about the world.</summary>
    private static async ValueTask<KeptFact> KeepAsync(DbSession session, string ownerId, NewFact fact, int most)
    {
        var kept = await FactWrites.KeepAsync(session, ownerId, fact, most);
        if (kept is { Outcome: Kept.New or Kept.Replaced, Fact: { } made })
        {
            await Graph.GraphFacts.WriteAsync(session, made);
        }

        return kept;
    }

    /// <summary>A user is erased, with their external subjects: after the commit no instance has anything of them in memory.</summary>
    public async ValueTask DropAsync(DbSession session, string userId)
    {
        await ChangeAsync(session, userId);
        await _feed.AddAsync(session, Topic, userId + Subjects);
        session.AfterCommit(() => Drop(userId + Subjects));
    }

    private void Drop(string subjects)
    {
        foreach (var owner in _active.Keys.Where(o => o.StartsWith(subjects, StringComparison.Ordinal)))
        {
            _active.TryRemove(owner, out _);
        }
    }

    private static NewFact Confirmed(Fact proposal) => new()
    {
        Text = proposal.Text,
        Attribute = proposal.Attribute,
        AuthorKind = proposal.AuthorKind,
        Author = proposal.Author,
        Source = proposal.Source,
        Confidence = proposal.Confidence,
        Sensitivity = proposal.Sensitivity,
        Tainted = proposal.Tainted,
        ValidFrom = proposal.ValidFrom,
        ValidUntil = proposal.ValidUntil,
        Replaces = proposal.Replaces,
    };

    private async Task<IReadOnlyList<Fact>> ReadActiveAsync(string ownerId, CancellationToken cancellationToken) =>
        await _database.LookAsync(async session => await session.Prepared(Active).Set("owner", ownerId).ListAsync(Fact.Read), cancellationToken);

    private Task Heard(string ownerId)
    {
        if (ownerId.EndsWith(Subjects, StringComparison.Ordinal))
        {
            Drop(ownerId);
        }
        else
        {
            _active.TryRemove(ownerId, out _);
        }

        return Task.CompletedTask;
    }

    private Task Missed()
    {
        _active.Clear();
        return Task.CompletedTask;
    }
}
