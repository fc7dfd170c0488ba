using System.Data.Common;
using System.Runtime.InteropServices;
using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A question with what it is stored with.</summary>
internal sealed record StoredQuestion(KnownQuestion Known, string Text, string Embedder);

/// <summary>An observation with what it is stored with.</summary>
/// <param name="Embedder">What made the vectors, and in which way answers were compared; null: a version that did not say so wrote it.</param>
internal sealed record StoredObservation(Guid AnswerId, Nearness At, bool Same, string? Embedder)
{
    /// <summary>What was compared in another way is not learned from: before the second one right answers were counted more often than wrong ones, before the third none where the fresh answer may not be kept.</summary>
    public static string With(string embedder) => embedder + "#3";

    /// <summary>See <see cref="VerifiedPolicy.Observe"/>.</summary>
    public double? Predicted { get; init; }
}

/// <summary>What the database has, at one moment.</summary>
internal sealed record StoredAnswers(IReadOnlyList<StoredQuestion> Questions, IReadOnlyList<StoredObservation> Observations);

/// <summary>An answer as the statistics show it.</summary>
internal sealed record TopAnswer(string Id, string OwnerId, string Agent, long Hits, long MicroUsd, string Question, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt);

/// <summary>The rows of kept answers.</summary>
internal sealed class AnswerStore(IDatabase database)
{
    private const double Millionths = 1_000_000;

    /// <summary>Being used makes nothing older, whatever two clocks say.</summary>
    private const string AddHits = """
        UPDATE cached_answers SET hits = hits + @hits, used_at = CASE WHEN @now > COALESCE(used_at, created_at) THEN @now ELSE COALESCE(used_at, created_at) END WHERE id = @id
        """;

    private const string Columns = """
        q.id, q.partition, q.request, q.marks, q.embedder, q.vector, q.question,
        a.id, a.owner_id, a.agent, a.prompt_version, a.documents, a.cost_micro_usd, a.expires_at, q.asker_id, q.conversation_id
        FROM cached_questions q JOIN cached_answers a ON a.id = q.answer_id
        """;

    private const string All = "SELECT " + Columns + " WHERE a.expires_at > @now ORDER BY q.id DESC LIMIT @most";
    private const string One = "SELECT " + Columns + " WHERE q.id = @id";

    private const string InsertAnswer = """
        INSERT INTO cached_answers (id, owner_id, agent, prompt_version, documents, body, cost_micro_usd, hits, created_at, expires_at)
        VALUES (@id, @owner, @agent, @prompt, @documents, @body, @cost, 0, @created, @expires)
        """;

    private const string InsertQuestion = """
        INSERT INTO cached_questions (id, answer_id, owner_id, partition, request, question, marks, embedder, vector, created_at, asker_id, conversation_id)
        VALUES (@id, @answer, @owner, @partition, @request, @question, @marks, @embedder, @vector, @created, @asker, @conversation)
        """;

    private const string InsertObservation = "INSERT INTO cache_observations (id, answer_id, similarity, margin, is_same, embedder, predicted) VALUES (@id, @answer, @similarity, @margin, @same, @embedder, @predicted)";

    private const string Observed = "SELECT answer_id, similarity, margin, is_same, predicted FROM cache_observations WHERE embedder = @embedder ORDER BY id DESC LIMIT @most";

    private const string Orphans = "DELETE FROM cached_questions WHERE answer_id NOT IN (SELECT id FROM cached_answers)";

    /// <summary>Everybody's answers may be to questions of one user.</summary>
    private const string AskedBy = "DELETE FROM cached_questions WHERE asker_id = @id OR (asker_id >= @id || '/' AND asker_id < @id || '0') RETURNING answer_id";

    private const string AskedIn = "DELETE FROM cached_questions WHERE conversation_id = @id RETURNING answer_id";

    private static readonly SqlText Unasked = SqlDialect.InList("DELETE FROM cached_answers WHERE", "id", "ids", "AND NOT EXISTS (SELECT 1 FROM cached_questions q WHERE q.answer_id = cached_answers.id)");

    private static readonly SqlText UnaskedWith = new(Unasked.Sqlite + " RETURNING id", Unasked.Postgres + " RETURNING id");

    private static readonly SqlText QuestionsOf = SqlDialect.InList("DELETE FROM cached_questions WHERE", "answer_id", "ids", "");

