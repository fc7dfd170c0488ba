using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Changes of one owner's memory inside a transaction. Each begins with <see cref="HoldAsync"/>, so that two never decide on what the other is changing.</summary>
internal static class FactWrites
{
    private const string Hold = """
        insert into memory_owners (owner_id, version, updated_at) values (@owner, 1, @now)
        on conflict (owner_id) do update set version = memory_owners.version + 1, updated_at = excluded.updated_at
        """;

    private const string OfForm = $"select {Fact.Columns} from memory_facts where owner_id = @owner and status = @status and norm = @norm order by id";

    private const string SameAttribute = $"select {Fact.Columns} from memory_facts where owner_id = @owner and status = 'active' and attribute = @attribute";

    private const string One = $"select {Fact.Columns} from memory_facts where owner_id = @owner and id = @id";

    private const string Thread = $"select {Fact.Columns} from memory_facts where owner_id = @owner and thread_id = @thread order by id";

    private const string CountKept = "select count(*) from memory_facts where owner_id = @owner and status <> 'superseded'";

    private const string Insert = """
        insert into memory_facts (id, owner_id, thread_id, attribute, text, norm, status, author_kind, author, conversation_id, message_id, run_id, excerpt,
            confidence, sensitivity, tainted, valid_from, valid_until, created_at, updated_at, replaces, said_at, replaced_by, ended_at, embedded)
        values (@id, @owner, @thread, @attribute, @text, @norm, @status, @author_kind, @author, @conversation, @message, @run, @excerpt,
            @confidence, @sensitivity, @tainted, @valid_from, @valid_until, @now, @now, @replaces, @said, @replaced_by, @ended_at, @embedded)
        """;

    private const string Strengthen = "update memory_facts set confidence = @confidence, sensitivity = @sensitivity, valid_until = @until, said_at = @said, updated_at = @now where id = @id and owner_id = @owner";

    private const string Supersede = """
        update memory_facts set status = 'superseded', replaced_by = @by, ended_at = @now, updated_at = @now, valid_until = case when valid_until < @now then valid_until else @now end, embedded = 1
        where id = @id and owner_id = @owner and status = 'active'
        """;

    private const string Remove = "delete from memory_facts where owner_id = @owner and thread_id = @thread";

    /// <summary>The row stays, without what was said: see <see cref="MemoryStore"/>.</summary>
    private const string NoResult = "update memory_calls set result = 'This was done before, and what was remembered was forgotten since. Nothing was done.', fact_id = null where fact_id = @id";

    private const string Bury = "insert into memory_gone (id, space, created_at) values (@id, @space, @now) on conflict (id) do nothing";

    /// <summary>Holds the owner's memory until the transaction ends; its version rises. False: the user was erased, and nothing may be written for them.</summary>
    /// <param name="ownerId">A user, an external subject, the team or a collection.</param>
    public static async ValueTask<bool> HoldAsync(DbSession session, string ownerId)
    {
        if (ownerId != FactWords.Team && !ownerId.StartsWith(Graph.GraphWords.Collection, StringComparison.Ordinal) && !await UserStore.StaysAsync(session, ownerId))
        {
            return false;
        }

        await session.Prepared(Hold).Set("owner", ownerId).Set("now", session.Now).RunAsync();
        return true;
    }

    public static ValueTask<Fact?> FindAsync(DbSession session, string ownerId, string id) =>
        session.Prepared(One).Set("owner", ownerId).Set("id", id).FirstOrDefaultAsync(Fact.Read);

    public static async ValueTask<IReadOnlyList<Fact>> ThreadAsync(DbSession session, string ownerId, string threadId) =>
        await session.Prepared(Thread).Set("owner", ownerId).Set("thread", threadId).ListAsync(Fact.Read);

    /// <summary>Keeps a fact: what is known already counts for more, what it contradicts is superseded and stays in its history. What was said before that is history itself.</summary>
    /// <param name="most">Facts that the owner may have.</param>
    public static async ValueTask<KeptFact> KeepAsync(DbSession session, string ownerId, NewFact fact, int most)
    {
        var kept = await DecideAsync(session, ownerId, fact, most);
        session.AfterCommit(() => MemoryMetrics.Kept(fact.AuthorKind, kept.Outcome));
        return kept;
    }

