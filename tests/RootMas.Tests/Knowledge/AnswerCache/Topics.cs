namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>Questions about topics, many of them near to others of another topic.</summary>
internal static class Topics
{
    private static readonly string[] Openings = ["How do I", "How can I", "Please tell me how to", "What is the way to", "I want to", "Help me to", "Could you explain how to", "Is it possible to"];
    private static readonly string[] Things =
        ["reset the password", "change the address", "close the account", "order a new card", "cancel a payment", "find the nearest machine", "raise the limit", "report a theft", "download a statement", "open the account"];

    private static readonly string[] Endings = ["", " please", " online", " in the app", " quickly", " myself", " by phone", " for a friend"];

    public static string Of(string question) => Things.First(t => question.Contains(t, StringComparison.Ordinal));

    public static IReadOnlyList<string> Questions(int count)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, count).Select(i => $"{Openings[random.Next(Openings.Length)]} {Things[random.Next(Things.Length)]}{Endings[random.Next(Endings.Length)]}, number word {Word(random)}?")];
    }

    /// <summary>Makes each question another one.</summary>
    private static string Word(Random random) => "q" + new string([.. Enumerable.Range(0, 5).Select(_ => (char)('a' + random.Next(26)))]); // none begins as an opposite does
}