    private static readonly SqlText AnswersOf = SqlDialect.InList("DELETE FROM cached_answers WHERE", "id", "ids", "");

    /// <summary>A walk over what is kept, whose number is bounded, when it has become too much.</summary>
    private const string ByUse = """
        SELECT a.id, (SELECT count(*) FROM cached_questions q WHERE q.answer_id = a.id) FROM cached_answers a WHERE a.expires_at > @now ORDER BY coalesce(a.used_at, a.created_at) DESC, a.id DESC
        """;

    private const string OlderQuestions = """
        DELETE FROM cached_questions WHERE answer_id = @answer AND id NOT IN (SELECT id FROM cached_questions WHERE answer_id = @answer ORDER BY id DESC LIMIT @most)
        """;

    private const string Top = """
        SELECT a.id, a.owner_id, a.agent, a.hits, a.cost_micro_usd, (SELECT q.question FROM cached_questions q WHERE q.answer_id = a.id ORDER BY q.id LIMIT 1), a.created_at, a.expires_at
        FROM cached_answers a WHERE a.expires_at > @now AND a.hits > 0
        """;

    public IDatabase Database => database;

    /// <param name="embedder">Only what was observed with its vectors.</param>
    /// <param name="most">Questions, the newest.</param>
    public Task<StoredAnswers> LoadAsync(string embedder, int most, CancellationToken cancellationToken) => database.ReadAsync(
        async session =>
        {
            var rows = await session.Prepared(All).Set("now", session.Now).Set("most", (long)most).ListAsync(Read);
            rows.Reverse();
            var answers = new Dictionary<Guid, KnownAnswer>();
            var questions = rows.Select(row => row with { Known = row.Known with { Answer = Same(answers, row.Known.Answer) } }).ToList();
            var observations = await session.Prepared(Observed).Set("embedder", StoredObservation.With(embedder)).Set("most", (long)VerifiedPolicy.Remembered)
                .ListAsync(r => new StoredObservation(Guid.Parse(r.GetString(0)), new Nearness(r.GetInt64(1) / Millionths, r.GetInt64(2) / Millionths), r.Flag(3), StoredObservation.With(embedder)) { Predicted = r.IsDBNull(4) ? null : r.GetInt64(4) / Millionths });
            observations.Reverse();
            return new StoredAnswers(questions, observations);
        },
        cancellationToken);

    public Task<StoredQuestion?> FindQuestionAsync(Guid id, CancellationToken cancellationToken) =>
        database.LookAsync(session => session.Prepared(One).Set("id", id.ToString()).FirstOrDefaultAsync(Read), cancellationToken);

    /// <summary>Null: it is not there any more.</summary>
    public Task<CachedAnswer?> FindAnswerAsync(Guid id, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared("SELECT body FROM cached_answers WHERE id = @id AND expires_at > @now").Set("id", id.ToString()).Set("now", session.Now)
            .FirstOrDefaultAsync(static row => row.Bytes(0)) is { } body ? CachedAnswer.FromJson(body) : null,
        cancellationToken);

    public static async ValueTask InsertAsync(DbSession session, CachedAnswer answer) =>
        await session.SendAsync(session.Prepared(InsertAnswer).Set("id", answer.Id.ToString()).Set("owner", answer.OwnerId).Set("agent", answer.Agent).Set("prompt", answer.PromptVersion)
            .Set("documents", Join(answer.Documents)).Set("body", answer.ToJson()).Set("cost", answer.MicroUsd).Set("created", answer.CreatedAt).Set("expires", answer.ExpiresAt));

    public static async ValueTask InsertAsync(DbSession session, StoredQuestion question)
    {
        var known = question.Known;
        await session.SendAsync(session.Prepared(InsertQuestion).Set("id", known.Id.ToString()).Set("answer", known.Answer.Id.ToString()).Set("owner", known.Answer.OwnerId)
            .Set("partition", known.Partition.ToString()).Set("request", known.Key.ToString()).Set("question", question.Text).Set("marks", known.Marks.Text)
            .Set("embedder", question.Embedder).Set("vector", ToBytes(known.Vector)).Set("created", session.Now).Set("asker", known.Asker).Set("conversation", known.ConversationId));
    }

