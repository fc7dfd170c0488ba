using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Http;

namespace RootMas.Tests.Chat;

public sealed class MessageRulesTests
{
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(10_000, true)]
    [InlineData(10_001, false)]
    public void Length_is_counted_in_code_points(int count, bool valid)
    {
        foreach (var character in new[] { "a", "ж", "🙂" })
        {
            var problem = RequestValidation.Check(new ChatMessage { Message = string.Concat(Enumerable.Repeat(character, count)) });
            Assert.Equal(valid, problem is null);
            Assert.True(valid || problem!.Errors!.ContainsKey("message"));
        }
    }

    [Theory]
    [InlineData("alice_1-B", true)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("a\n", false)]
    [InlineData("../x", false)]
    public void User_ids_follow_their_pattern(string id, bool valid) =>
        Assert.Equal(valid, RequestValidation.Check(new ChatMessage { Message = "x", UserId = id }) is null);

    [Fact]
    public void Metadata_has_a_limit_of_members_and_of_bytes()
    {
        var one = JsonElement.Parse("1");
        Assert.Null(Check(Enumerable.Range(0, 64).ToDictionary(i => $"k{i}", _ => one, StringComparer.Ordinal)));
        Assert.NotNull(Check(Enumerable.Range(0, 65).ToDictionary(i => $"k{i}", _ => one, StringComparer.Ordinal)));
        Assert.NotNull(Check(new(StringComparer.Ordinal) { ["k"] = JsonElement.Parse($"\"{new string('x', 17_000)}\"") }));
        static Problem? Check(Dictionary<string, JsonElement> metadata) => RequestValidation.Check(new ChatMessage { Message = "x", Metadata = metadata });
    }

    [Theory]
    [InlineData("Plan a trip\nwith details", "Plan a trip")]
    [InlineData("\n  \n hello ", "hello")]
    [InlineData("a\tb", "a b")]
    [InlineData("   ", "")]
    public void A_title_is_the_first_line_that_says_something(string message, string title) => Assert.Equal(title, Titles.From(message));

    [Fact]
    public void A_long_title_is_cut_at_a_word_and_never_inside_a_character()
    {
        var words = Titles.From(string.Join(' ', Enumerable.Repeat("word", 40)));
        Assert.True(words.Length <= 80);
        Assert.EndsWith("word…", words, StringComparison.Ordinal);
        var emoji = Titles.From(string.Concat(Enumerable.Repeat("🙂", 100)));
        Assert.True(emoji.Length <= 80);
        Assert.Equal(emoji, new string([.. emoji.EnumerateRunes().SelectMany(r => r.ToString())]));
        Assert.DoesNotContain('\uFFFD', emoji);
    }

    [Theory]
    [InlineData(null, 120)]
    [InlineData("wait=5", 5)]
    [InlineData("respond-async, wait=7", 7)]
    [InlineData("WAIT = 9", 9)]
    [InlineData("wait=9999", 120)]
    [InlineData("return=minimal", 120)]
    public void Prefer_wait_is_read_and_bounded(string? header, int seconds)
    {
        Assert.Null(PreferWait.Read(Request(header), out var patience));
        Assert.Equal(seconds, patience.TotalSeconds);
    }

    [Theory]
    [InlineData("wait=-1")]
    [InlineData("wait=soon")]
    [InlineData("wait")]
    public void Nonsense_in_prefer_wait_is_refused(string header) => Assert.Equal(400, PreferWait.Read(Request(header), out _)!.Status);

    private static HttpRequest Request(string? prefer)
    {
        var context = new DefaultHttpContext();
        if (prefer is not null)
        {
            context.Request.Headers["Prefer"] = prefer;
        }

        return context.Request;
    }
}
