using System.Buffers;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Chat.OpenAi;
using RootMas.Server.Runs;

namespace RootMas.Tests.Chat;

public sealed class CompletionStreamTests
{
    private readonly ArrayBufferWriter<byte> _to = new();
    private CompletionStream _stream = Open(holdBack: false);
    private bool _complete;

    [Fact]
    public void An_answer_is_its_pieces_and_the_finish_reason_comes_last()
    {
        Events(Asked("m1"), Piece("m1", "Hel"), Piece("m1", "lo"), Said("m1", "Hello"), Final("m1", "Hello"), Completed());
        Assert.True(_complete);
        Assert.Equal("Hello", Content());
        Assert.Equal("stop", Chunks()[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(12, Chunks()[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Empty(Chunks()[^1].GetProperty("choices").EnumerateArray());
        Assert.EndsWith("data: [DONE]\n\n", Text(), StringComparison.Ordinal);
        Assert.Single(Chunks().Select(c => c.GetProperty("id").GetString()).Distinct());
    }

    [Fact]
    public void A_final_text_that_was_never_streamed_is_sent_whole()
    {
        Events(Final("m1", "From the cache"), Completed());
        Assert.Equal("From the cache", Content());
    }

    [Fact]
    public void Text_that_no_longer_counts_is_followed_by_a_note_and_the_whole_answer()
    {
        Events(Asked("m1"), Piece("m1", "Wro"), new MessageSuperseded("m1", "cascade"), Asked("m2"), Piece("m2", "Right"), Final("m2", "Right"), Completed());
        Assert.Equal("Wro\n\n[The text above no longer counts; a fresh answer follows.]\n\nRight", Content());
    }

    [Fact]
    public void Text_before_a_tool_call_is_set_apart_from_the_answer()
    {
        Events(Asked("m1"), Piece("m1", "Let me look."), Said("m1", "Let me look."), Asked("m2"), Piece("m2", "It is 4."), Final("m2", "It is 4."), Completed());
        Assert.Equal("Let me look.\n\nIt is 4.", Content());
    }

    [Fact]
    public void What_is_not_an_answer_is_not_shown()
    {
        Events(Asked("p", "plan"), Piece("p", "{\"tasks\":[]}"), Asked("m1"), Piece("m1", "Done"), Final("m1", "Done"), Completed());
        Assert.Equal("Done", Content());
    }

    [Fact]
    public void A_final_text_that_goes_on_is_completed_and_one_that_differs_begins_anew()
    {
        Events(Asked("m1"), Piece("m1", "one"), Final("m1", "one two"), Completed());
        Assert.Equal("one two", Content());

        _to.Clear();
        _stream = Open(holdBack: false);
        Events(Asked("m1"), Piece("m1", "draft"), Final("m1", "Final"), Completed());
        Assert.Equal("draft\n\nFinal", Content());
    }

    [Theory]
    [InlineData("It is so. [done]")]
    [InlineData("It is so.\n")]
    public void What_the_end_of_a_group_chat_takes_away_does_not_bring_the_answer_twice(string said)
    {
        Events(Asked("m1"), Piece("m1", said), Final("m1", "It is so."), Completed());
        Assert.Equal(said, Content());
    }

    [Fact]
    public void A_snapshot_adds_what_was_missed()
    {
        Events(Asked("m1"), Piece("m1", "ab"));
        Write(new MessageSnapshot("m1", "abcd") { RunId = "r", Seq = 1, Agent = "a", CreatedAt = default, N = 4 }, "message.snapshot");
        Events(Piece("m1", "e"), Final("m1", "abcde"), Completed());
        Assert.Equal("abcde", Content());
    }

    [Fact]
    public void A_snapshot_without_text_says_where_the_stream_stands_and_nothing_else()
    {
        Events(Asked("m1"), Piece("m1", "Let me look."), Said("m1", "Let me look."));
        Write(new MessageSnapshot("", "") { RunId = "r", Seq = 1, Agent = "a", CreatedAt = default, N = 4 }, "message.snapshot");
        Events(Asked("m2"));
        Write(new MessageSnapshot("m2", "", "Hm.") { RunId = "r", Seq = 1, Agent = "a", CreatedAt = default, N = 4 }, "message.snapshot");
        Events(Piece("m2", "It is 4."), Final("m2", "It is 4."), Completed());
        Assert.Equal("Let me look.\n\nIt is 4.", Content());
    }

    [Fact]
    public void Structured_answers_come_in_one_piece()
    {
        _stream = Open(holdBack: true);
        Events(Asked("m1"), Piece("m1", "{\"a\":"), new MessageSuperseded("m1", "repair"), Asked("m2"), Piece("m2", "{\"a\":1}"), Final("m2", "{\"a\":1}"), Completed());
        Assert.Equal("{\"a\":1}", Content());
    }

    [Fact]
    public void A_run_that_waits_for_a_person_ends_with_stop_and_says_where_to_decide()
    {
        Events(Asked("m1"), new ApprovalRequested("ap1", 1, "http_request", JsonElement.Parse("{}"), "h", "owner", "it sends data", "1", null, default));
        Assert.True(_complete);
        Assert.Contains("POST /api/v1/approvals/ap1", Content(), StringComparison.Ordinal);
        Assert.Contains("run r", Content(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_run_is_an_error_in_openais_shape()
    {
        Events(new RunFailed("no_answer", "Nobody answered."));
        Assert.True(_complete);
        var error = Assert.Single(Chunks()[0].EnumerateObject());
        Assert.Equal(("error", "no_answer"), (error.Name, error.Value.GetProperty("code").GetString()));
        var last = Chunks()[1];
        Assert.Equal(error.Value.ToString(), last.GetProperty("error").ToString());
        Assert.Equal(("error", "{}"), (last.GetProperty("choices")[0].GetProperty("finish_reason").GetString(), last.GetProperty("choices")[0].GetProperty("delta").ToString()));
        Assert.EndsWith("}\n\ndata: [DONE]\n\n", Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_replayed_ends_no_answer_until_it_is_known_to_be_open_still()
    {
        _stream = Open(holdBack: false, replaysUpTo: 1);
        Events(Asked("m1"), Approval(1), Approval(2), Approval(3), new ApprovalGranted("ap1", 1, "ann"));
        Assert.False(_complete);
        _stream.Park(Waiting("r"), _to);
        Assert.Contains("POST /api/v1/approvals/ap2", Content(), StringComparison.Ordinal);

        _to.Clear();
        _stream = Open(holdBack: false, replaysUpTo: 1);
        Events(Asked("m1"), Approval(1));
        _stream.Park(Waiting("below"), _to);
        Assert.Contains("The run below waits for a person", Content(), StringComparison.Ordinal);

        static ApprovalRequested Approval(int call) => new($"ap{call}", call, "http_request", JsonElement.Parse("{}"), "h", "owner", "it sends data", "1", null, default);
        static RunSummary Waiting(string run) => new()
        {
            Id = run,
            OwnerId = "u",
            Status = RunStatus.WaitingApproval,
            Team = "solo",
            Agent = "a",
            RootRunId = "r",
            LastSeq = 1,
            Attempt = 1,
            Cost = Money.Zero,
            TreeCost = Money.Zero,
            Usage = TokenUsage.None,
            TreeUsage = TokenUsage.None,
            Reason = "it sends data",
            CreatedAt = default,
        };
    }

    [Theory]
    [InlineData("length", "stop", "length")]
    [InlineData(null, "length", "stop")]
    public void How_the_answer_ended_is_said_and_not_how_a_word_beside_it_did(string? answer, string beside, string told)
    {
        Events(Asked("m1"), Said("m1", "Half", answer ?? "stop"), Asked("s", "select"), Said("s", "{}", beside), Final("m1", "Half", answer), Completed());
        Assert.Equal(told, Chunks()[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    private static CompletionStream Open(bool holdBack, long replaysUpTo = 0) =>
        new(new CompletionWriter("r", "root-mas", 1, includeUsage: true), holdBack, includeUsage: true) { ReplaysUpTo = replaysUpTo };

    private static ModelRequested Asked(string id, string purpose = "answer") => new(id, "cheap", "v", "h", purpose, 1);

    private static ModelCompleted Said(string id, string text, string finish = "stop") => new(id, text, [], "m", "cheap", new TokenUsage(10, 0, 2), Money.Zero, 1, null, finish);

    private static MessageCompleted Final(string id, string text, string? cutBy = null) => new(id, text, "complete", [], "m", "cheap", Tainted: false) { CutBy = cutBy };

    private static RunCompleted Completed() => new(TokenUsage.None, Money.Zero, Money.Zero, 1);

    private static MessageDelta Piece(string id, string text) => new(id, text) { RunId = "r", Seq = 1, Agent = "a", CreatedAt = default, N = 1 };

    private void Events(params object[] all)
    {
        foreach (var one in all)
        {
            if (one is LivePiece piece)
            {
                Write(piece, "message.delta");
            }
            else
            {
                var e = (RunEvent)one;
                (e.RunId, e.Seq, e.Agent) = ("r", 1, "a");
                var json = RunJson.Serialize(e);
                using var document = JsonDocument.Parse(json);
                _complete = _stream.Write(new StreamItem("1", document.RootElement.GetProperty("type").GetString()!, json, IsFinal: false), _to);
                if (_complete)
                {
                    _stream.End(usage: null, _to);
                }
            }
        }
    }

    private void Write(LivePiece piece, string type) => _stream.Write(new StreamItem("1:1", type, RunJson.Serialize(piece), IsFinal: false), _to);

    private string Text() => Encoding.UTF8.GetString(_to.WrittenSpan);

    private List<JsonElement> Chunks() => [.. Text().Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(c => c != "data: [DONE]").Select(c => JsonElement.Parse(c["data: ".Length..]))];

    private string Content() => string.Concat(Chunks().Where(c => c.TryGetProperty("choices", out var choices) && choices.GetArrayLength() > 0)
        .Select(c => c.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString() : ""));
}
