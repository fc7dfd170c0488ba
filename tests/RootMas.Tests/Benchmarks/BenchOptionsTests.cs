using RootMas.Benchmarks;

namespace RootMas.Tests.Benchmarks;

/// <summary>The command line of <c>rootmas bench</c>.</summary>
public sealed class BenchOptionsTests
{
    [Theory]
    [InlineData("b7", false)]
    [InlineData("b1,b99", false)]
    [InlineData("b11", false)] // only of the larger installations
    [InlineData("b9", true)] // only of the small one
    [InlineData(",", false)]
    public void A_case_that_is_not_there_is_refused_with_those_that_are(string only, bool isCluster)
    {
        Assert.Null(BenchOptions.Parse(["--only", only], isCluster, out var problem));
        Assert.Contains("nothing was measured", problem, StringComparison.Ordinal);
        Assert.Contains("rootmas bench: b1, b2, b3, b4, b5, b6, b8, b9, b10, b13, b14", problem, StringComparison.Ordinal);
        Assert.Contains("rootmas bench cluster: b1, b2, b3, b6, b8, b11, b12, b13, failover, scaling, growth, limits", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_case_that_is_not_there_ends_with_2()
    {
        Assert.Equal(2, await BenchProgram.RunAsync(["--only", "b7"]));
        Assert.Equal(2, await BenchProgram.RunAsync(["cluster", "--only", "b9"]));
    }

    [Fact]
    public void Cases_are_found_in_any_letters_and_with_spaces()
    {
        Assert.Equal(["b1", "b6"], BenchOptions.Parse(["--only", " B1, b6 ,"], isCluster: false, out _)!.Only);
        Assert.Equal(["failover"], BenchOptions.Parse(["--only", "FailOver"], isCluster: true, out _)!.Only);
    }

    [Fact]
    public void A_million_vectors_are_asked_for()
    {
        Assert.Equal(100_000, Parse().MostVectors);
        Assert.Equal(10_000, Parse("--quick").MostVectors);
        Assert.Equal(1_000_000, Parse("--vectors", "1000000").MostVectors);
    }

    [Fact]
    public void The_heading_says_how_many_rounds_each_case_has()
    {
        Assert.Equal("full, 5 rounds; B3, B4, B5, B13: 3 rounds; B10: 1 round", Parse().Form(Bench.Cases));
        Assert.Equal("full, 3 rounds", Parse("--only", "b4").Form(Bench.Cases));
        Assert.Equal("quick, 2 rounds; B3, B4, B5, B10, B13: 1 round", Parse("--quick").Form(Bench.Cases));
    }

    private static BenchOptions Parse(params string[] args) => BenchOptions.Parse(args, isCluster: false, out _)!;
}