    public static async ValueTask InsertAsync(DbSession session, StoredObservation observation) =>
        await session.SendAsync(session.Prepared(InsertObservation).Set("id", Guid.CreateVersion7(session.Now).ToString()).Set("answer", observation.AnswerId.ToString())
            .Set("similarity", (long)(observation.At.Similarity * Millionths)).Set("margin", (long)(observation.At.Margin * Millionths)).Set("same", observation.Same).Set("embedder", observation.Embedder)
            .Set("predicted", observation.Predicted is { } predicted ? (long)Math.Round(predicted * Millionths) : (long?)null));

    public static async ValueTask<bool> ExistsAsync(DbSession session, Guid id) =>
        await session.Prepared("SELECT 1 FROM cached_answers WHERE id = @id").Set("id", id.ToString()).AnyAsync();

    public static async ValueTask ReplaceVectorAsync(DbSession session, Guid question, float[] vector, string embedder) =>
        await session.Prepared("UPDATE cached_questions SET vector = @vector, embedder = @embedder WHERE id = @id")
            .Set("vector", ToBytes(vector)).Set("embedder", embedder).Set("id", question.ToString()).RunAsync();

    public static async ValueTask AddHitsAsync(DbSession session, Guid id, long hits) =>
        await session.SendAsync(session.Prepared(AddHits).Set("hits", hits).Set("now", session.Now).Set("id", id.ToString()));

    /// <summary>Removes what the scope says. The answers that went.</summary>
    public static async ValueTask<IReadOnlyList<Guid>> RemoveAsync(DbSession session, PurgeScope scope)
    {
        if (scope.Kind == "conversation")
        {
            return Ids(await RemoveAskedAsync(session, AskedIn, scope.Id));
        }

        var which = scope.Kind switch
        {
            "user" => "owner_id = @id OR (owner_id >= @id || '/' AND owner_id < @id || '0')",
            "agent" => "agent = @id",
            "prompt" => "prompt_version = @id",
            "document" => "documents LIKE '%|' || @id || '|%'",
            "all" => null,
            _ => "", // what a later version says; it is not for this one to take it for everything
        };
        if (which is "")
        {
            return [];
        }

        if (which is null)
        {
            var all = await session.Prepared("DELETE FROM cached_answers RETURNING id").ListAsync(static row => row.GetString(0));
            await session.Prepared(Orphans).RunAsync();
            return Ids(all);
        }

        var removed = await session.Prepared($"DELETE FROM cached_answers WHERE {which} RETURNING id").Set("id", scope.Id).ListAsync(static row => row.GetString(0));
        if (removed.Count > 0)
        {
            await session.Prepared(QuestionsOf).Set("ids", JsonSerializer.Serialize(removed)).RunAsync();
        }

        return Ids(scope.Kind == "user" ? [.. removed, .. await RemoveAskedAsync(session, AskedBy, scope.Id)] : removed);
    }

    /// <summary>Questions by who asked them or where, and the answers that no other question has.</summary>
    /// <param name="id">Of the user, whose questions may have been put to agents with answers for everybody, or of the conversation.</param>
    private static async ValueTask<List<string>> RemoveAskedAsync(DbSession session, string questions, string id)
    {
        var answers = await session.Prepared(questions).Set("id", id).ListAsync(static row => row.GetString(0));
        return answers.Count == 0 ? answers : await session.Prepared(UnaskedWith).Set("ids", JsonSerializer.Serialize(answers.Distinct(StringComparer.Ordinal))).ListAsync(static row => row.GetString(0));
    }

    private static Guid[] Ids(List<string> ids) => [.. ids.Select(Guid.Parse)];

    /// <summary>An equal request finds another question, and its answer, from now on. The old answer goes with it if no other question has it.</summary>
    public static async ValueTask RemoveAsync(DbSession session, KnownQuestion replaced)
    {
        await session.Prepared("DELETE FROM cached_questions WHERE id = @id").Set("id", replaced.Id.ToString()).RunAsync();
        await session.Prepared(Unasked).Set("ids", JsonSerializer.Serialize((string[])[replaced.Answer.Id.ToString()])).RunAsync();
    }

    /// <summary>The oldest questions of an answer beyond so many.</summary>
    public static async ValueTask RemoveOlderAsync(DbSession session, Guid answer, int most) =>
        await session.Prepared(OlderQuestions).Set("answer", answer.ToString()).Set("most", (long)most).RunAsync();

