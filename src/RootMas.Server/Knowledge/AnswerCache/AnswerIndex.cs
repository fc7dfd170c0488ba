using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>An answer that stands in the database, as far as finding it needs.</summary>
internal sealed class KnownAnswer
{
    private long _hits;

    public required Guid Id { get; init; }

    public required string OwnerId { get; init; }

    public required string Agent { get; init; }

    public required string PromptVersion { get; init; }

    public required IReadOnlyList<string> Documents { get; init; }

    public required long MicroUsd { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public AnswerEvidence Evidence { get; } = new();

    /// <summary>Whether a purge of this scope means it.</summary>
    public bool IsOf(PurgeScope scope) => scope.Kind switch
    {
        "all" => true,
        "user" => OwnerId == scope.Id || OwnerId.StartsWith(scope.Id + "/", StringComparison.Ordinal),
        "agent" => Agent == scope.Id,
        "prompt" => PromptVersion == scope.Id,
        "document" => Documents.Contains(scope.Id, StringComparer.Ordinal),
        _ => false,
    };

    /// <summary>Of this process and not yet written.</summary>
    public long TakeHits() => Interlocked.Exchange(ref _hits, 0);

    public void Hit(int times = 1) => Interlocked.Add(ref _hits, times);

    public static KnownAnswer Of(CachedAnswer answer) => new()
    {
        Id = answer.Id,
        OwnerId = answer.OwnerId,
        Agent = answer.Agent,
        PromptVersion = answer.PromptVersion,
        Documents = answer.Documents,
        MicroUsd = answer.MicroUsd,
        ExpiresAt = answer.ExpiresAt,
    };
}

/// <summary>A question that was answered.</summary>
/// <param name="Vector">Null: only equal questions find it.</param>
/// <param name="Marks">See <see cref="MeaningMarks"/>.</param>
internal sealed record KnownQuestion(Guid Id, Digest Partition, Digest Key, KnownAnswer Answer, QuestionMarks Marks, float[]? Vector)
{
    /// <summary>Who asked it, also where the answer is everybody's; null: an older version wrote it.</summary>
    public string? Asker { get; init; }

    /// <summary>By the user, or by somebody for whom the user speaks.</summary>
    public bool IsAskedBy(string userId) => Asker is not null && (Asker == userId || Asker.StartsWith(userId + "/", StringComparison.Ordinal));
}

/// <summary>The nearest answer, and others that may mean the same as what the model says now.</summary>
internal sealed record Neighbours(KnownAnswer Best, Nearness At, IReadOnlyList<KnownAnswer> Others);

/// <summary>
/// What is kept, in memory: everything but the answers' texts, which are read when they are needed, so that what was deleted is never given. Search is exact over one partition, which is one user's questions to one agent.
/// </summary>
internal sealed class AnswerIndex
{
    private const int MostOthers = 2;
    private const int MostEarly = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, KnownAnswer> _answers = [];
    private readonly Dictionary<Digest, KnownQuestion> _byKey = [];
    private readonly Dictionary<Digest, List<KnownQuestion>> _partitions = [];
    private readonly Dictionary<Digest, int> _early = [];
    private string _embedder = "";

    /// <summary>What made the vectors here; none of another one is among them.</summary>
    public string Embedder
    {
        get
        {
            lock (_lock)
            {
                return _embedder;
            }
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _answers.Count;
            }
        }
    }

    public IReadOnlyList<KnownAnswer> Answers
    {
        get
        {
            lock (_lock)
            {
                return [.. _answers.Values];
            }
        }
    }

    public KnownAnswer? Find(Guid id)
    {
        lock (_lock)
        {
            return _answers.GetValueOrDefault(id);
        }
    }

    /// <summary>The answer to an equal request.</summary>
    public KnownAnswer? Find(Digest key, DateTimeOffset now)
    {
        lock (_lock)
        {
            return _byKey.TryGetValue(key, out var question) && question.Answer.ExpiresAt > now ? question.Answer : null;
        }
    }

    /// <summary>Whether there is anything to compare with.</summary>
    public bool Has(Digest partition)
    {
        lock (_lock)
        {
            return _partitions.ContainsKey(partition);
        }
    }

