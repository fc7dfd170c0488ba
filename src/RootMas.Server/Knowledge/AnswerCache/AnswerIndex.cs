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

    public void Hit() => Interlocked.Increment(ref _hits);

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
internal sealed record KnownQuestion(Guid Id, Digest Partition, Digest Key, KnownAnswer Answer, string Marks, float[]? Vector);

/// <summary>The nearest answer, and others that may mean the same as what the model says now.</summary>
internal sealed record Neighbours(KnownAnswer Best, Nearness At, IReadOnlyList<KnownAnswer> Others);

/// <summary>
/// What is kept, in memory: everything but the answers' texts, which are read when they are needed, so that what was deleted is never given. Search is exact over one partition, which is one user's questions to one agent.
/// </summary>
internal sealed class AnswerIndex
{
    private const int MostOthers = 2;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, KnownAnswer> _answers = [];
    private readonly Dictionary<Digest, KnownAnswer> _byKey = [];
    private readonly Dictionary<Digest, List<KnownQuestion>> _partitions = [];

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
            return _byKey.TryGetValue(key, out var answer) && answer.ExpiresAt > now ? answer : null;
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
            _byKey[question.Key] = question.Answer;
            if (question.Vector is not null)
            {
                var partition = System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_partitions, question.Partition, out _) ??= [];
                partition.Add(question);
            }
        }
    }

    /// <summary>The nearest answer whose question has the same marks; null: there is none.</summary>
    public Neighbours? Nearest(Digest partition, string marks, ReadOnlySpan<float> vector, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (!_partitions.TryGetValue(partition, out var questions))
            {
                return null;
            }

            var best = new TopAnswers();
            foreach (var question in questions)
            {
                if (question.Answer.ExpiresAt > now && question.Vector!.Length == vector.Length && question.Marks == marks)
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

            foreach (var key in _byKey.Where(pair => gone.Contains(pair.Value)).Select(static pair => pair.Key).ToList())
            {
                _byKey.Remove(key);
            }

            foreach (var (partition, questions) in _partitions.ToList())
            {
                questions.RemoveAll(question => gone.Contains(question.Answer));
                if (questions.Count == 0)
                {
                    _partitions.Remove(partition);
                }
            }

            return gone.Count;
        }
    }

    public void Clear() => Remove(static _ => true);

    /// <summary>The three nearest answers, each by its nearest question.</summary>
    internal struct TopAnswers
    {
        private KnownAnswer? _a;
        private KnownAnswer? _b;
        private KnownAnswer? _c;
        private float _sa;
        private float _sb;
        private float _sc;

        public void Add(KnownAnswer answer, float score)
        {
            if (_a is null || score > _sa)
            {
                if (!ReferenceEquals(answer, _a))
                {
                    if (!ReferenceEquals(answer, _b))
                    {
                        (_c, _sc) = (_b, _sb);
                    }

                    (_b, _sb) = (_a, _sa);
                }

                (_a, _sa) = (answer, score);
            }
            else if (!ReferenceEquals(answer, _a) && (_b is null || score > _sb))
            {
                if (!ReferenceEquals(answer, _b))
                {
                    (_c, _sc) = (_b, _sb);
                }

                (_b, _sb) = (answer, score);
            }
            else if (!ReferenceEquals(answer, _a) && !ReferenceEquals(answer, _b) && (_c is null || score > _sc))
            {
                (_c, _sc) = (answer, score);
            }
        }

        public readonly Neighbours? ToNeighbours() =>
            _a is null ? null : new Neighbours(_a, new Nearness(_sa, _sa - Math.Max(0, _b is null ? 0 : _sb)), [.. new[] { _b, _c }.OfType<KnownAnswer>().Take(MostOthers)]);
    }
}
