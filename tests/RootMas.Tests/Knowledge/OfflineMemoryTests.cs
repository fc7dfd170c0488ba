using System.Net;
using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

/// <summary>Without any key: the offline model remembers, tells and forgets.</summary>
public sealed class OfflineMemoryTests
{
    [Theory]
    [InlineData("Remember that my sister's name is Anna", "What do you remember about me?", "my sister's name is Anna", "Forget that my sister's name is Anna")]
    [InlineData("Запомни, что мою сестру зовут Анна", "Что ты обо мне помнишь?", "мою сестру зовут Анна", "Забудь, что мою сестру зовут Анна")]
    public async Task It_remembers_on_request_tells_in_another_conversation_and_forgets(string remember, string ask, string fact, string forget)
    {
        await using var app = await TestApp.StartAsync(static o => (o.Settings["Knowledge:Memory:ExtractDelay"], o.Settings["Knowledge:Memory:ExtractParallelism"]) = ("0s", "0"));
        using var alice = await app.AsAsync("alice");
        await AskAsync(alice, remember);
        Assert.Equal(fact, (await alice.GetAsync("/api/v1/memory")).GetProperty("items")[0].Text("text"));
        Assert.Contains(fact, await AskAsync(alice, ask), StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing is remembered", await AskAsync(alice, "Why do you know that " + fact), StringComparison.Ordinal);
        await AskAsync(alice, forget);
        while (await app.Get<MemoryReader>().ReadOneAsync(CancellationToken.None))
        {
            // Neither the words of before nor those that asked to forget bring it back.
        }

        Assert.Empty((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [Fact]
    public async Task It_learns_what_somebody_says_about_themselves_and_the_newest_word_counts()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Memory:ExtractDelay"] = "0s");
        using var alice = await app.AsAsync("alice");
        await AskAsync(alice, "Я живу в Казани. Сколько будет 2+2?");
        await UntilKnownAsync(alice, "Я живу в Казани");
        await AskAsync(alice, "I moved to Moscow. What is 3+4?");
        await UntilKnownAsync(alice, "I moved to Moscow");
        var told = await AskAsync(alice, "Where do I live?");
        Assert.Contains("I moved to Moscow", told, StringComparison.Ordinal);
        Assert.DoesNotContain("Казани", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_moves_house_keeps_the_job_that_was_told_with_the_old_one()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Memory:ExtractDelay"] = "0s");
        using var alice = await app.AsAsync("alice");
        await AskAsync(alice, "Я живу в Казани и работаю в компании Ромашка");
        await UntilKnownAsync(alice, "Я живу в Казани");
        await AskAsync(alice, "Я переехала в Москву");
        await UntilKnownAsync(alice, "Я переехала в Москву");
        var known = (await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray().Select(static f => f.Text("text")).Order(StringComparer.Ordinal);
        Assert.Equal(["Я переехала в Москву", "работаю в компании Ромашка"], known);
    }

    private static Task UntilKnownAsync(TestUser user, string text) => Wait.UntilAsync(
        async u => (await u.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray().Any(f => f.Text("text") == text), user, $"'{text}' was not learned");

    private static async Task<string> AskAsync(TestUser user, string message) => (await user.PostAsync("/api/v1/chat", new { message })).Text("response");
}