    /// <summary>What is beyond so many answers, or beyond so many questions, the longest unused first. Ids of the answers.</summary>
    public static async ValueTask<IReadOnlyList<Guid>> TrimAsync(DbSession session, int answers, int questions)
    {
        var (kept, asked) = (0, 0L);
        var gone = new List<string>();
        foreach (var (id, count) in await session.Prepared(ByUse).Set("now", session.Now).ListAsync(static row => (row.GetString(0), row.GetInt64(1))))
        {
            (kept, asked) = (kept + 1, asked + count);
            if (kept > answers || asked > questions)
            {
                gone.Add(id);
            }
        }

        foreach (var part in gone.Chunk(500))
        {
            var ids = JsonSerializer.Serialize(part);
            await session.Prepared(QuestionsOf).Set("ids", ids).RunAsync();
            await session.Prepared(AnswersOf).Set("ids", ids).RunAsync();
        }

        return [.. gone.Select(Guid.Parse)];
    }

    public static async ValueTask<long> CountExpiredAsync(DbSession session) =>
        await session.Prepared("SELECT count(*) FROM cached_answers WHERE expires_at <= @now").Set("now", session.Now).Int64Async() ?? 0;

    /// <summary>Also observations that nobody learns from any more.</summary>
    public static async ValueTask<int> PruneAsync(DbSession session, int limit)
    {
        var ids = await session.Prepared("SELECT id FROM cached_answers WHERE expires_at <= @now ORDER BY id LIMIT @limit").Set("now", session.Now).Set("limit", (long)limit).ListAsync(static row => row.GetString(0));
        foreach (var id in ids)
        {
            await session.Prepared("DELETE FROM cached_questions WHERE answer_id = @id").Set("id", id).RunAsync();
            await session.Prepared("DELETE FROM cached_answers WHERE id = @id").Set("id", id).RunAsync();
        }

        await session.Prepared("DELETE FROM cache_observations WHERE id < (SELECT min(id) FROM (SELECT id FROM cache_observations ORDER BY id DESC LIMIT @most) newest)").Set("most", (long)VerifiedPolicy.Remembered).RunAsync();
        return ids.Count;
    }

    /// <param name="owner">Only this user's; null: all.</param>
    public Task<IReadOnlyList<TopAnswer>> TopAsync(string? owner, int count, CancellationToken cancellationToken) => database.ReadAsync(
        async session =>
        {
            var command = session.Prepared(Top + (owner is null ? "" : " AND a.owner_id = @owner") + " ORDER BY a.hits DESC, a.id LIMIT @count").Set("now", session.Now).Set("count", (long)count);
            return (IReadOnlyList<TopAnswer>)await (owner is null ? command : command.Set("owner", owner))
                .ListAsync(static r => new TopAnswer(r.GetString(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetInt64(4), r.StringOrNull(5) ?? "", r.Time(6), r.Time(7)));
        },
        cancellationToken);

    private static KnownAnswer Same(Dictionary<Guid, KnownAnswer> answers, KnownAnswer read) => answers.TryGetValue(read.Id, out var known) ? known : answers[read.Id] = read;

    private static StoredQuestion Read(DbDataReader row)
    {
        var answer = new KnownAnswer
        {
            Id = Guid.Parse(row.GetString(7)),
            OwnerId = row.GetString(8),
            Agent = row.GetString(9),
            PromptVersion = row.GetString(10),
            Documents = row.GetString(11).Split('|', StringSplitOptions.RemoveEmptyEntries),
            MicroUsd = row.GetInt64(12),
            ExpiresAt = row.Time(13),
        };
        var vector = row.IsDBNull(5) ? null : MemoryMarshal.Cast<byte, float>(row.Bytes(5)).ToArray();
        // Made anew of the question: another version may have written the row, and its marks would not fit those of the questions that are asked now.
        var marks = vector is null ? new QuestionMarks(row.GetString(3), " ") : MeaningMarks.Of(row.GetString(6));
        var known = new KnownQuestion(Guid.Parse(row.GetString(0)), Digest.Parse(row.GetString(1)), Digest.Parse(row.GetString(2)), answer, marks, vector) { Asker = row.StringOrNull(14), ConversationId = row.StringOrNull(15) };
        return new StoredQuestion(known, row.GetString(6), row.GetString(4));
    }

    private static byte[]? ToBytes(float[]? vector) => vector is null ? null : MemoryMarshal.AsBytes<float>(vector).ToArray();

    private static string Join(IReadOnlyList<string> documents) => documents.Count == 0 ? "" : $"|{string.Join('|', documents)}|";
}