    private static async ValueTask<KeptFact> DecideAsync(DbSession session, string ownerId, NewFact fact, int most)
    {
        if (FactText.IsSecret(fact.Text))
        {
            return new KeptFact(Kept.Secret, null);
        }

        var norm = FactText.Normalize(fact.Text);
        if (await KnownAsync(session, ownerId, fact, norm) is { } known)
        {
            return await AgainAsync(session, ownerId, fact, known.Before) with { Fact = known.Now, HidesNothingNew = known.Before.IsSensitive || !known.Now.IsSensitive };
        }

        var contradicted = fact.Proposed ? [] : await ContradictedAsync(session, ownerId, fact);
        if (contradicted.Count == 0 && await session.Prepared(CountKept).Set("owner", ownerId).Int64Async() >= most)
        {
            return new KeptFact(Kept.Full, null);
        }

        var id = Guid.CreateVersion7(session.Now).ToString();
        var later = contradicted.Where(f => IsLater(f, fact)).MinBy(static f => f.SaidAt);
        foreach (var old in contradicted.Where(f => !IsLater(f, fact)))
        {
            await SupersedeAsync(session, ownerId, old, id);
        }

        var thread = (later ?? contradicted.FirstOrDefault())?.ThreadId;
        await InsertAsync(session, ownerId, new Place(id, thread ?? id, norm, later), fact);
        var outcome = later is not null ? Kept.Late : thread is not null ? Kept.Replaced : Kept.New;
        return new KeptFact(outcome, (await FindAsync(session, ownerId, id))!);
    }

    /// <summary>What was known already, and contradicts what is named with it.</summary>
    private static async ValueTask<KeptFact> AgainAsync(DbSession session, string ownerId, NewFact fact, Fact known)
    {
        var contradicted = fact.Proposed ? [] : await ContradictedAsync(session, ownerId, fact);
        foreach (var old in contradicted.Where(f => f.Id != known.Id && fact.Replaces.Contains(f.Id, StringComparer.Ordinal) && !IsLater(f, fact)))
        {
            await SupersedeAsync(session, ownerId, old, known.Id);
        }

        return new KeptFact(Kept.Known, known);
    }

    /// <summary>Whether a kept fact was said after one that is only read now, and not in the same words: those an agent may have remembered while its run was at work.</summary>
    private static bool IsLater(Fact kept, NewFact read) =>
        kept.SaidAt > read.SaidAt && !(kept.Source.MessageId is { } message && message == read.Source.MessageId);

    /// <summary>Removes the fact with its whole history, and whatever was derived from it. Nothing of it is left but its vectors, which go next.</summary>
    public static async ValueTask RemoveThreadAsync(DbSession session, string ownerId, string threadId)
    {
        foreach (var version in await ThreadAsync(session, ownerId, threadId))
        {
            await BuryAsync(session, MemorySpaces.Memory, version.Id);
            await session.Prepared(NoResult).Set("id", version.Id).RunAsync();
            await Graph.GraphRemoval.RemoveSourceAsync(session, Graph.GraphWords.FromFact, version.Id);
            await MemoryQueue.ForgetAsync(session, version);
        }

        await session.Prepared(Remove).Set("owner", ownerId).Set("thread", threadId).RunAsync();
    }

    public static async ValueTask BuryAsync(DbSession session, string space, string id) =>
        await session.Prepared(Bury).Set("id", id).Set("space", space).Set("now", session.Now).RunAsync();

    private static async ValueTask SupersedeAsync(DbSession session, string ownerId, Fact old, string by)
    {
        await session.Prepared(Supersede).Set("by", by).Set("now", session.Now).Set("id", old.Id).Set("owner", ownerId).RunAsync();
        await BuryAsync(session, MemorySpaces.Memory, old.Id);
        await Graph.GraphRemoval.FollowAsync(session, old.Id);
    }

    private static async ValueTask<(Fact Before, Fact Now)?> KnownAsync(DbSession session, string ownerId, NewFact fact, string norm)
    {
        var known = await SameAsync(session, ownerId, FactWords.Active, (fact.Text, norm)) ?? (fact.Proposed ? await SameAsync(session, ownerId, FactWords.Proposed, (fact.Text, norm)) : null);
        return known is null ? null
            : (known, fact.Proposed ? known : await StrengthenAsync(session, known, fact)); // text from outside that nobody agreed to makes nothing surer
    }

    /// <summary>Of those with the stored form, which leaves signs away, the one that says the same and is not over.</summary>
    private static async ValueTask<Fact?> SameAsync(DbSession session, string ownerId, string status, (string Text, string Norm) fact) =>
        (await session.Prepared(OfForm).Set("owner", ownerId).Set("status", status).Set("norm", fact.Norm).ListAsync(Fact.Read))
            .Find(known => !(known.ValidUntil <= session.Now) && FactText.SaysTheSame(known.Text, fact.Text));

