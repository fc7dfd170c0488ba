using Microsoft.ML.Tokenizers;
using RootMas.Runtime.Context;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runtime.Context;

/// <summary>The estimate against a real vocabulary (docs/decisions/0009).</summary>
public sealed class TokenEstimateTests
{
    private static readonly Tokenizer O200k = TiktokenTokenizer.CreateForEncoding("o200k_base");

    [Theory]
    [InlineData("docs/architecture.md")]
    [InlineData("docs/openapi.json")]
    [InlineData("src/RootMas.Runtime/Runs/RunState.cs")]
    [InlineData("config/agents.yaml")]
    public void English_code_and_data_are_estimated_within_a_third(string path) => Within(File.ReadAllText(Repository.PathOf(path.Split('/'))), 0.67, 1.5);

    [Fact]
    public void Russian_is_estimated_on_the_safe_side() =>
        Within("Составь план поездки в Казань на три дня с бюджетом триста долларов и проверь расчёты. Сначала найди билеты, потом гостиницу, потом музеи и рестораны.", 1, 3);

    private static void Within(string text, double least, double most)
    {
        var ratio = TokenEstimate.Of(text) / (double)O200k.CountTokens(text);
        Assert.InRange(ratio, least, most);
    }
}
