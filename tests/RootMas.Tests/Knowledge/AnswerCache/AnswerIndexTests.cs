using RootMas.Server.Knowledge.AnswerCache;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What the index holds in memory.</summary>
public sealed class AnswerIndexTests
{
    private static readonly Digest Partition = new(1, 1);

    [Fact]
    public void An_equal_request_replaces_its_question_and_an_answer_without_questions_goes()
    {
        var index = new AnswerIndex();
        var (first, second) = (Answer(1), Answer(2));
        index.Add(Question(1, first));
        index.Add(Question(1, first));
        Assert.Equal((1, 1), (index.Count, index.QuestionCount));
        index.Add(Question(1, second));
        Assert.Equal((1, 1), (index.Count, index.QuestionCount));
        var near = index.Nearest(Partition, MeaningMarks.Of("why"), [1, 0], "", DateTimeOffset.MinValue)!;
        Assert.Equal((second, 0), (near.Best, near.Others.Count));
        index.Add(Question(2, first));
        index.Add(Question(2, second));
        Assert.Equal((1, 2), (index.Count, index.QuestionCount));
        Assert.Equal(1, index.Remove(static _ => true));
        Assert.Equal((0, 0, false), (index.Count, index.QuestionCount, index.Has(Partition)));
    }

    [Fact]
    public void The_oldest_questions_of_an_answer_give_way()
    {
        var index = new AnswerIndex();
        var answer = Answer(1);
        for (var i = 0; i < AnswerIndex.MostQuestions + 3; i++)
        {
            index.Add(Question(i, answer));
        }

        Assert.Equal((1, AnswerIndex.MostQuestions), (index.Count, index.QuestionCount));
        Assert.Null(index.Question(KeyOf(2)));
        Assert.NotNull(index.Question(KeyOf(3)));
        Assert.Equal(answer, index.Nearest(Partition, MeaningMarks.Of("why"), [1, 0], "", DateTimeOffset.MinValue)!.Best);
    }

    [Fact]
    public void What_is_known_of_an_answer_stays_with_it_when_it_is_read_again()
    {
        var index = new AnswerIndex();
        var known = Answer(1);
        known.Evidence.Add(new Nearness(1, 1), same: false);
        index.Add(Question(1, known));
        index.Add(Question(2, Answer(1)));
        index.Add(Question(1, Answer(1)));
        Assert.Equal(1, index.Question(KeyOf(1))!.Answer.Evidence.Count);
        Assert.Equal(1, index.Question(KeyOf(2))!.Answer.Evidence.Count);
    }

    [Fact]
    public void A_vector_that_is_made_anew_comes_only_to_a_question_that_is_still_there_and_from_the_present_embedder()
    {
        var index = new AnswerIndex();
        index.Clear("now");
        var question = Question(1, Answer(1));
        index.Add(question with { Vector = null });
        index.Replace(question, "before");
        Assert.False(index.Has(Partition));
        index.Replace(question, "now");
        Assert.True(index.Has(Partition));
        index.Remove(static _ => true);
        index.Replace(question, "now");
        Assert.Equal((0, 0, false), (index.Count, index.QuestionCount, index.Has(Partition)));
    }

    private static Digest KeyOf(int i) => new(0, (UInt128)i);

    private static KnownQuestion Question(int i, KnownAnswer answer) => new(Guid.NewGuid(), Partition, KeyOf(i), answer, MeaningMarks.Of("why"), [1, 0]);

    private static KnownAnswer Answer(int i) => new()
    {
        Id = new Guid(i, 0, 0, new byte[8]),
        OwnerId = "alice",
        Agent = "helper",
        PromptVersion = "v1",
        Documents = [],
        MicroUsd = 1,
        ExpiresAt = DateTimeOffset.MaxValue,
    };
}