    /// <summary>
    /// Said again: as sure as the surer of both, and a little more. Anybody makes it more sensitive, and only its user less; until when it is true says whoever spoke last and said so.
    /// </summary>
    private static async ValueTask<Fact> StrengthenAsync(DbSession session, Fact known, NewFact fact)
    {
        var said = fact.SaidAt ?? session.Now;
        var sensitivity = fact.SetsSensitivity || fact.Sensitivity == FactWords.Sensitive ? fact.Sensitivity : known.Sensitivity;
        var until = said < known.SaidAt ? known.ValidUntil : fact.SetsUntil ? fact.ValidUntil : fact.ValidUntil ?? known.ValidUntil;
        var confidence = Math.Min(100, Math.Max(known.Confidence, fact.Confidence) + 5);
        await session.Prepared(Strengthen).Set("confidence", confidence).Set("sensitivity", sensitivity).Set("until", until).Set("said", Latest(known.SaidAt, said)).Set("now", session.Now)
            .Set("id", known.Id).Set("owner", known.OwnerId).RunAsync();
        var now = (await FindAsync(session, known.OwnerId, known.Id))!;
        if (now.Sensitivity != known.Sensitivity || now.ValidUntil != known.ValidUntil)
        {
            await Graph.GraphFacts.ReviseAsync(session, now);
        }

        return now;
    }

    private static async ValueTask<List<Fact>> ContradictedAsync(DbSession session, string ownerId, NewFact fact)
    {
        var found = new List<Fact>();
        foreach (var id in fact.Replaces)
        {
            if (await NowAsync(session, ownerId, id) is { Status: FactWords.Active } named)
            {
                found.Add(named);
            }
        }

        if (fact.Attribute is { } attribute)
        {
            found.AddRange(await session.Prepared(SameAttribute).Set("owner", ownerId).Set("attribute", attribute).ListAsync(Fact.Read));
        }

        return [.. found.DistinctBy(static f => f.Id, StringComparer.Ordinal)];
    }

    /// <summary>The fact, or what took its place since.</summary>
    private static async ValueTask<Fact?> NowAsync(DbSession session, string ownerId, string id)
    {
        var fact = await FindAsync(session, ownerId, id);
        while (fact is { Status: FactWords.Superseded, ReplacedBy: { } next })
        {
            fact = await FindAsync(session, ownerId, next);
        }

        return fact;
    }

    private static DateTimeOffset Latest(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static async ValueTask InsertAsync(DbSession session, string ownerId, Place place, NewFact fact) =>
        await session.Prepared(Insert)
            .Set("id", place.Id).Set("owner", ownerId).Set("thread", place.Thread).Set("attribute", fact.Attribute).Set("text", fact.Text).Set("norm", place.Norm)
            .Set("status", fact.Proposed ? FactWords.Proposed : place.Later is null ? FactWords.Active : FactWords.Superseded).Set("author_kind", fact.AuthorKind).Set("author", fact.Author)
            .Set("conversation", fact.Source.ConversationId).Set("message", fact.Source.MessageId).Set("run", fact.Source.RunId)
            .Set("excerpt", fact.Source.Excerpt is { } words && !FactText.IsSecret(words) ? FactText.Cut(words, 500) : null)
            .Set("confidence", fact.Confidence).Set("sensitivity", fact.Sensitivity).Set("tainted", fact.Tainted)
            .Set("valid_from", fact.ValidFrom ?? session.Now).Set("valid_until", place.Later is { } end && !(fact.ValidUntil < end.SaidAt) ? end.SaidAt : fact.ValidUntil).Set("now", session.Now)
            .Set("said", fact.SaidAt ?? session.Now).Set("replaced_by", place.Later?.Id).Set("ended_at", place.Later is null ? (DateTimeOffset?)null : session.Now).Set("embedded", place.Later is not null)
            .Set("replaces", fact is { Proposed: true, Replaces.Count: > 0 } ? string.Join(' ', fact.Replaces) : null)
            .RunAsync();

    /// <param name="Later">What was said since and contradicts it; null: it counts now.</param>
    private sealed record Place(string Id, string Thread, string Norm, Fact? Later);
}

/// <summary>Spaces of the vector store that belong to this part.</summary>
internal static class MemorySpaces
{
    public const string Memory = "memory";
    public const string Entities = "entities";
}