    public void Add(KnownQuestion question)
    {
        lock (_lock)
        {
            _answers[question.Answer.Id] = question.Answer;
            _byKey[question.Key] = question;
            if (_early.Remove(question.Key, out var hits))
            {
                question.Answer.Hit(hits);
            }

            if (question.Vector is not null)
            {
                var partition = System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_partitions, question.Partition, out _) ??= [];
                partition.Add(question);
            }
        }
    }

    /// <summary>An answer was given from memory, which may be before it is here: then it counts from when it comes.</summary>
    public void Hit(Digest key, Guid id)
    {
        lock (_lock)
        {
            if (_byKey.GetValueOrDefault(key)?.Answer is { } known || _answers.TryGetValue(id, out known))
            {
                known.Hit();
                return;
            }

            if (_early.Count >= MostEarly)
            {
                _early.Clear(); // of answers that nobody had the time to learn
            }

            _early[key] = _early.GetValueOrDefault(key) + 1;
        }
    }

    /// <summary>The nearest answer whose question has the same marks; null: there is none.</summary>
    /// <param name="embedder">What made the vector.</param>
    public Neighbours? Nearest(Digest partition, QuestionMarks marks, ReadOnlySpan<float> vector, string embedder, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (embedder != _embedder || !_partitions.TryGetValue(partition, out var questions))
            {
                return null;
            }

            var best = new TopAnswers();
            foreach (var question in questions)
            {
                if (question.Answer.ExpiresAt > now && question.Vector!.Length == vector.Length && question.Marks.Fit(marks))
                {
                    best.Add(question.Answer, VectorMath.Dot(question.Vector, vector));
                }
            }

            return best.ToNeighbours();
        }
    }

    /// <summary>How many answers went.</summary>
    public int Remove(Predicate<KnownAnswer> which)
    {
        lock (_lock)
        {
            var gone = _answers.Values.Where(answer => which(answer)).ToHashSet();
            if (gone.Count == 0)
            {
                return 0;
            }

            foreach (var answer in gone)
            {
                _answers.Remove(answer.Id);
            }

            foreach (var key in _byKey.Where(pair => gone.Contains(pair.Value.Answer)).Select(static pair => pair.Key).ToList())
            {
                _byKey.Remove(key);
            }

            RemoveCompared(question => gone.Contains(question.Answer));
            return gone.Count;
        }
    }

    /// <summary>Removes the user's questions, whoever may have the answers, and answers that no other question has. Ids of those.</summary>
    public IReadOnlyList<Guid> RemoveAskedBy(string userId)
    {
        lock (_lock)
        {
            var mine = _byKey.Where(pair => pair.Value.IsAskedBy(userId)).Select(static pair => pair.Key).ToList();
            mine.ForEach(key => _byKey.Remove(key));
            RemoveCompared(question => question.IsAskedBy(userId));
            var asked = _byKey.Values.Concat(_partitions.Values.SelectMany(static questions => questions)).Select(static question => question.Answer.Id).ToHashSet();
            List<Guid> gone = [.. _answers.Keys.Where(id => !asked.Contains(id))];
            gone.ForEach(id => _answers.Remove(id));
            return gone;
        }
    }

    private void RemoveCompared(Predicate<KnownQuestion> which)
    {
        foreach (var (partition, questions) in _partitions.ToList())
        {
            questions.RemoveAll(which);
            if (questions.Count == 0)
            {
                _partitions.Remove(partition);
            }
        }
    }

    /// <param name="embedder">What makes the vectors that are added from now on.</param>
    public void Clear(string embedder)
    {
        lock (_lock)
        {
            Remove(static _ => true);
            _embedder = embedder;
        }
    }

    /// <summary>The three nearest answers, each by its nearest question.</summary>
    private sealed class TopAnswers
    {
        private const int Places = 1 + MostOthers;

        private readonly KnownAnswer[] _answers = new KnownAnswer[Places];
        private readonly float[] _scores = new float[Places];
        private int _count;

        public void Add(KnownAnswer answer, float score)
        {
            if (_count == Places && score <= _scores[Places - 1])
            {
                return;
            }

            var at = Of(answer);
            if (at < _count && score <= _scores[at])
            {
                return;
            }

            // It comes in at the end, or where it was, and moves up past what is less near.
            at = Math.Min(at, Places - 1);
            _count = Math.Max(_count, at + 1);
            for (; at > 0 && score > _scores[at - 1]; at--)
            {
                (_answers[at], _scores[at]) = (_answers[at - 1], _scores[at - 1]);
            }

            (_answers[at], _scores[at]) = (answer, score);
        }

        public Neighbours? ToNeighbours()
        {
            if (_count == 0)
            {
                return null;
            }

            var others = new List<KnownAnswer>(MostOthers);
            for (var i = 1; i < _count; i++)
            {
                others.Add(_answers[i]);
            }

            return new Neighbours(_answers[0], new Nearness(_scores[0], _scores[0] - Math.Max(0, _count > 1 ? _scores[1] : 0)), others);
        }

        /// <summary>Where it is; if it is not there, the place after the last.</summary>
        private int Of(KnownAnswer answer)
        {
            for (var i = 0; i < _count; i++)
            {
                if (ReferenceEquals(_answers[i], answer))
                {
                    return i;
                }
            }

            return _count;
        }
    }
}
