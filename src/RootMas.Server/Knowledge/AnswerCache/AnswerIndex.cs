using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// What is kept, in memory: everything but the answers' texts, which are read when they are needed, so that what was deleted is never given. Search is exact over one partition, which is one user's questions to one agent.
/// Each request has one question here, and each answer a bounded number of them; how many there are in all <see cref="AnswerKeeper"/> bounds.
/// </summary>
internal sealed class AnswerIndex
{
    /// <summary>Of one answer; the oldest goes first. An answer to everything ("I cannot help with that") would have them without end.</summary>
    public const int MostQuestions = 256;

    private const int MostOthers = 2;
    private const int MostEarly = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Held> _answers = [];
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

    /// <summary>Answers.</summary>
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

    /// <summary>Questions.</summary>
    public int QuestionCount
    {
        get
        {
            lock (_lock)
            {
                return _byKey.Count;
            }
        }
    }

    public IReadOnlyList<KnownAnswer> Answers
    {
        get
        {
            lock (_lock)
            {
                return [.. _answers.Values.Select(static held => held.Answer)];
            }
        }
    }

    public KnownAnswer? Find(Guid id)
    {
        lock (_lock)
        {
            return _answers.GetValueOrDefault(id)?.Answer;
        }
    }

    /// <summary>What an equal request finds, however old it is.</summary>
    public KnownQuestion? Question(Digest key)
    {
        lock (_lock)
        {
            return _byKey.GetValueOrDefault(key);
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

    /// <summary>The same question with another vector. Nothing if it is not there any more: it was purged or answered anew meanwhile, or other embedders' vectors are wanted.</summary>
    public void Replace(KnownQuestion question, string embedder)
    {
        lock (_lock)
        {
            if (embedder == _embedder && _byKey.GetValueOrDefault(question.Key)?.Id == question.Id)
            {
                Add(question);
            }
        }
    }

    /// <summary>In place of what an equal request found before: an answer that was made anew is also the one to questions that mean the same.</summary>
    public void Add(KnownQuestion question)
    {
        lock (_lock)
        {
            var held = _answers.GetValueOrDefault(question.Answer.Id) ?? new Held(question.Answer, []);
            question = ReferenceEquals(held.Answer, question.Answer) ? question : question with { Answer = held.Answer };
            if (_byKey.TryGetValue(question.Key, out var replaced))
            {
                Take(replaced);
            }

            _answers[held.Answer.Id] = held;
            held.Questions.Add(question);
            _byKey[question.Key] = question;
            if (_early.Remove(question.Key, out var hits))
            {
                held.Answer.Hit(hits);
            }

            if (question.Vector is not null)
            {
                var partition = System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_partitions, question.Partition, out _) ??= [];
                partition.Add(question);
            }

            if (held.Questions.Count > MostQuestions)
            {
                Take(held.Questions[0]);
            }
        }
    }

    /// <summary>An answer was given from memory, which may be before it is here: then it counts from when it comes.</summary>
    public void Hit(Digest key, Guid id)
    {
        lock (_lock)
        {
            if ((_byKey.GetValueOrDefault(key)?.Answer ?? _answers.GetValueOrDefault(id)?.Answer) is { } known)
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
            var gone = _answers.Values.Where(held => which(held.Answer)).ToList();
            if (gone.Count == 0)
            {
                return 0;
            }

            foreach (var held in gone)
            {
                _answers.Remove(held.Answer.Id);
                held.Questions.ForEach(question => _byKey.Remove(question.Key));
            }

            RemoveCompared(question => !_answers.ContainsKey(question.Answer.Id));
            return gone.Count;
        }
    }

    /// <summary>Removes questions, whoever may have the answers, and answers that no other question has. Ids of those.</summary>
    public IReadOnlyList<Guid> RemoveQuestions(Predicate<KnownQuestion> which)
    {
        lock (_lock)
        {
            foreach (var question in _byKey.Values.Where(question => which(question)).ToList())
            {
                _byKey.Remove(question.Key);
            }

            RemoveCompared(which);
            foreach (var held in _answers.Values)
            {
                held.Questions.RemoveAll(which);
            }

            List<Guid> gone = [.. _answers.Where(static pair => pair.Value.Questions.Count == 0).Select(static pair => pair.Key)];
            gone.ForEach(id => _answers.Remove(id));
            return gone;
        }
    }

    /// <summary>One question, and its answer if that has no other.</summary>
    private void Take(KnownQuestion question)
    {
        _byKey.Remove(question.Key);
        if (_partitions.TryGetValue(question.Partition, out var compared) && compared.FindIndex(one => ReferenceEquals(one, question)) is var at and >= 0)
        {
            compared.RemoveAt(at);
            if (compared.Count == 0)
            {
                _partitions.Remove(question.Partition);
            }
        }

        var held = _answers[question.Answer.Id];
        held.Questions.RemoveAll(one => ReferenceEquals(one, question));
        if (held.Questions.Count == 0)
        {
            _answers.Remove(question.Answer.Id);
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

    private sealed record Held(KnownAnswer Answer, List<KnownQuestion> Questions);

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
